#include "falcon/key.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "support/falcon_keys.h"

namespace stoq::falcon {
namespace {

constexpr std::array<std::uint8_t, 5> kMessage = {'h', 'e', 'l', 'l', 'o'};

std::vector<std::uint8_t> copy_of(ByteView bytes) {
    return {bytes.begin(), bytes.end()};
}

class FalconKey : public testing::TestWithParam<std::size_t> {
protected:
    const Algorithm& algorithm() const { return kAlgorithms[GetParam()]; }
    const Key& key() const { return test_key(algorithm()); }
    std::size_t classical_size(ByteView encoded) const {
        return algorithm().curve ? kLengthSize + (std::size_t{encoded[2]} << 8 | encoded[3]) : 0;
    }
};

class FalconHybrid : public FalconKey {};

std::string name_of(const testing::TestParamInfo<std::size_t>& info) {
    return kAlgorithms[info.param].name;
}

std::vector<std::size_t> hybrids() {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < kAlgorithmCount; ++i) {
        if (kAlgorithms[i].curve) found.push_back(i);
    }
    return found;
}

INSTANTIATE_TEST_SUITE_P(Each, FalconKey, testing::Range<std::size_t>(0, kAlgorithmCount), name_of);
INSTANTIATE_TEST_SUITE_P(Each, FalconHybrid, testing::ValuesIn(hybrids()), name_of);

TEST_P(FalconKey, VerifiesWhatItSigned) {
    const auto signature = sign_with(key(), kMessage);
    ASSERT_FALSE(signature.empty());
    EXPECT_TRUE(key().verify(kMessage, signature));
    EXPECT_TRUE(key().is_consistent());
    EXPECT_NE(sign_with(key(), kMessage), signature) << "the nonce must be fresh each time";
}

TEST_P(FalconKey, SignsTheEmptyMessage) {
    EXPECT_TRUE(key().verify({}, sign_with(key(), {})));
}

TEST_P(FalconKey, SignsNothingIntoTooLittleRoom) {
    std::vector<std::uint8_t> small(max_signature_size(algorithm()) - 1);
    EXPECT_FALSE(key().sign(kMessage, small));
}

TEST_P(FalconKey, PublicEncodingSurvivesTheRoundTrip) {
    const auto again = Key::from_public(algorithm(), nullptr, key().public_bytes());
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->has_private());
    EXPECT_TRUE(again->private_bytes().empty());
    EXPECT_FALSE(again->is_consistent());
    EXPECT_EQ(copy_of(again->public_bytes()), copy_of(key().public_bytes()));
    EXPECT_TRUE(again->verify(kMessage, sign_with(key(), kMessage)));
    EXPECT_TRUE(sign_with(*again, kMessage).empty());
}

TEST_P(FalconKey, PrivateEncodingSurvivesTheRoundTrip) {
    const SecretBytes bytes = key().private_bytes();
    const Scheme& scheme = *algorithm().scheme;
    const std::size_t classical = classical_size(bytes.view());
    EXPECT_EQ(bytes.size(), classical + scheme.secret_key_size + scheme.public_key_size);
    const auto again = Key::from_private(algorithm(), nullptr, bytes.view());
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->is_consistent());
    EXPECT_EQ(copy_of(again->public_bytes()), copy_of(key().public_bytes()));
    EXPECT_EQ(copy_of(again->private_bytes().view()), copy_of(bytes.view()));
    EXPECT_TRUE(key().verify(kMessage, sign_with(*again, kMessage)));
}

TEST_P(FalconKey, RefusesKeysOfAnyOtherLength) {
    auto bytes = copy_of(key().public_bytes());
    for (const std::size_t length : {std::size_t{0}, std::size_t{1}, bytes.size() - 1}) {
        EXPECT_FALSE(Key::from_public(algorithm(), nullptr, ByteView(bytes).first(length)));
    }
    bytes.push_back(0);
    EXPECT_FALSE(Key::from_public(algorithm(), nullptr, bytes));
    auto secret = copy_of(key().private_bytes().view());
    for (const std::size_t length : {std::size_t{0}, std::size_t{3}, secret.size() - 1}) {
        EXPECT_FALSE(Key::from_private(algorithm(), nullptr, ByteView(secret).first(length)));
    }
    secret.push_back(0);
    EXPECT_FALSE(Key::from_private(algorithm(), nullptr, secret));
}

TEST_P(FalconKey, RefusesPublicKeysThatAreNotCanonical) {
    const std::size_t start = public_key_size(algorithm()) - algorithm().scheme->public_key_size;
    auto wrong_header = copy_of(key().public_bytes());
    wrong_header[start] ^= 0x10;
    EXPECT_FALSE(Key::from_public(algorithm(), nullptr, wrong_header));
    auto too_large = copy_of(key().public_bytes());  // a coefficient of 16383
    too_large[start + 1] = 0xff;
    too_large[start + 2] |= 0xfc;
    EXPECT_FALSE(Key::from_public(algorithm(), nullptr, too_large));
    auto last_too_large = copy_of(key().public_bytes());
    last_too_large.back() = 0xff;
    last_too_large[last_too_large.size() - 2] |= 0x3f;
    EXPECT_FALSE(Key::from_public(algorithm(), nullptr, last_too_large));
}

TEST_P(FalconKey, NoticesAPrivateHalfOfAnotherKey) {
    auto bytes = copy_of(key().private_bytes().view());
    const auto other = Key::generate(algorithm(), nullptr)->private_bytes();
    const std::size_t size = algorithm().scheme->public_key_size;
    std::ranges::copy(other.view().last(size), bytes.end() - static_cast<std::ptrdiff_t>(size));
    const auto mixed = Key::from_private(algorithm(), nullptr, bytes);
    ASSERT_TRUE(mixed);
    EXPECT_FALSE(mixed->is_consistent());
}

TEST_P(FalconKey, RefusesEverySignatureWithABitChanged) {
    const auto signature = sign_with(key(), kMessage);
    for (std::size_t at = 0; at < signature.size(); at += 7) {
        auto changed = signature;
        changed[at] ^= static_cast<std::uint8_t>(1 << at % 8);
        EXPECT_FALSE(key().verify(kMessage, changed)) << at;
    }
}

TEST_P(FalconKey, RefusesSignaturesOfAnyOtherLength) {
    const auto signature = sign_with(key(), kMessage);
    for (std::size_t length = 0; length < signature.size(); length += 11) {
        EXPECT_FALSE(key().verify(kMessage, ByteView(signature).first(length))) << length;
    }
    EXPECT_FALSE(key().verify(kMessage, ByteView(signature).first(signature.size() - 1)));
    auto longer = signature;
    for (const std::uint8_t byte : {std::uint8_t{0}, std::uint8_t{0x80}}) {
        longer.resize(signature.size());
        longer.push_back(byte);
        EXPECT_FALSE(key().verify(kMessage, longer));
        longer.resize(max_signature_size(algorithm()) + 1, byte);
        EXPECT_FALSE(key().verify(kMessage, longer));
    }
}

TEST_P(FalconKey, RefusesAnotherMessageAndAnotherKey) {
    const auto signature = sign_with(key(), kMessage);
    EXPECT_FALSE(key().verify({}, signature));
    EXPECT_FALSE(key().verify(ByteView(kMessage).first(4), signature));
    EXPECT_FALSE(Key::generate(algorithm(), nullptr)->verify(kMessage, signature));
}

// liboqs takes both forms for either; here each has one form.
TEST(FalconSignatures, PaddedAndUnpaddedAreNotInterchangeable) {
    for (std::size_t i = 0; i < kAlgorithmCount; ++i) {
        const Algorithm& padded = kAlgorithms[i];
        if (!padded.scheme->is_padded || padded.curve) continue;
        const Algorithm& plain = kAlgorithms[i - 2];
        ASSERT_EQ(plain.scheme->log_degree, padded.scheme->log_degree);
        const Key& key = test_key(padded);
        const auto twin = Key::from_private(plain, nullptr, key.private_bytes().view());
        ASSERT_TRUE(twin);
        auto signature = sign_with(key, kMessage);
        while (signature.back() != 0) signature = sign_with(key, kMessage);  // has padding
        EXPECT_FALSE(twin->verify(kMessage, signature));
        while (signature.back() == 0) signature.pop_back();
        EXPECT_TRUE(twin->verify(kMessage, signature));
        EXPECT_FALSE(key.verify(kMessage, signature));
    }
}

// Neither half alone makes a hybrid's signature.
TEST_P(FalconHybrid, NeedsBothHalves) {
    const auto mine = sign_with(key(), kMessage);
    const auto other = Key::generate(algorithm(), nullptr);
    const auto theirs = sign_with(*other, kMessage);
    const auto join = [this](ByteView classical, ByteView falcon) {
        auto joined = copy_of(classical.first(classical_size(classical)));
        const auto rest = falcon.subspan(classical_size(falcon));
        joined.insert(joined.end(), rest.begin(), rest.end());
        return joined;
    };
    EXPECT_TRUE(key().verify(kMessage, join(mine, mine)));
    EXPECT_FALSE(key().verify(kMessage, join(mine, theirs)));
    EXPECT_FALSE(key().verify(kMessage, join(theirs, mine)));
    EXPECT_FALSE(key().verify(kMessage, ByteView(mine).subspan(classical_size(mine))));
    const std::vector<std::uint8_t> no_classical = {0, 0, 0, 0};
    EXPECT_FALSE(key().verify(kMessage, join(no_classical, mine)));
    const std::vector<std::uint8_t> endless = {0xff, 0xff, 0xff, 0xff};
    EXPECT_FALSE(key().verify(kMessage, endless));
}

TEST_P(FalconHybrid, RefusesAPointThatIsNotOnItsCurve) {
    auto bytes = copy_of(key().public_bytes());
    bytes[kLengthSize + 1 + 40] ^= 1;
    EXPECT_FALSE(Key::from_public(algorithm(), nullptr, bytes));
    bytes = copy_of(key().public_bytes());
    bytes[kLengthSize] = 0x02;  // compressed
    EXPECT_FALSE(Key::from_public(algorithm(), nullptr, bytes));
}

}  // namespace
}  // namespace stoq::falcon
