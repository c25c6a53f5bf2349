#include "falcon/der.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace stoq::falcon {
namespace {

const Algorithm& kAlgorithm = kAlgorithms[0];  // 1.3.9999.3.11

std::vector<std::uint8_t> copy_of(ByteView bytes) {
    return {bytes.begin(), bytes.end()};
}

TEST(FalconDer, PublicKeyInfoHasTheExpectedBytes) {
    EXPECT_EQ(encode_public_key_info(kAlgorithm, test::from_hex("aabb")),
              test::from_hex("30 0e 3007 0605 2bce0f030b 03 03 00 aabb"));
}

TEST(FalconDer, PrivateKeyInfoHasTheExpectedBytes) {
    EXPECT_EQ(copy_of(encode_private_key_info(kAlgorithm, test::from_hex("aabb")).view()),
              test::from_hex("30 12 020100 3007 0605 2bce0f030b 04 04 04 02 aabb"));
}

TEST(FalconDer, WhatIsEncodedIsDecodedForEveryLengthOfALength) {
    for (const std::size_t size : {0u, 1u, 100u, 127u, 128u, 240u, 255u, 256u, 5000u}) {
        const std::vector<std::uint8_t> key(size, 0x5a);
        for (const Algorithm& algorithm : kAlgorithms) {
            const auto open = encode_public_key_info(algorithm, key);
            const auto secret = encode_private_key_info(algorithm, key);
            const auto decoded_open = decode_public_key_info(algorithm, open);
            const auto decoded_secret = decode_private_key_info(algorithm, secret.view());
            ASSERT_TRUE(decoded_open && decoded_secret) << size;
            EXPECT_EQ(copy_of(*decoded_open), key);
            EXPECT_EQ(copy_of(*decoded_secret), key);
        }
    }
}

TEST(FalconDer, EachAlgorithmDecodesItsOwnOnly) {
    for (const Algorithm& theirs : kAlgorithms) {
        const auto open = encode_public_key_info(theirs, test::from_hex("00"));
        const auto secret = encode_private_key_info(theirs, test::from_hex("00"));
        for (const Algorithm& ours : kAlgorithms) {
            EXPECT_EQ(decode_public_key_info(ours, open).has_value(), &ours == &theirs);
            EXPECT_EQ(decode_private_key_info(ours, secret.view()).has_value(), &ours == &theirs);
        }
    }
}

TEST(FalconDer, RefusesWhatIsNotTheOnlyEncoding) {
    constexpr const char* kPublic[] = {
        "",
        "30",
        "30 0e 3007 0605 2bce0f030b 03 03 00 aa",           // truncated
        "30 0e 3007 0605 2bce0f030b 03 03 00 aabb 00",      // something behind it
        "30 0f 3007 0605 2bce0f030b 03 03 00 aabb 00",      // something inside, behind the key
        "30 81 0e 3007 0605 2bce0f030b 03 03 00 aabb",      // a longer length than needed
        "30 80 3007 0605 2bce0f030b 03 03 00 aabb 0000",    // indefinite length
        "30 83 00000e 3007 0605 2bce0f030b 03 03 00 aabb",  // three octets of length
        "30 0e 3007 0605 2bce0f030b 03 03 01 aabb",         // unused bits
        "30 0b 3007 0605 2bce0f030b 03 00",                 // no octet of unused bits
        "30 10 3009 0605 2bce0f030b 0500 03 03 00 aabb",    // NULL as parameters
        "31 0e 3007 0605 2bce0f030b 03 03 00 aabb",
    };
    for (const char* text : kPublic) {
        EXPECT_FALSE(decode_public_key_info(kAlgorithm, test::from_hex(text))) << text;
    }
    constexpr const char* kPrivate[] = {
        "",
        "30 12 020100 3007 0605 2bce0f030b 04 04 04 02 aa",
        "30 12 020101 3007 0605 2bce0f030b 04 04 04 02 aabb",  // version 2
        "30 12 020100 3007 0605 2bce0f030b 04 04 04 02 aabb 00",
        "30 14 020100 3007 0605 2bce0f030b 04 04 04 02 aabb a000",  // attributes
        "30 13 020100 3007 0605 2bce0f030b 04 05 04 02 aabb 00",    // inside the outer string
        "30 10 020100 3007 0605 2bce0f030b 04 02 aabb",             // no inner string
        "30 12 020100 3007 0605 2bce0f030b 04 04 04 03 aabb",       // inner one too long
    };
    for (const char* text : kPrivate) {
        EXPECT_FALSE(decode_private_key_info(kAlgorithm, test::from_hex(text))) << text;
    }
}

}  // namespace
}  // namespace stoq::falcon
