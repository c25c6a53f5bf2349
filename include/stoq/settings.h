// Everything that can be tuned. Times are durations, sizes are bytes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "stoq/types.h"

namespace stoq {

namespace tls {
class StrikeRegister;
}

// What an endpoint derives its long-lived keys from. Every copy wipes itself.
struct PersistentKey : std::array<std::uint8_t, 32> {
    PersistentKey() : array{} {}
    // NOLINTNEXTLINE(google-explicit-constructor): it is the same, but for its end.
    PersistentKey(const std::array<std::uint8_t, 32>& bytes) : array(bytes) {}
    PersistentKey(const PersistentKey&) = default;
    PersistentKey& operator=(const PersistentKey&) = default;
    ~PersistentKey();

    bool is_set() const { return *this != std::array<std::uint8_t, 32>{}; }
};

enum class CongestionAlgorithm : std::uint8_t {
    kNewReno,  // RFC 9002 section 7
    kCubic,    // RFC 9438
    kBbr,      // version 3, draft-ietf-ccwg-bbr: steadier with random loss and deep queues
};

// Settings of one connection. They are copied when the connection starts. With one that is out of
// its range connect() and listen() answer kInvalidArgument. What a peer is told is below 2^62.
struct Settings {
    // --- Flow control (RFC 9000 section 4) ---
    // Windows start at `initial_*` and grow, while the application keeps up, with the
    // bandwidth-delay product up to `max_*`. The peer hears of a new limit when half of a window is
    // used up, so a path is filled by windows of twice its product.
    std::uint64_t initial_stream_window = 1024 * 1024;
    std::uint64_t max_stream_window = 32 * 1024 * 1024;
    std::uint64_t initial_connection_window = 2 * 1024 * 1024;
    std::uint64_t max_connection_window = 48 * 1024 * 1024;
    // How many streams the peer may have open at once, 2^60 at most; raised again as they finish.
    std::uint64_t max_bidirectional_streams = 100;
    std::uint64_t max_unidirectional_streams = 100;
    // Bytes a stream takes from the application and the peer has not acknowledged, before write()
    // answers 0. Grows to twice the congestion window, so that a long path can be filled. All
    // streams of a connection together take 16 MB, or `max_` if that is more.
    std::uint64_t initial_send_buffer_per_stream = 4 * 1024 * 1024;
    std::uint64_t max_send_buffer_per_stream = 32 * 1024 * 1024;

    // --- Time ---
    // Silence after which the connection is forgotten; the smaller of both sides' counts (RFC 9000
    // section 10.1). Zero: never.
    Duration idle_timeout = std::chrono::seconds(30);
    // A PING after this much silence; zero: none. Has to be shorter than the idle timeout.
    Duration keep_alive_interval = Duration::zero();
    // The handshake fails when it is not complete by then.
    Duration handshake_timeout = std::chrono::seconds(10);
    // Client, where post-quantum key exchange is preferred and not required: how long a ClientHello
    // of two datagrams may stay without a ServerHello, and for three probe timeouts at least, until
    // it is taken that the path drops the second one and the handshake begins anew with classical
    // groups. Duration::max(): never.
    Duration classical_retry_after = std::chrono::seconds(2);
    // Assumed before the first sample, above zero (RFC 9002 section 6.2.2).
    Duration initial_rtt = std::chrono::milliseconds(333);
    // How long an acknowledgement may wait (RFC 9000 section 18.2); below 2^14 milliseconds.
    Duration max_ack_delay = std::chrono::milliseconds(25);
    // Ack-eliciting packets that are answered by one ACK at the latest, 1 or more (RFC 9000 section
    // 13.2.2).
    std::uint32_t ack_eliciting_threshold = 2;

    // Lets the peer say how often it wants to be acknowledged, and, to a peer that lets us, says so
    // while much is in flight (draft-ietf-quic-ack-frequency).
    bool ack_frequency = true;

    // Lets the peer reset streams behind a number of bytes that are still delivered
    // (draft-ietf-quic-reliable-stream-reset).
    bool reset_stream_at = true;

    // --- Sending ---
    CongestionAlgorithm congestion = CongestionAlgorithm::kCubic;
    // In datagrams, 1 or more (RFC 9002 section 7.2 recommends 10).
    std::uint32_t initial_congestion_window = 10;
    // Besides, no more is in flight than 80 Gbit/s need for the shortest round trip (or a 32nd of
    // the smoothed one), and at least 512 kB and 64 datagrams: what is more would wait in the
    // peer's socket buffer.
    std::uint64_t max_congestion_window = 64 * 1024 * 1024;
    // Uses what an earlier connection learned of the path (RFC 9959), when there is a memory of it.
    bool careful_resume = true;
    bool pacing = true;
    bool ecn = true;

    // --- Datagram size (RFC 9000 section 14) ---
    // UDP payload sent before discovery has found a larger one; at least 1200.
    std::uint16_t initial_datagram_size = 1200;
    // Discovery searches up to here. Not above `initial_datagram_size`: no discovery.
    std::uint16_t max_datagram_size = 1452;

    // --- Datagrams (RFC 9221) ---
    // The largest DATAGRAM frame that we take, with its type and length; 0: none, and a peer that
    // sends one breaks the protocol. 65535 takes whatever fits into a packet.
    std::uint64_t max_datagram_frame_size = 0;
    // Payload that may wait for a packet before send_datagram() answers kWouldBlock.
    std::uint64_t datagram_send_queue = 256 * 1024;
    // Payload that is kept when the application has not polled it by settle(); beyond it, the
    // oldest is dropped.
    std::uint64_t datagram_receive_queue = 256 * 1024;

    // --- Version (RFC 9368, RFC 9369) ---
    // Versions that are spoken, the preferred one first; kNone leaves a place empty. A server that
    // both could use another version with chooses its own preference, in the same round trip.
    std::array<QuicVersion, 2> versions{QuicVersion::kVersion1, QuicVersion::kVersion2};
    // Client: of its first packets. Must be one of `versions`.
    QuicVersion original_version = QuicVersion::kVersion1;

    // --- Identity of the connection ---
    // Connection IDs that we let the peer hand out at once (RFC 9000 section 5.1.1), at least 2.
    std::uint64_t active_connection_id_limit = 4;
    // Refuses to follow the peer to another address when set (RFC 9000 section 18.2).
    bool disable_active_migration = false;
    // Server: where clients are to move once the handshake is confirmed, one address of each family
    // at most (RFC 9000 section 9.6). The endpoint must receive there as well. Client: whether to
    // do so.
    std::array<Address, 2> preferred_addresses{};
    bool follow_preferred_address = true;
    // Offers to accept packets with the fixed bit cleared, and sends them with that bit at random
    // to a peer that offers the same (RFC 9287).
    bool grease_quic_bit = true;
};

// When a server asks a client to prove its address by Retry (RFC 9000 section 8.1.2).
enum class RetryPolicy : std::uint8_t { kNever, kUnderLoad, kAlways };

// Connection IDs that tell a load balancer which server they belong to
// (draft-ietf-quic-load-balancers-21). All servers behind it, and the load balancer, have the same
// values but for the server ID.
struct QuicLbSettings {
    // Which configuration this is, 0 to 6.
    std::uint8_t codepoint = 0;
    // 1 to 15 bytes.
    std::vector<std::uint8_t> server_id{};
    // 4 bytes or more; with the server ID 19 at most.
    std::uint8_t nonce_length = 8;
    // Encrypts server ID and nonce; without it everybody on the path can tell the server.
    std::optional<std::array<std::uint8_t, 16>> key{};
    // The first byte tells the length of the rest, for hardware that needs it.
    bool encode_length = false;
};

// One of several endpoints behind one port. Their connection IDs have an octet more, which tells
// whose they are to whoever knows their persistent_key, and nothing to anybody else.
struct WorkerSettings {
    std::uint8_t number = 0;
    // Those that are there: `count` from `first` on, of which this is one.
    std::uint8_t first = 0;
    std::uint8_t count = 1;
};

// Settings of an endpoint: shared by all of its connections.
struct EndpointSettings {
    // Length of the connection IDs that we issue, 4 to 20 bytes. Random, unless `quic_lb` is set.
    std::uint8_t connection_id_length = 8;
    std::optional<QuicLbSettings> quic_lb{};
    std::size_t max_connections = 100'000;
    // Server: connections whose client address is not validated, those that failed and have yet to
    // be forgotten included. From half of it on, kUnderLoad answers with Retry, which holds no
    // state; with kNever, Initials beyond it are dropped.
    std::size_t max_half_open = 1'000;
    RetryPolicy retry = RetryPolicy::kUnderLoad;
    // What the endpoint's Instant{} is in Unix time. Tokens end by it, so that those that outlive a
    // process (`persistent_key`) end when they should. Runtime sets it.
    Duration clock_origin{};
    // Lifetimes of address validation tokens.
    Duration retry_token_lifetime = std::chrono::seconds(10);
    Duration new_token_lifetime = std::chrono::hours(24);
    // Bytes that all connections together may promise to buffer for their applications.
    std::uint64_t receive_budget = 1024ull * 1024 * 1024;
    // Seeds stateless reset tokens, address tokens and session tickets. Give the same bytes after a
    // restart and peers of the previous process are reset at once, and tokens and tickets live on.
    // All zero: a random key for this process only.
    PersistentKey persistent_key{};
    // Set by WorkerGroup (stoq/workers.h). Needs a persistent_key, the same for all of the group.
    std::optional<WorkerSettings> worker{};
    // Server: 0-RTT connections that are remembered for a quarter of a minute, so that a copy of
    // one is refused; 32 bytes each, once 0-RTT is used. When there are more, their 0-RTT data is
    // refused. 0: all is. Tickets of another endpoint, an earlier one with the same persistent_key
    // included, resume connections, but without 0-RTT data: what that one has seen is not known.
    std::size_t early_data_register = 32'768;
    // Set by WorkerGroup: endpoints that remember together.
    std::shared_ptr<tls::StrikeRegister> shared_register{};
    // A server without a use for 0-RTT address tokens can turn NEW_TOKEN off.
    bool send_new_token = true;
};

}  // namespace stoq
