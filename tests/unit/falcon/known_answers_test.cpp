// Known answers: the keys and signatures that Falcon's submission to NIST lists for a hundred
// messages, remade from the same randomness.
//
// The lists themselves are some megabytes each, and are not here. What is here is the SHA-256 that
// Open Quantum Safe publishes of them (tests/KATs/sig/kats.json of liboqs 0.13.0): "single" of the
// first record as it stands in the submission's PQCsignKAT file, "all" of the hundred records. The
// submission has no padded signatures; for these, the answers are PQClean's.
#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "falcon/scheme.h"
#include "support/hex.h"
#include "support/nist_drbg.h"

namespace stoq::falcon {
namespace {

using test::NistDrbg;

constexpr std::size_t kNonceSize = 40;

NistDrbg::Seed first_entropy() {
    NistDrbg::Seed entropy{};
    for (std::size_t i = 0; i < entropy.size(); ++i) entropy[i] = static_cast<std::uint8_t>(i);
    return entropy;
}

std::string upper_hex(ByteView bytes) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

std::string sha256_of(const std::string& text) {
    std::array<std::uint8_t, 32> digest{};
    EVP_Q_digest(nullptr, "SHA256", nullptr, text.data(), text.size(), digest.data(), nullptr);
    return test::to_hex(digest);
}

// liboqs draws randomness from here while a list is being made.
NistDrbg* randomness = nullptr;

class KnownRandomness {
public:
    explicit KnownRandomness(NistDrbg& drbg) {
        randomness = &drbg;
        OQS_randombytes_custom_algorithm(
            [](std::uint8_t* bytes, std::size_t size) { randomness->fill({bytes, size}); });
    }
    KnownRandomness(const KnownRandomness&) = delete;
    KnownRandomness& operator=(const KnownRandomness&) = delete;
    ~KnownRandomness() {
        OQS_randombytes_switch_algorithm(OQS_RAND_alg_system);
        randomness = nullptr;
    }
};

// A signed message in the form of the submission (unpadded) or of PQClean (padded).
std::vector<std::uint8_t> signed_message(const Scheme& scheme, ByteView message,
                                         ByteView signature) {
    std::vector<std::uint8_t> bytes;
    const auto add = [&bytes](ByteView part) {
        bytes.insert(bytes.end(), part.begin(), part.end());
    };
    if (scheme.is_padded) {
        add(signature);
        add(message);
        return bytes;
    }
    const std::size_t length = signature.size() - kNonceSize;
    bytes = {static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)};
    add(signature.subspan(1, kNonceSize));
    add(message);
    bytes.push_back(static_cast<std::uint8_t>(0x20 | scheme.log_degree));
    add(signature.subspan(1 + kNonceSize));
    return bytes;
}

std::string record(const Scheme& scheme, std::size_t count, NistDrbg& requests) {
    NistDrbg::Seed seed{};
    requests.fill(seed);
    std::vector<std::uint8_t> message(33 * (count + 1));
    requests.fill(message);
    std::vector<std::uint8_t> public_key(scheme.public_key_size);
    std::vector<std::uint8_t> secret_key(scheme.secret_key_size);
    std::vector<std::uint8_t> signature(scheme.max_signature_size);
    NistDrbg answers(seed);
    const KnownRandomness known(answers);
    EXPECT_TRUE(generate_key(scheme, public_key, secret_key));
    signature.resize(sign(scheme, secret_key, message, signature).value_or(0));
    EXPECT_TRUE(verify(scheme, public_key, message, signature));
    const auto signed_bytes = signed_message(scheme, message, signature);
    return "count = " + std::to_string(count) + "\nseed = " + upper_hex(seed) +
           "\nmlen = " + std::to_string(message.size()) + "\nmsg = " + upper_hex(message) +
           "\npk = " + upper_hex(public_key) + "\nsk = " + upper_hex(secret_key) +
           "\nsmlen = " + std::to_string(signed_bytes.size()) +
           "\nsm = " + upper_hex(signed_bytes) + "\n";
}

struct Answers {
    const char* algorithm;
    const char* single;
    const char* all;
};

constexpr Answers kAnswers[] = {
    {"falcon512", "da27fe8a462de7307ddf1f9b00072a457d9c5b14e838c148fbe2662094b9a2ca",
     "f4f23c1153682007d5dec02c35e47061c17900fcf0adb3fd0437f1988fa13655"},
    {"falconpadded512", "91842d41138e7cfaf6e2e8f12a03c3b3411302255121e4d07d02f91a003c0395",
     "362ecc0537ca1fe25143fb7ccb04de8ee7703469d13ebcf311ab124a5c374a65"},
    {"falcon1024", "e699d88eb214fef30597385f40814baeb84ac505d5f05f5c257b0726fc4530b8",
     "46f9682ebf6fd31bae60c3191ed1a6c56aa09fb4945a266f86732a90c6c4db67"},
    {"falconpadded1024", "ddcc5683293388249e6fe85e992ea19d0986d34e060a44f82bc3db524a8c8390",
     "907a4931ddc2ce8360478a45f1bffededd6a04015b00233ecd851a62ecba06c1"},
};

const Scheme& scheme_of(std::string_view name) {
    for (const Algorithm& algorithm : kAlgorithms) {
        if (algorithm.name == name) return *algorithm.scheme;
    }
    ADD_FAILURE() << name;
    return *kAlgorithms[0].scheme;
}

TEST(NistDrbg, BeginsAsEverySubmissionDoes) {
    NistDrbg drbg(first_entropy());
    NistDrbg::Seed seed{};
    drbg.fill(seed);
    EXPECT_EQ(upper_hex(seed),
              "061550234D158C5EC95595FE04EF7A25767F2E24CC2BC479D09D86DC9ABCFDE7056A8C266F9EF97ED085"
              "41DBD2E1FFA1");
}

class FalconKnownAnswers : public testing::TestWithParam<Answers> {};

INSTANTIATE_TEST_SUITE_P(Each, FalconKnownAnswers, testing::ValuesIn(kAnswers),
                         [](const auto& tested) { return std::string(tested.param.algorithm); });

TEST_P(FalconKnownAnswers, AreRemade) {
    const Scheme& scheme = scheme_of(GetParam().algorithm);
    NistDrbg requests(first_entropy());
    std::string list = record(scheme, 0, requests);
    EXPECT_EQ(sha256_of(list), GetParam().single);
    for (std::size_t count = 1; count < 100; ++count)
        list += "\n" + record(scheme, count, requests);
    EXPECT_EQ(sha256_of(list), GetParam().all);
}

}  // namespace
}  // namespace stoq::falcon
