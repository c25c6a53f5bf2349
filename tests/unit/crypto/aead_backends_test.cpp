// Both backends are one function: the same bytes for every size, batch and suite, and every changed
// bit refused by both.
#include <algorithm>
#include <iostream>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "crypto/aead.h"
#include "support/hex.h"

namespace stoq::crypto {
namespace {

constexpr CipherSuite kSuites[] = {CipherSuite::kAes128GcmSha256, CipherSuite::kAes256GcmSha384,
                                   CipherSuite::kChaCha20Poly1305Sha256};
constexpr std::uint64_t kSeed = 0x57'0a'5e'ed;

// Packets back to back in one buffer, as a train is, with a header each.
class Train {
public:
    struct Part {
        std::size_t offset;
        std::size_t header;
        std::size_t text;
        Nonce nonce;
    };

    void add(SeededRandom& random, std::size_t header, std::size_t text) {
        Part part{bytes.size(), header, text, {}};
        random.fill(part.nonce);
        parts.push_back(part);
        bytes.resize(bytes.size() + header + text + kTagSize);
        random.fill(Bytes(bytes).subspan(part.offset));
    }

    std::vector<SealRequest> seal_requests() {
        std::vector<SealRequest> requests;
        for (const Part& part : parts) {
            std::uint8_t* text = bytes.data() + part.offset + part.header;
            requests.push_back(
                {{bytes.data() + part.offset, part.header}, {text, part.text}, text, part.nonce});
        }
        return requests;
    }

    std::vector<OpenRequest> open_requests() {
        std::vector<OpenRequest> requests;
        for (const Part& part : parts) {
            std::uint8_t* text = bytes.data() + part.offset + part.header;
            requests.push_back({{bytes.data() + part.offset, part.header},
                                {text, part.text + kTagSize},
                                part.nonce,
                                false});
        }
        return requests;
    }

    std::vector<std::uint8_t> bytes;
    std::vector<Part> parts;
};

class AeadBackendsTest : public testing::TestWithParam<CipherSuite> {
protected:
    void SetUp() override {
        if (!is_available(Backend::kIpsecMb)) {
            GTEST_SKIP() << "intel-ipsec-mb is not in this build, or the processor lacks AES-NI "
                            "or PCLMULQDQ: there is nothing to compare OpenSSL with";
        }
        std::cout << "seed " << kSeed << "\n";
        key_.resize(properties_of(GetParam()).key_size);
        random_.fill(key_);
    }

    std::unique_ptr<Aead> aead(Direction direction, Backend backend) const {
        return make_aead(GetParam(), direction, key_, backend);
    }

    void expect_same(const Train& plain) {
        Train by_openssl = plain;
        Train by_ipsec_mb = plain;
        seal_openssl_->seal(by_openssl.seal_requests());
        seal_ipsec_mb_->seal(by_ipsec_mb.seal_requests());
        ASSERT_EQ(by_openssl.bytes, by_ipsec_mb.bytes);

        auto one = by_openssl.open_requests();
        auto other = by_ipsec_mb.open_requests();
        open_openssl_->open(one);
        open_ipsec_mb_->open(other);
        ASSERT_EQ(by_openssl.bytes, by_ipsec_mb.bytes);
        for (std::size_t i = 0; i < one.size(); ++i) {
            const Train::Part& part = plain.parts[i];
            ASSERT_TRUE(one[i].authentic && other[i].authentic) << i;
            const auto opened = Bytes(by_openssl.bytes).subspan(part.offset);
            ASSERT_TRUE(std::equal(opened.begin(), opened.begin() + part.header + part.text,
                                   plain.bytes.begin() + part.offset))
                << i;
        }
    }

    void make_aeads() {
        seal_openssl_ = aead(Direction::kSeal, Backend::kOpenssl);
        seal_ipsec_mb_ = aead(Direction::kSeal, Backend::kIpsecMb);
        open_openssl_ = aead(Direction::kOpen, Backend::kOpenssl);
        open_ipsec_mb_ = aead(Direction::kOpen, Backend::kIpsecMb);
    }

    SeededRandom random_{kSeed};
    std::vector<std::uint8_t> key_;
    std::unique_ptr<Aead> seal_openssl_, seal_ipsec_mb_, open_openssl_, open_ipsec_mb_;
};

TEST_P(AeadBackendsTest, AutomaticIsOneOfThemAndStaysThat) {
    const Backend first = automatic_backend(GetParam());
    EXPECT_NE(first, Backend::kAutomatic);
    EXPECT_TRUE(is_available(first));
    EXPECT_EQ(automatic_backend(GetParam()), first);
}

TEST_P(AeadBackendsTest, AgreeOnEveryPacketSize) {
    make_aeads();
    for (std::size_t size = 21; size <= 9000; ++size) {
        const std::size_t header = 2 + random_.next() % std::min<std::size_t>(20, size - 18);
        Train train;
        train.add(random_, header, size - header - kTagSize);
        ASSERT_NO_FATAL_FAILURE(expect_same(train)) << "size " << size;
    }
}

TEST_P(AeadBackendsTest, AgreeOnEveryBatchSizeOfEqualPackets) {
    make_aeads();
    for (std::size_t count = 1; count <= 64; ++count) {
        Train train;
        for (std::size_t i = 0; i < count; ++i) train.add(random_, 13, 1423);
        ASSERT_NO_FATAL_FAILURE(expect_same(train)) << "batch of " << count;
    }
}

TEST_P(AeadBackendsTest, AgreeOnMixedSizesAndHeaders) {
    make_aeads();
    for (std::size_t count : {2, 7, 33, 64, 65, 130, 200}) {
        Train train;
        for (std::size_t i = 0; i < count; ++i) {
            train.add(random_, 2 + random_.next() % 4, random_.next() % 3000);
        }
        ASSERT_NO_FATAL_FAILURE(expect_same(train)) << "batch of " << count;
    }
}

TEST_P(AeadBackendsTest, AgreeOnMasks) {
    const auto openssl = make_header_masker(GetParam(), key_, Backend::kOpenssl);
    const auto ipsec_mb = make_header_masker(GetParam(), key_, Backend::kIpsecMb);
    std::vector<std::uint8_t> bytes(4096);
    random_.fill(bytes);
    for (std::size_t count = 1; count <= 130; ++count) {
        std::vector<const std::uint8_t*> samples;
        for (std::size_t i = 0; i < count; ++i) {
            samples.push_back(bytes.data() + random_.next() % (bytes.size() - kSampleSize));
        }
        std::vector<HeaderMask> one(count), other(count);
        openssl->masks(samples, one);
        ipsec_mb->masks(samples, other);
        ASSERT_EQ(one, other) << count;
    }
}

// One damaged packet in a batch is refused, and its neighbours are not.
void expect_only_refused(Aead& aead, Train sealed, std::size_t packet, std::size_t bit) {
    const Train::Part& part = sealed.parts[packet];
    const std::size_t total = part.header + part.text + kTagSize;
    sealed.bytes[part.offset + bit / 8 % total] ^= static_cast<std::uint8_t>(1u << bit % 8);
    auto requests = sealed.open_requests();
    aead.open(requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        ASSERT_EQ(requests[i].authentic, i != packet) << "packet " << i << " bit " << bit;
    }
}

TEST_P(AeadBackendsTest, RefuseEveryFlippedBit) {
    make_aeads();
    Train train;
    for (const std::size_t text : {40, 0, 41, 129}) train.add(random_, 9, text);
    seal_openssl_->seal(train.seal_requests());
    for (std::size_t packet = 0; packet < train.parts.size(); ++packet) {
        const Train::Part& part = train.parts[packet];
        for (std::size_t bit = 0; bit < (part.header + part.text + kTagSize) * 8; ++bit) {
            ASSERT_NO_FATAL_FAILURE(expect_only_refused(*open_openssl_, train, packet, bit));
            ASSERT_NO_FATAL_FAILURE(expect_only_refused(*open_ipsec_mb_, train, packet, bit));
        }
    }
}

TEST_P(AeadBackendsTest, RefuseEveryFlippedBitOfTheNonce) {
    make_aeads();
    Train train;
    train.add(random_, 9, 40);
    seal_openssl_->seal(train.seal_requests());
    for (std::size_t bit = 0; bit < kNonceSize * 8; ++bit) {
        for (Aead* aead : {open_openssl_.get(), open_ipsec_mb_.get()}) {
            Train copy = train;
            copy.parts[0].nonce[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
            auto requests = copy.open_requests();
            aead->open(requests);
            ASSERT_FALSE(requests[0].authentic) << bit;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(EverySuite, AeadBackendsTest, testing::ValuesIn(kSuites),
                         [](const auto& parameter) {
                             switch (parameter.param) {
                                 case CipherSuite::kAes128GcmSha256: return "Aes128Gcm";
                                 case CipherSuite::kAes256GcmSha384: return "Aes256Gcm";
                                 case CipherSuite::kChaCha20Poly1305Sha256: break;
                             }
                             return "ChaCha20Poly1305";
                         });

}  // namespace
}  // namespace stoq::crypto
