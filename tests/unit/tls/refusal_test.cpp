// Handshakes that have to fail, each with its own error.
#include <algorithm>

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "support/tls_pair.h"

namespace stoq::tls {
namespace {

using test::client_credentials;
using test::server_credentials;
using test::test_identity;
using test::TlsPair;
using Message = std::vector<std::uint8_t>;

constexpr std::uint8_t kUnexpectedMessage = 10;
constexpr std::uint8_t kHandshakeFailure = 40;
constexpr std::uint8_t kProtocolVersion = 70;
constexpr std::uint8_t kMissingExtension = 109;
constexpr std::uint8_t kNoApplicationProtocol = 120;

TlsPair started() {
    TlsPair pair;
    pair.start(client_credentials(), server_credentials());
    return pair;
}

TlsPair completed() {
    TlsPair pair = started();
    pair.run();
    EXPECT_TRUE(pair.is_complete());
    return pair;
}

void expect_violation(const std::optional<TransportError>& error, Reason reason) {
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, TransportErrorCode::kProtocolViolation);
    EXPECT_EQ(error->reason, reason);
}

//= test 9001-8.1-2
//= test 9001-8.1-6
TEST(TlsRefusal, AServerWithoutACommonProtocolSaysNoApplicationProtocol) {
    Credentials client = client_credentials();
    client.alpn = {"other", "tes", "testt"};
    TlsPair pair;
    pair.start(client, server_credentials());
    pair.run();
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.error->code, crypto_error(kNoApplicationProtocol));
    EXPECT_EQ(pair.server.error->reason, Reason::kNoApplicationProtocol);
}

TEST(TlsRefusal, NoCommonGroupIsAHandshakeFailure) {
    Credentials client = client_credentials();
    client.groups = "X25519";
    Credentials server = server_credentials();
    server.groups = "P-256";
    TlsPair pair;
    pair.start(client, server);
    pair.run();
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.error->code, crypto_error(kHandshakeFailure));
    EXPECT_FALSE(pair.server.session->info().failure.empty());
}

// TLS as TCP would carry it: what a peer that knows nothing of QUIC says. It writes its messages in
// the clear to `said`, level by level, whatever keys it uses.
class PlainPeer {
public:
    explicit PlainPeer(Role role) : role_(role), context_(SSL_CTX_new(TLS_method())) {
        SSL_CTX_set_min_proto_version(context_.get(), TLS1_3_VERSION);
        SSL_CTX_clear_options(context_.get(), SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
        SSL_CTX_set1_groups_list(context_.get(), "X25519");
        restart();
    }

    // Takes up what was set in the context.
    void restart() {
        ssl_.reset(SSL_new(context_.get()));
        role_ == Role::kServer ? SSL_set_accept_state(ssl_.get())
                               : SSL_set_connect_state(ssl_.get());
        SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_msg_callback(ssl_.get(), &PlainPeer::on_message);
        SSL_set_msg_callback_arg(ssl_.get(), this);
    }

    // As a peer that has them, and still lacks something else.
    void add_transport_parameters() {
        constexpr unsigned kWhere = SSL_EXT_CLIENT_HELLO | SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS;
        const auto add = [](SSL*, unsigned, unsigned, const unsigned char** out,
                            std::size_t* length, X509*, std::size_t, int*, void*) {
            *out = TlsPair::kClientParameters.data();
            *length = TlsPair::kClientParameters.size();
            return 1;
        };
        SSL_CTX_add_custom_ext(context_.get(), 57, kWhere, add, nullptr, nullptr, nullptr, nullptr);
        restart();
    }

    SSL* ssl() { return ssl_.get(); }
    SSL_CTX* context() { return context_.get(); }

    // `hello` is one message in the clear; it travels in a record.
    void hear(ByteView hello) {
        const std::uint8_t header[] = {22, 3, 3, static_cast<std::uint8_t>(hello.size() >> 8),
                                       static_cast<std::uint8_t>(hello.size())};
        BIO_write(SSL_get_rbio(ssl_.get()), header, sizeof header);
        BIO_write(SSL_get_rbio(ssl_.get()), hello.data(), static_cast<int>(hello.size()));
    }
    void speak() { SSL_do_handshake(ssl_.get()); }

    std::vector<Message> said;

private:
    static void on_message(int writing, int, int type, const void* bytes, std::size_t length, SSL*,
                           void* peer) {
        if (writing == 0 || type != SSL3_RT_HANDSHAKE) return;
        const auto* begin = static_cast<const std::uint8_t*>(bytes);
        static_cast<PlainPeer*>(peer)->said.emplace_back(begin, begin + length);
    }

    Role role_;
    SslContextHandle context_;
    SslHandle ssl_;
};

//= test 9001-8.2-1
TEST(TlsRefusal, AServerNeedsTheClientsTransportParameters) {
    PlainPeer client(Role::kClient);
    const unsigned char alpn[] = {4, 't', 'e', 's', 't'};
    SSL_set_alpn_protos(client.ssl(), alpn, sizeof alpn);
    client.speak();
    ASSERT_EQ(client.said.size(), 1u);
    TlsPair pair = started();
    pair.server.receive(EncryptionLevel::kInitial, client.said[0]);
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.error->code, crypto_error(kMissingExtension))
        << pair.server.session->info().failure;
    EXPECT_EQ(pair.server.error->reason, Reason::kMissingParameter);
    EXPECT_FALSE(pair.server.session->has_pending());
}

//= test 9001-8.1-2
TEST(TlsRefusal, AServerNeedsAnOfferOfProtocols) {
    PlainPeer client(Role::kClient);
    client.add_transport_parameters();
    client.speak();
    ASSERT_EQ(client.said.size(), 1u);
    TlsPair pair = started();
    pair.server.receive(EncryptionLevel::kInitial, client.said[0]);
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.error->code, crypto_error(kNoApplicationProtocol));
}

//= test 9001-8.4-2
TEST(TlsRefusal, AServerRefusesTheCompatibilityMode) {
    PlainPeer client(Role::kClient);
    SSL_set_options(client.ssl(), SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
    client.speak();
    ASSERT_EQ(client.said.size(), 1u);
    TlsPair pair = started();
    pair.server.receive(EncryptionLevel::kInitial, client.said[0]);
    expect_violation(pair.server.error, Reason::kTlsFailed);
}

//= test 9001-4.2-2
TEST(TlsRefusal, AServerRefusesOlderVersions) {
    PlainPeer client(Role::kClient);
    SSL_CTX_set_min_proto_version(client.context(), TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(client.context(), TLS1_2_VERSION);
    client.add_transport_parameters();
    const unsigned char alpn[] = {4, 't', 'e', 's', 't'};
    SSL_set_alpn_protos(client.ssl(), alpn, sizeof alpn);
    client.speak();
    ASSERT_EQ(client.said.size(), 1u);
    TlsPair pair = started();
    pair.server.receive(EncryptionLevel::kInitial, client.said[0]);
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.error->code, crypto_error(kProtocolVersion));
    EXPECT_FALSE(pair.server.session->has_pending());
}

//= test 9001-4.2-1
//= test 9001-8.4-1
TEST(TlsRefusal, AClientOffersNothingOlderAndNoCompatibilityMode) {
    TlsPair pair = started();
    const Message hello = pair.client.take(EncryptionLevel::kInitial);
    const Message only_tls_13 = {0, 43, 0, 3, 2, 3, 4};  // the supported_versions extension
    EXPECT_EQ(std::ranges::search(hello, only_tls_13).size(), only_tls_13.size());
    constexpr std::size_t kSessionIdLengthAt = 4 + 2 + 32;  // header, legacy version, random
    EXPECT_EQ(hello.at(kSessionIdLengthAt), 0);
}

// Our client against a server that speaks TLS 1.3 without the extension of QUIC, or with it but
// without choosing a protocol.
void meet_plain_server(TlsPair& pair, bool knows_quic) {
    const auto& own = test_identity(KeyType::kP256);
    const BioHandle certificate(BIO_new_mem_buf(own.pem.certificate().data(), -1));
    const BioHandle key(BIO_new_mem_buf(own.pem.key().data(), -1));
    const CertificateHandle leaf(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr));
    const KeyHandle private_key(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr));
    PlainPeer server(Role::kServer);
    if (knows_quic) server.add_transport_parameters();
    SSL_use_certificate(server.ssl(), leaf.get());
    SSL_use_PrivateKey(server.ssl(), private_key.get());
    const auto choose = [](SSL*, const unsigned char** out, unsigned char* length,
                           const unsigned char* in, unsigned int, void*) {
        *length = in[0];
        *out = in + 1;
        return SSL_TLSEXT_ERR_OK;
    };
    if (!knows_quic) SSL_CTX_set_alpn_select_cb(server.context(), choose, nullptr);
    server.hear(pair.client.take(EncryptionLevel::kInitial));
    server.speak();
    ASSERT_EQ(server.said.size(), 5u) << "hello, extensions, certificate, its proof, finished";
    pair.client.receive(EncryptionLevel::kInitial, server.said[0]);
    for (std::size_t i = 1; i < server.said.size(); ++i) {
        pair.client.receive(EncryptionLevel::kHandshake, server.said[i]);
    }
}

//= test 9001-8.2-1
TEST(TlsRefusal, AClientNeedsTheServersTransportParameters) {
    TlsPair pair = started();
    meet_plain_server(pair, /*knows_quic=*/false);
    ASSERT_TRUE(pair.client.error);
    EXPECT_EQ(pair.client.error->code, crypto_error(kMissingExtension));
    EXPECT_EQ(pair.client.completions, 0);
    EXPECT_FALSE(pair.client.session->has_pending());
}

//= test 9001-8.1-3
TEST(TlsRefusal, AClientNeedsAChosenProtocol) {
    TlsPair pair = started();
    meet_plain_server(pair, /*knows_quic=*/true);
    ASSERT_TRUE(pair.client.error);
    EXPECT_EQ(pair.client.error->code, crypto_error(kNoApplicationProtocol));
    EXPECT_EQ(pair.client.completions, 0);
}

//= test 9001-4.1.3-1
//= test 9001-4.1.3-2
//= test 9001-8.3-2
TEST(TlsRefusal, BytesAtALevelThatTlsDoesNotReadAreAViolation) {
    const Message byte = {1};
    for (const auto level :
         {EncryptionLevel::kZeroRtt, EncryptionLevel::kHandshake, EncryptionLevel::kOneRtt}) {
        TlsPair pair = started();
        pair.server.receive(level, byte);
        expect_violation(pair.server.error, Reason::kCryptoDataAtWrongLevel);
    }
    for (const auto level : {EncryptionLevel::kInitial, EncryptionLevel::kHandshake}) {
        TlsPair pair = completed();
        pair.client.receive(level, byte);
        expect_violation(pair.client.error, Reason::kCryptoDataAtWrongLevel);
        pair.server.receive(level, byte);
        expect_violation(pair.server.error, Reason::kCryptoDataAtWrongLevel);
    }
}

//= test 9001-4.1.3-3
TEST(TlsRefusal, BytesLeftOverAtAChangeOfKeysAreAViolation) {
    for (const Role guilty : {Role::kClient, Role::kServer}) {
        TlsPair pair = started();
        pair.meddle = [guilty](Role from, EncryptionLevel level, Message& bytes) {
            if (from == guilty && level == EncryptionLevel::kInitial) bytes.push_back(1);
        };
        pair.run();
        expect_violation(guilty == Role::kClient ? pair.server.error : pair.client.error,
                         Reason::kCryptoDataAtWrongLevel);
    }
}

TEST(TlsRefusal, AMessageThatClaimsToBeHugeIsRefusedByItsHeader) {
    TlsPair pair = started();
    pair.server.receive(EncryptionLevel::kInitial, Message{1, 0x01, 0x00, 0x00});
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.error->code, TransportErrorCode::kCryptoBufferExceeded);
}

TEST(TlsRefusal, ACertificateThatClaimsToExpandToMuchIsRefused) {
    constexpr std::uint8_t kCompressedCertificate = 25;
    constexpr std::uint8_t kBadCertificate = 42;
    Credentials client = client_credentials();
    Credentials server = server_credentials();
    client.certificate_compression = server.certificate_compression = true;
    TlsPair pair;
    bool found = false;
    pair.meddle = [&](Role from, EncryptionLevel level, Message& bytes) {
        if (from != Role::kServer || level != EncryptionLevel::kHandshake) return;
        for (std::size_t at = 0; at + 9 <= bytes.size();) {
            if (bytes[at] == kCompressedCertificate) {
                found = true;
                bytes[at + 6] = 0x01;  // uncompressed_length: at least 65536 more
            }
            at += 4 + (std::size_t{bytes[at + 1]} << 16 | std::size_t{bytes[at + 2]} << 8 |
                       bytes[at + 3]);
        }
    };
    pair.start(client, server);
    pair.run();
    ASSERT_TRUE(found) << "the certificate was not compressed";
    ASSERT_TRUE(pair.client.error);
    EXPECT_EQ(pair.client.error->code, crypto_error(kBadCertificate));
    EXPECT_NE(pair.client.session->info().failure.find("expanded"), std::string::npos);
}

TEST(TlsRefusal, MessagesThatQuicForbidsAfterTheHandshake) {
    struct Case {
        const char* name;
        Message message;
        TransportErrorCode code;
    };
    // NewSessionTicket with an early_data extension that allows 100 bytes.
    const Message limited_ticket = {4,    0, 0, 0x17, 0, 0, 0,  1, 0, 0, 0, 0, 0,  0,
                                    0x02, 1, 2, 0,    8, 0, 42, 0, 4, 0, 0, 0, 100};
    const Case cases[] = {
        {"key update", {24, 0, 0, 1, 0}, crypto_error(kUnexpectedMessage)},
        {"certificate request", {13, 0, 0, 3, 0, 0, 0}, TransportErrorCode::kProtocolViolation},
        {"end of early data", {5, 0, 0, 0}, crypto_error(kUnexpectedMessage)},
        {"another server hello", {2, 0, 0, 1, 0}, crypto_error(kUnexpectedMessage)},
        {"ticket with limited early data", limited_ticket, TransportErrorCode::kProtocolViolation},
    };
    //= test 9001-4.4-5
    //= test 9001-4.6.1-2
    for (const Case& each : cases) {
        TlsPair pair = completed();
        pair.client.receive(EncryptionLevel::kOneRtt, each.message);
        ASSERT_TRUE(pair.client.error) << each.name;
        EXPECT_EQ(pair.client.error->code, each.code) << each.name;
    }
    TlsPair pair = completed();
    pair.server.receive(EncryptionLevel::kOneRtt, Message{24, 0, 0, 1, 0});
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.error->code, crypto_error(kUnexpectedMessage));
}

TEST(TlsRefusal, ADeadSessionRepeatsItsErrorAndYieldsNothing) {
    TlsPair pair = started();
    pair.server.receive(EncryptionLevel::kInitial, Message{2, 0, 0, 1, 0});
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.error->code, crypto_error(kUnexpectedMessage));
    const auto again = pair.server.session->receive(EncryptionLevel::kInitial, Message{1});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error(), *pair.server.error);
    EXPECT_FALSE(pair.server.session->has_pending());
    EXPECT_FALSE(pair.server.session->poll_event());
}

TEST(TlsRefusal, OneSessionsErrorsDoNotReachAnother) {
    TlsPair good = started();
    TlsPair bad = started();
    bad.server.receive(EncryptionLevel::kInitial, Message{1, 0, 0, 1, 0});
    ASSERT_TRUE(bad.server.error);
    good.run();
    EXPECT_TRUE(good.is_complete()) << good.client.session->info().failure;
}

// Every byte of the handshake is in the transcript, so no change of one can go unnoticed.
TEST(TlsRefusal, AChangedByteAnywhereFailsTheHandshake) {
    Credentials client = client_credentials();
    client.groups = "X25519";
    const auto client_context = Context::create(Role::kClient, client).value();
    const auto server_context = Context::create(Role::kServer, server_credentials()).value();
    struct Flight {
        Role from;
        EncryptionLevel level;
    };
    const Flight flights[] = {{Role::kClient, EncryptionLevel::kInitial},
                              {Role::kServer, EncryptionLevel::kInitial},
                              {Role::kServer, EncryptionLevel::kHandshake},
                              {Role::kClient, EncryptionLevel::kHandshake}};
    for (const Flight& flight : flights) {
        std::size_t length = SIZE_MAX;
        for (std::size_t at = 0; at < length; ++at) {
            TlsPair pair;
            pair.start(client_context, server_context);
            pair.meddle = [&](Role from, EncryptionLevel level, Message& bytes) {
                if (from != flight.from || level != flight.level) return;
                length = bytes.size();
                if (at < length) bytes[at] ^= static_cast<std::uint8_t>(1u << (at % 8));
            };
            pair.run();
            ASSERT_NE(length, SIZE_MAX);
            if (at < length) {
                ASSERT_FALSE(pair.is_complete())
                    << "byte " << at << " of level " << static_cast<int>(flight.level);
            }
        }
    }
}

}  // namespace
}  // namespace stoq::tls
