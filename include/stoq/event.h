// What an endpoint tells its user. Small values, polled; nothing here calls back.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "stoq/error.h"
#include "stoq/types.h"

namespace stoq {

// Names a connection of one endpoint. A handle of a forgotten connection names nothing, even when
// its place was used again.
struct ConnectionHandle {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;

    friend constexpr bool operator==(ConnectionHandle, ConnectionHandle) = default;
};

// How a connection ended.
enum class CloseKind : std::uint8_t {
    kLocalApplication,  // close() was called
    kPeerApplication,   // the peer's application closed it (frame type 0x1d)
    kLocalTransport,    // we found the peer in error; `code` says which
    kPeerTransport,     // the peer's transport closed it (frame type 0x1c)
    kIdleTimeout,       // RFC 9000 section 10.1
    kHandshakeTimeout,  // nothing, or not enough, came back
    kStatelessReset,    // the peer has lost its state (RFC 9000 section 10.3)
    kVersionMismatch,   // the server speaks no version that we do
    kRefused,           // the network said that nobody listens there
};

// Why a peer's certificate was not accepted.
enum class CertificateProblem : std::uint8_t {
    kNone,
    kUnknownIssuer,
    kExpired,
    kNotYetValid,
    kWrongHost,
    kPinMismatch,
    kMissing,
    kNotPostQuantum,  // a key of the chain is classical, and the policy requires post-quantum ones
    kNotRaw,          // a certificate, and the policy requires a raw public key
    kOther,
};

struct CloseInfo {
    CloseKind kind = CloseKind::kLocalApplication;
    // An application error code, or a TransportErrorCode; 0 for the kinds without one.
    std::uint64_t code = 0;
    // The frame type blamed by a transport close, 0 for none.
    std::uint64_t frame_type = 0;
    // Local transport errors: what was wrong.
    Reason reason = Reason::kNone;
    CertificateProblem certificate = CertificateProblem::kNone;
    // The peer's or the application's reason phrase. Peer's words: show them only escaped.
    std::string phrase;
};

// "closed by the peer's application (code 7: ...)": one line for people.
std::string to_string(const CloseInfo& info);

// What became of 0-RTT data (RFC 9001 section 4.6).
enum class EarlyDataState : std::uint8_t {
    kNone,      // none was offered, or none may be sent
    kOffered,   // client: the server has not answered yet
    kAccepted,  // the server takes it. On a server, all that arrives before ConnectionEstablished
    kRejected,
};

// The handshake is complete: streams may be used. On a client the server is authenticated.
struct ConnectionEstablished {
    ConnectionHandle connection;
};
// Client: the ticket allows 0-RTT data, and Credentials::early_data is set. Streams may be used
// before the handshake is complete. What is written until ConnectionEstablished can be replayed to
// the server by an attacker (RFC 9001 section 9.2).
struct EarlyDataReady {
    ConnectionHandle connection;
};
// Client: the server did not take what was written before ConnectionEstablished. The same streams
// and bytes are sent again, as ordinary data; nothing has to be written twice. Who does not want
// that resets the streams.
struct EarlyDataRejected {
    ConnectionHandle connection;
};
// The connection uses another path now: one that migrate() or the server's preferred address led
// to, or, on a server, the one to which the client has moved.
struct ConnectionMigrated {
    ConnectionHandle connection;
    Address local;
    Address remote;
};
// Client: nothing came back over the path that migrate() named; the connection goes on over the
// path before, if there is one.
struct MigrationFailed {
    ConnectionHandle connection;
    Address local;
    Address remote;
};
// The last event of a connection; its handle is valid until this has been polled.
struct ConnectionClosed {
    ConnectionHandle connection;
    CloseInfo info;
};
// The peer opened a stream.
struct StreamOpened {
    ConnectionHandle connection;
    StreamId stream;
};
// There is something to read: bytes or the end. Comes again only after everything was consumed.
struct StreamReadable {
    ConnectionHandle connection;
    StreamId stream;
};
// write() took less than offered before; now it takes more.
struct StreamWritable {
    ConnectionHandle connection;
    StreamId stream;
};
// The peer gave up sending (RESET_STREAM). After a RESET_STREAM_AT, comes when the bytes that it
// promises have been read.
struct StreamReset {
    ConnectionHandle connection;
    StreamId stream;
    std::uint64_t code = 0;
};
// The peer does not want more (STOP_SENDING); the stream is reset in answer.
struct StreamStopped {
    ConnectionHandle connection;
    StreamId stream;
    std::uint64_t code = 0;
};
// Everything written, and the end, was acknowledged.
struct StreamDelivered {
    ConnectionHandle connection;
    StreamId stream;
};
// open_stream() failed with kStreamLimit before; now it can succeed.
struct StreamsAvailable {
    ConnectionHandle connection;
    Directionality directionality = Directionality::kBidirectional;
};

// A datagram of the peer (RFC 9221). The bytes are borrowed until settle().
struct DatagramReceived {
    ConnectionHandle connection;
    ByteView bytes;
};
// send_datagram() failed with kWouldBlock before; now there is room for what it refused.
struct DatagramWritable {
    ConnectionHandle connection;
};

// Client: a ticket to resume with, for ClientConfig::ticket of a later connection. Use it once (RFC
// 8446 appendix C.4), and keep it secret: whoever has it can read the 0-RTT data sent with it. Up
// to eight of a connection come.
struct TicketReceived {
    ConnectionHandle connection;
    std::vector<std::uint8_t> ticket;
};

using Event = std::variant<ConnectionEstablished, ConnectionClosed, StreamOpened, StreamReadable,
                           StreamWritable, StreamReset, StreamStopped, StreamDelivered,
                           StreamsAvailable, DatagramReceived, DatagramWritable, TicketReceived,
                           EarlyDataReady, EarlyDataRejected, ConnectionMigrated, MigrationFailed>;

}  // namespace stoq
