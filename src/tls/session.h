// Session: one TLS 1.3 handshake in QUIC (RFC 9001 section 4), over OpenSSL.
//
// The connection reassembles each level's CRYPTO stream and hands its bytes in; the session answers
// with events (secrets, the peer's transport parameters, completion, tickets) and with bytes to
// send. It owns no stream state, sends nothing and knows no packets.
//
//     STOQ_TRY(session.receive(level, bytes));
//     while (auto event = session.poll_event()) ...
//     for each level: move session.pending(level) into that level's send buffer, then consume()
//
// A server can drop its session when HandshakeComplete was polled and pending() is empty: nothing
// that a client may send afterwards concerns TLS. A client needs it as long as it wants tickets.
// Copy info() first.
//
// After an error the session is dead: every further receive() gives the same error.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/packet_number.h"
#include "crypto/cipher_suite.h"
#include "crypto/secret.h"
#include "stoq/error.h"
#include "stoq/types.h"
#include "tls/context.h"
#include "tls/handshake_info.h"
#include "tls/message_queue.h"
#include "tls/openssl_error.h"
#include "tls/openssl_handles.h"
#include "tls/strike_register.h"

namespace stoq::tls {

enum class Direction : std::uint8_t { kReceive, kSend };

// Packets of `level` can be protected, or opened, from now on.
struct SecretInstalled {
    EncryptionLevel level = EncryptionLevel::kInitial;
    Direction direction = Direction::kReceive;
    crypto::CipherSuite cipher_suite{};
    crypto::Secret secret;
};
// The value of the peer's quic_transport_parameters extension. On a server the client is not
// authenticated at this point; on a client the handshake may still fail.
struct PeerTransportParameters {
    std::vector<std::uint8_t> bytes;
};
// Once: the peer's Finished was verified and ours was sent (RFC 9001 section 4.1.1).
struct HandshakeComplete {};
// Client: a ticket to resume with, opaque, for SessionParameters::ticket. To be used once.
struct TicketReceived {
    std::vector<std::uint8_t> ticket;
};

using TlsEvent =
    std::variant<SecretInstalled, PeerTransportParameters, HandshakeComplete, TicketReceived>;

// Server: the transport parameters to send, given the client's. Asked at most once.
using ParametersAnswer = std::move_only_function<std::vector<std::uint8_t>(ByteView client)>;
// What a client may use up with 0-RTT data: transport parameters of the server that count
// something.
using EarlyDataLimits = std::array<std::uint64_t, 10>;

struct SessionParameters {
    // Client: the host's name or IP address literal. Checked against the certificate; sent as SNI
    // if it is a name. May be empty when trust needs no name (pinned or insecure).
    std::string_view server_name;
    // Encoded; copied.
    ByteView local_transport_parameters;
    // Server: takes their place when the client's are known. May be empty.
    ParametersAnswer answer{};
    // Client: from TicketReceived, or empty. One that is of no use is ignored.
    ByteView ticket;
    // Client: offered instead of the Credentials' list when not empty.
    std::span<const std::string> alpn;
    // Server, for 0-RTT. Tickets remember the limits: data is accepted only where none of them is
    // lower now (RFC 9000 section 7.4.1).
    EarlyDataLimits early_data_limits{};
    // Server: asked before 0-RTT data is accepted; outlives the session. Null: none is accepted.
    StrikeRegister* strikes = nullptr;
};

// The transport parameters of the connection that `ticket` came from, which a client has to respect
// in 0-RTT (RFC 9000 section 7.4.1). Borrowed from `ticket`; nothing if that is not a ticket.
std::optional<ByteView> remembered_transport_parameters(ByteView ticket);

class Session {
public:
    // Bytes of one level that may wait for the rest of their TLS message.
    static constexpr std::size_t kMaxBuffered = MessageQueue::kMaxLength;

    // A client's ClientHello is in pending(EncryptionLevel::kInitial) when this returns.
    // @error kInvalidArgument: a server name that is neither a name nor an address, or missing;
    //        kCredentials: OpenSSL refuses the settings.
    static ApiResult<std::unique_ptr<Session>> create(std::shared_ptr<const Context> context,
                                                      SessionParameters parameters);

    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session();

    // Takes the next bytes, in order, of the CRYPTO stream of `level`, and lets TLS act on them.
    // @error kCryptoErrorBase + alert; kCryptoBufferExceeded; kProtocolViolation for bytes at a
    //        level that TLS does not read, or left over at a change of keys.
    TransportResult<void> receive(EncryptionLevel level, ByteView bytes);

    // What happened, in order.
    std::optional<TlsEvent> poll_event();

    // Bytes to append to the CRYPTO stream of `level`; consume() takes them from the front.
    ByteView pending(EncryptionLevel level) const { return outgoing_[index_of(level)]; }
    void consume(EncryptionLevel level, std::size_t length);
    bool has_pending() const;

    bool is_complete() const { return complete_; }
    // Client: what the server said of our 0-RTT data; known once its transport parameters are.
    bool early_data_accepted() const;
    // The level of which bytes may be given to receive().
    EncryptionLevel receive_level() const { return receive_level_; }
    // What is known so far; final with HandshakeComplete or an error.
    const HandshakeInfo& info() const { return info_; }

    // For Context: tells OpenSSL what to call. The session is found by SSL_get_app_data.
    static void install_callbacks(SSL_CTX& context);

private:
    struct Callbacks;

    struct EarlyData {
        EarlyDataLimits limits{};
        StrikeRegister* strikes = nullptr;
        bool to_offer = false;  // client: in the ClientHello to come
    };

    explicit Session(std::shared_ptr<const Context> context);

    ApiResult<void> configure(SessionParameters& parameters);
    bool set_local_parameters(std::vector<std::uint8_t> bytes);
    bool configure_client(const SessionParameters& parameters);
    bool set_server_name(std::string_view name);
    void offer_ticket(ByteView bytes, const std::vector<std::uint8_t>& alpn);
    // The session's protocol, if it is one that is offered.
    bool offers_protocol_of(const SSL_SESSION& session, const std::vector<std::uint8_t>& alpn);
    Sha256Digest ticket_binding() const;

    // Lets TLS take what is in incoming_ and do what follows from it.
    TransportResult<void> advance();
    TransportResult<void> on_handshake_done();
    // Our own refusal of what the peer sent; the first one counts.
    void refuse(TransportErrorCode code, Reason reason, std::string_view why);
    // Ends the session with what was refused, or with the alert and error of OpenSSL.
    TransportError fail();
    // Our identities are raw keys, and the peer wants certificates. Always 0.
    int refuse_certificates();
    void record_peer();
    void record_negotiated();
    void record_signatures();
    void record_original();
    // For a client's ticket: what record_original() reads.
    std::string original_to_keep() const;
    // What was negotiated has to be what the policy asks, whatever was offered.
    void enforce_policy();
    // Says whether it is for the policy's sake that there was nothing in common.
    bool fails_by_policy(const OpensslError& cause) const;

    std::shared_ptr<const Context> context_;
    std::vector<std::uint8_t> local_parameters_;  // OpenSSL borrows them
    ParametersAnswer answer_;
    EarlyData early_;
    std::optional<std::vector<std::uint8_t>> peer_parameters_;
    MessageQueue incoming_;
    std::array<std::vector<std::uint8_t>, kEncryptionLevelCount> outgoing_;
    std::deque<TlsEvent> events_;
    HandshakeInfo info_;
    std::optional<TransportError> error_;
    std::optional<std::uint8_t> alert_;
    EncryptionLevel receive_level_ = EncryptionLevel::kInitial;
    EncryptionLevel send_level_ = EncryptionLevel::kInitial;
    std::uint8_t tickets_received_ = 0;
    bool chain_is_post_quantum_ = true;  // of what this side judged
    bool flight_sent_ = false;           // SSL_do_handshake has nothing more to do
    bool complete_ = false;
    SslHandle ssl_;  // last: it goes first
};

}  // namespace stoq::tls
