// Plain values that every layer and every user of STOQ shares. Standard library only.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace stoq {

// Borrowed memory. `Bytes` may be written, `ByteView` only read; neither owns.
using Bytes = std::span<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

// The clock of the protocol core. It has no now(): time is always handed in, so that a simulator
// can run years in a second and a test never waits. Resolution: one nanosecond.
struct ProtocolClock {
    using rep = std::int64_t;
    using period = std::nano;
    using duration = std::chrono::nanoseconds;
    using time_point = std::chrono::time_point<ProtocolClock, duration>;
    static constexpr bool is_steady = true;
};

using Duration = std::chrono::nanoseconds;
using Instant = ProtocolClock::time_point;

// Later than any real deadline: "this timer is not set".
inline constexpr Instant kNever = Instant::max();

// Versions of QUIC that are spoken, by their number on the wire (RFC 9000, RFC 9369).
enum class QuicVersion : std::uint32_t {
    kNone = 0,
    kVersion1 = 0x00000001,
    kVersion2 = 0x6b3343cf
};

enum class Role : std::uint8_t { kClient, kServer };

constexpr Role peer_of(Role role) {
    return role == Role::kClient ? Role::kServer : Role::kClient;
}

// A stream identifier, 0 to 2^62-1 (RFC 9000 section 2.1). The two low bits tell who opened the
// stream and whether it is unidirectional.
class StreamId {
public:
    constexpr StreamId() = default;
    explicit constexpr StreamId(std::uint64_t value) : value_(value) {}

    constexpr std::uint64_t value() const { return value_; }
    constexpr Role initiator() const { return (value_ & 1) == 0 ? Role::kClient : Role::kServer; }
    constexpr bool is_unidirectional() const { return (value_ & 2) != 0; }
    // Position among the streams of the same type, from 0.
    constexpr std::uint64_t index() const { return value_ >> 2; }

    friend constexpr auto operator<=>(StreamId, StreamId) = default;

private:
    std::uint64_t value_ = 0;
};

enum class Directionality : std::uint8_t { kBidirectional, kUnidirectional };

// The ECN codepoint of an IP header (RFC 3168 section 5).
enum class Ecn : std::uint8_t { kNotEct = 0, kEct1 = 1, kEct0 = 2, kCe = 3 };

// An IPv4 or IPv6 address with a UDP port. IPv4 addresses use the first four bytes.
struct Address {
    enum class Family : std::uint8_t { kNone, kIpv4, kIpv6 };

    std::array<std::uint8_t, 16> ip{};
    std::uint32_t scope_id = 0;  // IPv6 link-local interface index, 0 otherwise
    std::uint16_t port = 0;      // host byte order
    Family family = Family::kNone;

    // The bytes that are in use: 4, 16 or none.
    constexpr ByteView ip_bytes() const {
        const std::size_t length = family == Family::kIpv4 ? 4 : (family == Family::kIpv6 ? 16 : 0);
        return ByteView(ip.data(), length);
    }

    friend constexpr bool operator==(const Address&, const Address&) = default;
};

// "192.0.2.1:443", "[2001:db8::1]:443"; "none" for an empty address.
std::string to_string(const Address& address);

// Parses what to_string prints. An empty family in the result means that the text is no address.
Address parse_address(std::string_view text);

// One received UDP datagram. `data` borrows memory of the datapath and is decrypted in place; it
// stays valid until the datapath takes its frames back.
struct ReceivedDatagram {
    Bytes data;
    Address local;
    Address remote;
    Ecn ecn = Ecn::kNotEct;
};

// Memory that the datapath lends for sending: a train of equally long datagrams to one peer, back
// to back, of which only the last may be shorter. The core fills `buffer` and the fields below it.
struct TransmitSlot {
    Bytes buffer;                   // in: at least one datagram long
    std::size_t max_datagrams = 1;  // in: how many datagrams one slot may carry

    std::size_t length = 0;           // out: bytes used
    std::size_t datagram_length = 0;  // out: length of every datagram but the last
    Address local;                    // out: source; family kNone lets the system choose
    Address remote;                   // out: destination
    Ecn ecn = Ecn::kNotEct;           // out: mark for every datagram of the train
};

// What a peer showed to prove who it is.
enum class CertificateType : std::uint8_t { kNone, kX509, kRawPublicKey };

}  // namespace stoq
