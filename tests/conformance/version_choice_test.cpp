// The rules for choosing a version that no honest peer lets an endpoint show (RFC 9368 section 4).
#include "connection/version_choice.h"

#include <gtest/gtest.h>

#include "wire/version.h"

namespace stoq::connection {
namespace {

constexpr VersionList kBoth{QuicVersion::kVersion2, QuicVersion::kVersion1};
constexpr std::uint32_t k1 = wire::kVersion1;
constexpr std::uint32_t k2 = wire::kVersion2;

//= test 9368-4-17
TEST(VersionChoice, AfterAVersionNegotiationAnEmptyListIsNotBelieved) {
    EXPECT_FALSE(would_have_led_to(k1, kBoth, {}));
}

//= test 9368-4-15
TEST(VersionChoice, WhatTheServerHasMustLeadToTheSameVersion) {
    const std::array<std::uint32_t, 1> only_1{k1};
    const std::array<std::uint32_t, 2> both{k1, k2};
    const std::array<std::uint32_t, 2> unknown{0x709a50c4, 0x0a0a0a0a};
    EXPECT_TRUE(would_have_led_to(k1, kBoth, only_1));
    EXPECT_FALSE(would_have_led_to(k1, kBoth, both));
    EXPECT_TRUE(would_have_led_to(k2, kBoth, both));
    // The negotiated version counts as if it were in the list.
    EXPECT_TRUE(would_have_led_to(k1, kBoth, unknown));
}

TEST(VersionChoice, AServerKeepsTheOriginalVersionWhereTheClientOffersNoOther) {
    wire::VersionInformation client;
    client.chosen = k1;
    client.add_available(k1);
    client.add_available(0x0a0a0a0a);
    EXPECT_EQ(compatible_version(kBoth, k1, client), k1);
    client.add_available(k2);
    EXPECT_EQ(compatible_version(kBoth, k1, client), k2);
}

}  // namespace
}  // namespace stoq::connection
