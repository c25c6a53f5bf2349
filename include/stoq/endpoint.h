// Endpoint: the whole protocol without a socket, a clock or a thread.
//
// The first of three floors (runtime.h and async.h stand on it). The caller moves datagrams and
// time; the endpoint keeps connections. One round of a caller's loop:
//
//     endpoint.receive(datagrams, now);         // what the network brought
//     while (auto event = endpoint.poll_event()) ...   // read, write, open, close
//     endpoint.settle();                        // bytes not read yet are copied; buffers are free
//     while (endpoint.transmit(slot, now)) ...  // fill slots until nothing is left to send
//     wait until endpoint.next_timeout(), then endpoint.on_timeout(now)
//
// Ownership: an Endpoint owns its connections and their streams; users hold handles. Datagram
// memory is borrowed from receive() to settle(). Threads: none; use an endpoint from one thread at
// a time. Errors are values; a call that fails has changed nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stoq/datagram.h"
#include "stoq/error.h"
#include "stoq/event.h"
#include "stoq/identity.h"
#include "stoq/path_memory.h"
#include "stoq/random.h"
#include "stoq/settings.h"
#include "stoq/shared_bytes.h"
#include "stoq/types.h"

namespace stoq {

namespace observe {
class EventSink;
}

// What a server needs to accept connections.
struct ServerConfig {
    Credentials credentials{};
    Settings settings{};
};

// Where and how a client connects.
struct ClientConfig {
    Address remote{};
    // Source address; an empty family lets the system choose.
    Address local{};
    // Name or IP address literal that the certificate must carry; sent as SNI when it is a name.
    std::string server_name{};
    std::shared_ptr<const Credentials> credentials{};
    Settings settings{};
    // A token of a NEW_TOKEN frame from an earlier connection of the same version to the same
    // server, or empty.
    std::string token{};
    // From TicketReceived of an earlier connection to the same server name, under the same trust
    // and policy, or empty: the handshake then needs no certificate and no signature. One that is
    // of no use is ignored. With Credentials::early_data and a ticket that allows it,
    // EarlyDataReady follows at once.
    std::vector<std::uint8_t> ticket{};
    // What Endpoint::path_memory() said of an earlier connection over the same path: from the same
    // local network to the same server, not longer ago than hours. With much to send, the
    // connection then jumps to half of that window after a round trip (careful resume, RFC 9959).
    // A server keeps its own memory in the token.
    std::optional<PathMemory> path_memory{};
};

// What is known about a connection. Strings are empty until the handshake has told them.
struct ConnectionInfo {
    Role role = Role::kClient;
    bool established = false;  // handshake complete
    bool confirmed = false;    // RFC 9001 section 4.1.2
    bool resumed = false;
    EarlyDataState early_data = EarlyDataState::kNone;
    Address local;
    Address remote;
    std::uint32_t version = 0;
    std::string application_protocol;
    std::string server_name;
    std::string cipher_suite;
    std::string key_exchange_group;
    std::string signature;         // the server's, on either side; empty when resumed
    std::string client_signature;  // empty when the client was not asked for one
    // Client, when it is resumed: the signature of the full handshake that it goes back to.
    std::string original_signature;
    // The peer's identity: how it was shown, the SHA-256 of its SubjectPublicKeyInfo, and the kinds
    // of key in the chain that it was believed for, leaf first: "falcon1024, falcon1024".
    CertificateType peer_certificate_type = CertificateType::kNone;
    std::string peer_certificate_fingerprint;
    std::string peer_chain;
    // Whether a quantum computer would not help to read what is sent, and whether none would have
    // helped to impersonate: every signature and key that this side saw the handshake depend on.
    bool post_quantum_key_exchange = false;
    bool post_quantum_authentication = false;
    // Client: the ClientHello with post-quantum key shares, which takes two datagrams, got no
    // answer; this is the second attempt, with classical groups alone (PostQuantum::kPrefer allows
    // it).
    bool retried_with_classical_groups = false;
};

struct ConnectionStatistics {
    Duration smoothed_rtt{};
    Duration latest_rtt{};
    Duration minimum_rtt{};
    Duration rtt_variation{};
    std::uint64_t congestion_window = 0;
    std::uint64_t bytes_in_flight = 0;
    std::uint64_t datagram_size = 0;
    std::uint64_t packets_sent = 0;
    std::uint64_t packets_received = 0;
    std::uint64_t packets_lost = 0;
    std::uint64_t packets_dropped = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t probe_timeouts = 0;
    std::uint64_t key_updates = 0;
    std::uint64_t datagram_frames_sent = 0;
    std::uint64_t datagram_frames_received = 0;
    std::uint64_t datagram_frames_lost = 0;     // of those sent, as loss detection sees it
    std::uint64_t datagram_frames_expired = 0;  // not sent: the deadline had passed
    // Not sent because packets became smaller, or received when too many were waiting already.
    std::uint64_t datagram_frames_dropped = 0;
};

// Counts of an endpoint since it was made.
struct EndpointStatistics {
    std::uint64_t datagrams_received = 0;
    std::uint64_t datagrams_sent = 0;
    std::uint64_t datagrams_dropped = 0;
    std::uint64_t connections_accepted = 0;
    std::uint64_t connections_opened = 0;
    std::uint64_t connections_closed = 0;
    std::uint64_t connections_now = 0;
    std::uint64_t half_open_now = 0;
    std::uint64_t retries_sent = 0;
    std::uint64_t version_negotiations_sent = 0;
    std::uint64_t stateless_resets_sent = 0;
    std::uint64_t foreign_datagrams = 0;  // of other workers
    // Of datagrams with 1-RTT packets that came for connections, opened or not, or left them.
    std::uint64_t data_bytes = 0;
    std::uint64_t receive_budget_used = 0;
    // Stream bytes that were copied, besides being encrypted or decrypted.
    std::uint64_t bytes_copied = 0;
};

// The next bytes of a stream, in order. They stay valid until consume() or settle().
struct ReadView {
    ByteView bytes;
    bool finished = false;  // nothing comes behind `bytes`
};

struct ReadPieces {
    std::size_t count = 0;   // pieces that were filled
    std::size_t length = 0;  // bytes of all of them
    bool finished = false;   // nothing comes behind the last
};

// How a client moves to another local address.
enum class MigrationMode : std::uint8_t {
    kWhenValidated,  // goes on over the present path until the new one is proved to work
    kAtOnce,  // the present path is of no use any more; it is gone back to all the same, when
              // the new one does not work
};

// A datagram for another worker's connection (EndpointSettings::worker), to be received there.
struct ForeignDatagram {
    std::uint8_t worker = 0;
    ReceivedDatagram datagram;
};

class Endpoint {
public:
    // `random` has to outlive the endpoint and must be unpredictable outside of tests.
    // @error kInvalidArgument: settings out of range.
    static ApiResult<Endpoint> create(const EndpointSettings& settings, RandomSource& random);

    Endpoint(Endpoint&&) noexcept;
    Endpoint& operator=(Endpoint&&) noexcept;
    ~Endpoint();

    // Accepts connections from now on; called again, new connections use the new configuration.
    // @error kCredentials: the credentials cannot be used, check_credentials() says why; an earlier
    //        configuration stays in force. kInvalidArgument: settings out of range.
    ApiResult<void> listen(const ServerConfig& config);
    // Another identity, trust or policy for new connections: those that exist go on with what they
    // have, and tickets stay good unless trust or policy changed.
    // @error kNotReady without listen(); kCredentials as above.
    ApiResult<void> replace_credentials(const Credentials& credentials);
    // Answers new connections with CONNECTION_REFUSED; those that exist go on.
    void stop_listening();

    // Starts a handshake; ConnectionEstablished or ConnectionClosed follows.
    // @error kCredentials, kTooManyConnections, kInvalidArgument (no remote address, no server name
    //        or a malformed one, settings out of range, an original version that is not among the
    //        versions).
    ApiResult<ConnectionHandle> connect(const ClientConfig& config, Instant now);

    // --- Datagrams and time ---

    // Takes what arrived. Datagrams of one connection that stand next to each other are processed
    // as a batch. The memory is borrowed until settle() and is overwritten.
    void receive(std::span<ReceivedDatagram> datagrams, Instant now);
    // Datagrams of other workers that came here since the last settle(); borrowed like all others.
    std::span<const ForeignDatagram> foreign_datagrams() const;
    // Copies what the application has not consumed out of borrowed memory.
    void settle();
    // Fills `slot` with the next datagrams to send. False when there is nothing to send now.
    bool transmit(TransmitSlot& slot, Instant now);
    // When on_timeout() wants to be called; kNever when no timer runs.
    Instant next_timeout() const;
    void on_timeout(Instant now);
    // The network reported that `remote` cannot be reached (ICMP). A hint, not proof: it ends only
    // connections that have never heard from their peer.
    void on_unreachable(const Address& remote, Instant now);

    // Server: from the first call on, clients' handshakes wait for such calls; before it, none
    // does. `count` of them may begin: those that wait, the oldest first, and what is left of the
    // number as they come. A handshake takes the time of a signature, in which nothing else is
    // done. EndpointSettings::max_half_open counts those that wait.
    void admit_handshakes(std::size_t count, Instant now);
    // Datagrams that wait for that.
    std::size_t held_datagrams() const;

    std::optional<Event> poll_event();

    // --- Connections ---

    // Closes with an application error code (RFC 9000 section 10.2). Unsent data is discarded.
    ApiResult<void> close(ConnectionHandle connection, std::uint64_t code,
                          std::string_view reason = {});
    // The same for every connection, those whose handshake is in progress included.
    // @error kInvalidArgument when `code` is 2^62 or more.
    ApiResult<void> close_all(std::uint64_t code, std::string_view reason = {});
    ApiResult<ConnectionInfo> info(ConnectionHandle connection) const;
    ApiResult<ConnectionStatistics> statistics(ConnectionHandle connection) const;
    EndpointStatistics statistics() const;
    // Of the connection IDs that are issued, in bytes.
    std::size_t connection_id_length() const;
    // Updates the keys of a connection (RFC 9001 section 6).
    // @error kNotReady before the handshake is confirmed, or while an update is in progress.
    ApiResult<void> update_keys(ConnectionHandle connection);
    // Client: moves the connection to another local address (RFC 9000 section 9), from which it is
    // sent from now on, with connection IDs of its own; where the datapath receives there must be
    // such an address. ConnectionMigrated or MigrationFailed follows. An earlier call that is not
    // done is given up.
    // @error kNotReady before the handshake is confirmed, or while the server has given no
    //        connection ID for another path; kNotSupported on a server, or when the server forbids
    //        it; kInvalidArgument when the connection has that address already.
    ApiResult<void> migrate(ConnectionHandle connection, const Address& local,
                            MigrationMode mode = MigrationMode::kWhenValidated);
    // The newest address validation token that the server sent, for a later connection; empty when
    // there is none.
    ApiResult<std::string> address_token(ConnectionHandle connection) const;
    // What the connection has learned of its path, for ClientConfig::path_memory of a later one;
    // nothing when the window has not grown to four times the first one.
    ApiResult<std::optional<PathMemory>> path_memory(ConnectionHandle connection) const;

    // --- Streams ---

    // @error kStreamLimit: wait for StreamsAvailable.
    ApiResult<StreamId> open_stream(ConnectionHandle connection, Directionality directionality);
    // Copies bytes into the send buffer and returns how many it took; fewer than given means that
    // StreamWritable will follow.
    ApiResult<std::size_t> write(ConnectionHandle connection, StreamId stream, ByteView bytes);
    // Keeps a reference instead of a copy until everything is acknowledged. Takes all or nothing
    // (0 means: wait for StreamWritable).
    ApiResult<std::size_t> write(ConnectionHandle connection, StreamId stream, SharedBytes bytes);
    // Ends the sending side; what was written is still delivered.
    ApiResult<void> finish(ConnectionHandle connection, StreamId stream);
    // Abandons the sending side.
    ApiResult<void> reset(ConnectionHandle connection, StreamId stream, std::uint64_t code);
    // Abandons the sending side behind its first `reliable_size` bytes, which are still delivered;
    // the peer reads them and then sees the reset (draft-ietf-quic-reliable-stream-reset). Called
    // again, promises less; the code stays that of the first call, and of a reset() that follows.
    // Should a server that has rejected 0-RTT data not support it any more, it is a reset().
    // @error kNotSupported by the peer; kInvalidArgument when so many bytes were not written, or an
    // earlier call promised fewer.
    ApiResult<void> reset_at(ConnectionHandle connection, StreamId stream, std::uint64_t code,
                             std::uint64_t reliable_size);
    // Looks at the next bytes without taking them.
    ApiResult<ReadView> peek(ConnectionHandle connection, StreamId stream);
    // The same for all that is there in order, piece by piece, as far as `pieces` has room: a
    // transfer in bulk is read with one call for each batch of datagrams. Needs room for one.
    ApiResult<ReadPieces> peek(ConnectionHandle connection, StreamId stream,
                               std::span<ByteView> pieces);
    // Takes the first `length` bytes of what peek() showed, and the end with the last of them. An
    // end that came without bytes was taken by peek(); consuming 0 bytes of it changes nothing.
    ApiResult<void> consume(ConnectionHandle connection, StreamId stream, std::size_t length);
    // Asks the peer to stop sending.
    ApiResult<void> stop_sending(ConnectionHandle connection, StreamId stream, std::uint64_t code);
    // Streams of lower `urgency` (0 to 7) go first; among equals, incremental streams take turns
    // and the others go one after the other. A new stream has urgency 3 and is incremental, so that
    // none starves unless the application wants it so.
    // @error kInvalidArgument when urgency exceeds 7.
    ApiResult<void> set_priority(ConnectionHandle connection, StreamId stream, std::uint8_t urgency,
                                 bool incremental);

    // --- Datagrams (RFC 9221) ---

    // Sends `bytes` once, whole, under congestion control; what is lost is not sent again. The
    // bytes are copied, and leave with one of the next packets.
    // @error kNotReady before the peer's transport parameters are known, kNotSupported when it
    //        takes none, kTooLarge beyond max_datagram_payload(), kWouldBlock when too much is
    //        waiting (DatagramWritable follows), kInvalidArgument (urgency).
    ApiResult<void> send_datagram(ConnectionHandle connection, ByteView bytes,
                                  const DatagramOptions& options = {});
    // The longest datagram that can be sent now. Changes with the path's datagram size.
    // @error kNotReady, kNotSupported
    ApiResult<std::size_t> max_datagram_payload(ConnectionHandle connection) const;

    // Sends typed events of what happens (src/observe/events.h) to `sink`; nullptr stops it.
    void set_event_sink(observe::EventSink* sink);

private:
    class Implementation;
    explicit Endpoint(std::unique_ptr<Implementation> implementation);

    std::unique_ptr<Implementation> implementation_;
};

}  // namespace stoq
