#include "tls/context.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "support/test_credentials.h"
#include "tls/session.h"

namespace stoq::tls {
namespace {

using test::client_credentials;
using test::server_credentials;
using Code = CredentialError::Code;

//= test 9000-7-2
TEST(TlsContext, RefusesSettingsThatCannotWork) {
    struct Case {
        const char* name;
        Role role;
        std::function<void(Credentials&)> spoil;
        Code code;
    };
    const Case cases[] = {
        {"server without identity", Role::kServer, [](auto& c) { c.identities.clear(); },
         Code::kNoIdentity},
        {"no protocol", Role::kServer, [](auto& c) { c.alpn.clear(); }, Code::kBadAlpn},
        {"empty protocol", Role::kClient, [](auto& c) { c.alpn = {"a", ""}; }, Code::kBadAlpn},
        {"long protocol", Role::kClient, [](auto& c) { c.alpn = {std::string(256, 'a')}; },
         Code::kBadAlpn},
        {"too many protocols", Role::kClient,
         [](auto& c) { c.alpn.assign(300, std::string(255, 'a')); }, Code::kBadAlpn},
        {"unknown group", Role::kClient, [](auto& c) { c.groups = "X25519:NoSuchGroup"; },
         Code::kBadGroups},
        {"no group", Role::kClient, [](auto& c) { c.groups = ":"; }, Code::kBadGroups},
        {"no cipher suite", Role::kServer, [](auto& c) { c.cipher_suites = {false, false, false}; },
         Code::kBadCipherSuites},
        {"two identities of one kind", Role::kServer,
         [](auto& c) { c.identities.push_back(c.identities.front()); }, Code::kKeyKindTwice},
    };
    for (const Case& each : cases) {
        Credentials credentials = server_credentials();
        each.spoil(credentials);
        const auto context = Context::create(each.role, credentials);
        ASSERT_FALSE(context) << each.name;
        EXPECT_EQ(context.error().code, each.code)
            << each.name << ": " << context.error().message();
    }
}

TEST(TlsContext, WorksWithTheSystemsTrust) {
    Credentials credentials = client_credentials();
    credentials.trust.reset();
    const auto context = Context::create(Role::kClient, credentials);
    EXPECT_TRUE(context) << context.error().message();
}

TEST(TlsSession, AClientNeedsANameUnlessItsTrustNeedsNone) {
    const auto create = [](const Trust& trust, std::string_view name) {
        Credentials credentials = client_credentials();
        credentials.trust = trust;
        auto context = Context::create(Role::kClient, credentials).value();
        return Session::create(
            std::move(context),
            {.server_name = name, .local_transport_parameters = {}, .ticket = {}, .alpn = {}});
    };
    const Trust anchors = *client_credentials().trust;
    const Trust pinned = Trust::fingerprint(test::test_identity().identity.fingerprint()).value();
    EXPECT_EQ(create(anchors, "").error(), ApiError::kInvalidArgument);
    EXPECT_TRUE(create(pinned, ""));
    EXPECT_TRUE(create(Trust::insecure(), ""));
    for (const char* name : {"example.org", "example.org.", "192.0.2.1", "[2001:db8::1]", "::1"}) {
        EXPECT_TRUE(create(anchors, name)) << name;
    }
    for (const char* name : {"not a name", "a..b", "*.example.org", "."}) {
        const auto session = create(anchors, name);
        ASSERT_FALSE(session) << name;
        EXPECT_EQ(session.error(), ApiError::kInvalidArgument) << name;
    }
}

TEST(TlsSession, AClientHelloIsPendingAtOnceAndAServerSaysNothingFirst) {
    auto client = Session::create(
        Context::create(Role::kClient, client_credentials()).value(),
        {.server_name = "localhost", .local_transport_parameters = {}, .ticket = {}, .alpn = {}});
    ASSERT_TRUE(client);
    const ByteView hello = (*client)->pending(EncryptionLevel::kInitial);
    ASSERT_GT(hello.size(), 1200u) << "the hybrid key share alone is that long";
    EXPECT_EQ(hello.front(), 1) << "client_hello";
    auto server = Session::create(Context::create(Role::kServer, server_credentials()).value(), {});
    ASSERT_TRUE(server);
    EXPECT_FALSE((*server)->has_pending());
}

TEST(TlsSession, ConsumeTakesFromTheFront) {
    auto client = Session::create(Context::create(Role::kClient, client_credentials()).value(),
                                  {.server_name = "localhost",
                                   .local_transport_parameters = {},
                                   .ticket = {},
                                   .alpn = {}})
                      .value();
    const ByteView all = client->pending(EncryptionLevel::kInitial);
    const std::vector<std::uint8_t> copy(all.begin(), all.end());
    client->consume(EncryptionLevel::kInitial, 100);
    EXPECT_TRUE(std::ranges::equal(client->pending(EncryptionLevel::kInitial),
                                   ByteView(copy).subspan(100)));
    client->consume(EncryptionLevel::kInitial, copy.size() - 100);
    EXPECT_FALSE(client->has_pending());
}

}  // namespace
}  // namespace stoq::tls
