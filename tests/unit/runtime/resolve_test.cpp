#include <gtest/gtest.h>

#include "stoq/runtime.h"

namespace stoq {
namespace {

struct SplitCase {
    std::string_view text;
    std::optional<std::uint16_t> default_port;
    std::string_view host;  // empty: no result
    std::uint16_t port = 0;
};

TEST(SplitHostAndPort, AcceptsWhatPeopleWriteAndNothingElse) {
    const SplitCase cases[] = {
        {"example.org:443", {}, "example.org", 443},
        {"192.0.2.1:0", {}, "192.0.2.1", 0},
        {"[2001:db8::1]:65535", {}, "2001:db8::1", 65535},
        {"example.org", 4433, "example.org", 4433},
        {"[::1]", 4433, "::1", 4433},
        {"example.org:443", 4433, "example.org", 443},
        {"example.org", {}, ""},
        {"example.org:", 4433, ""},
        {"example.org:65536", {}, ""},
        {"example.org:-1", {}, ""},
        {"example.org:44x", {}, ""},
        {":443", {}, ""},
        {"", 4433, ""},
        {"[]:443", {}, ""},
        {"[::1:443", {}, ""},
        {"[::1]443", {}, ""},
        {"2001:db8::1", {}, ""},
    };
    for (const SplitCase& c : cases) {
        SCOPED_TRACE(c.text);
        const auto parts = split_host_and_port(c.text, c.default_port);
        ASSERT_EQ(parts.has_value(), !c.host.empty());
        if (!parts) continue;
        EXPECT_EQ(parts->host, c.host);
        EXPECT_EQ(parts->port, c.port);
    }
}

TEST(Resolve, TakesAddressLiteralsAsTheyAre) {
    for (const std::string host : {"127.0.0.1", "192.0.2.7", "::1", "2001:db8::1"}) {
        SCOPED_TRACE(host);
        const auto addresses = resolve(host, 443);
        ASSERT_TRUE(addresses.has_value()) << addresses.error().message();
        ASSERT_EQ(addresses->size(), 1u);
        const bool ipv6 = host.find(':') != std::string::npos;
        EXPECT_EQ(to_string(addresses->front()), ipv6 ? "[" + host + "]:443" : host + ":443");
    }
}

TEST(Resolve, SaysWhyAHostHasNoAddress) {
    const auto addresses = resolve("300.1.1.1.invalid", 443);
    ASSERT_FALSE(addresses.has_value());
    EXPECT_FALSE(addresses.error().message().empty());
}

}  // namespace
}  // namespace stoq
