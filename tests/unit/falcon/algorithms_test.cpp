#include "falcon/algorithms.h"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/asn1.h>
#include <openssl/objects.h>

namespace stoq::falcon {
namespace {

struct Numbers {
    std::uint16_t tls_code_point;
    const char* oid;
    std::size_t public_key;
    std::size_t signature;
    unsigned security_bits;
};

// As oqs-provider's list of algorithms has them, and the sizes of Falcon's specification.
const std::map<std::string, Numbers> kExpected = {
    {"falcon512", {0xfed7, "1.3.9999.3.11", 897, 752, 128}},
    {"p256_falcon512", {0xfed8, "1.3.9999.3.12", 897 + 4 + 65, 752 + 4 + 72, 128}},
    {"falconpadded512", {0xfedc, "1.3.9999.3.16", 897, 666, 128}},
    {"p256_falconpadded512", {0xfedd, "1.3.9999.3.17", 897 + 4 + 65, 666 + 4 + 72, 128}},
    {"falcon1024", {0xfeda, "1.3.9999.3.14", 1793, 1462, 256}},
    {"p521_falcon1024", {0xfedb, "1.3.9999.3.15", 1793 + 4 + 133, 1462 + 4 + 139, 256}},
    {"falconpadded1024", {0xfedf, "1.3.9999.3.19", 1793, 1280, 256}},
    {"p521_falconpadded1024", {0xfee0, "1.3.9999.3.20", 1793 + 4 + 133, 1280 + 4 + 139, 256}},
};

TEST(FalconAlgorithms, HaveTheNumbersOfOqsProvider) {
    ASSERT_EQ(kAlgorithms.size(), kExpected.size());
    for (const Algorithm& algorithm : kAlgorithms) {
        SCOPED_TRACE(algorithm.name);
        const Numbers& expected = kExpected.at(algorithm.name);
        EXPECT_EQ(algorithm.tls_code_point, expected.tls_code_point);
        EXPECT_STREQ(algorithm.oid, expected.oid);
        EXPECT_EQ(algorithm.names, std::string(algorithm.name) + ":" + expected.oid);
        EXPECT_EQ(public_key_size(algorithm), expected.public_key);
        EXPECT_EQ(max_signature_size(algorithm), expected.signature);
        EXPECT_EQ(algorithm.security_bits, expected.security_bits);
    }
}

TEST(FalconAlgorithms, IdentifierIsTheDerOfTheObjectIdentifier) {
    for (const Algorithm& algorithm : kAlgorithms) {
        SCOPED_TRACE(algorithm.name);
        ASN1_OBJECT* object = OBJ_txt2obj(algorithm.oid, 1);
        std::vector<std::uint8_t> expected = {0x30, 0x07};
        std::vector<std::uint8_t> der(static_cast<std::size_t>(i2d_ASN1_OBJECT(object, nullptr)));
        unsigned char* at = der.data();
        i2d_ASN1_OBJECT(object, &at);
        ASN1_OBJECT_free(object);
        expected.insert(expected.end(), der.begin(), der.end());
        const auto identifier = algorithm_identifier(algorithm);
        EXPECT_EQ(std::vector(identifier.begin(), identifier.end()), expected);
    }
}

}  // namespace
}  // namespace stoq::falcon
