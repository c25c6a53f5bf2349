// The datapath contract: how datagrams enter and leave a thread. It knows bytes, addresses and
// ECN marks, and nothing of what is inside a datagram.
//
// Ownership: a datapath owns all memory that it lends. Received datagrams are borrowed until
// recycle() or the next receive_batch(); a transmit slot is borrowed until commit().
// Threads: one datapath belongs to one thread; only a Waker may be used from elsewhere.
//
//     for (auto& datagram : datapath.receive_batch()) core.receive(datagram, now);
//     datapath.recycle();
//     while (TransmitSlot* slot = datapath.transmit_slot()) {
//         if (!core.transmit(*slot, now)) break;   // an unused slot needs no return
//         datapath.commit(*slot);
//     }
//     datapath.flush();
//     datapath.wait(core.next_timeout() - now, &waker);
#pragma once

#include <optional>
#include <span>
#include <string>
#include <system_error>

#include "stoq/types.h"

namespace stoq::io {

class Waker;

// The largest UDP payload over IPv4, and so the most bytes in one transmit slot.
inline constexpr std::size_t kMaxDatagramBytes = 65'507;

// The most datagrams that one train may carry: Linux before 6.9 takes 64 segments.
inline constexpr std::size_t kMaxTrainDatagrams = 64;

// What the system granted at start. Everything works, more slowly, when all of it is missing.
struct DatapathCapabilities {
    bool segmentation_offload = false;  // UDP_SEGMENT: one call sends a train
    bool receive_coalescing = false;    // UDP_GRO: one buffer carries a train
    bool ecn = false;                   // marks are read from and written to IP headers
    bool packet_info = false;           // the local address of each datagram is known and chosen
    bool dont_fragment = false;         // datagrams are never fragmented on the way
    bool drop_counter = false;          // SO_RXQ_OVFL: drops for want of receive buffer are told
    bool path_errors = false;           // IP_RECVERR: ICMP errors are told
    bool dual_stack = false;            // one socket serves IPv4 and IPv6
    std::size_t receive_buffer = 0;     // bytes granted (payload bytes, not the doubled figure)
    std::size_t send_buffer = 0;
    // What to do when the system granted smaller buffers than asked for; one line, else empty.
    std::string buffer_hint;
};

// Everything since the start, never reset.
struct DatapathCounters {
    std::uint64_t received_datagrams = 0;
    std::uint64_t received_bytes = 0;
    std::uint64_t receive_calls = 0;
    std::uint64_t sent_datagrams = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t send_calls = 0;
    // Packets that the socket dropped because its receive buffer was full, as the kernel counts
    // them (a coalesced train counts as one). Not network loss: the reader was too slow.
    std::uint64_t receive_buffer_drops = 0;
    std::uint64_t truncated = 0;     // longer than the buffer they were received into; dropped
    std::uint64_t send_errors = 0;   // datagrams that the system refused; each is gone
    std::uint64_t too_big = 0;       // of these, larger than the path's or interface's MTU
    std::uint64_t send_blocked = 0;  // flushes that left something queued
    std::uint64_t segmentation_fallbacks = 0;  // trains refused as such, then sent one by one
    std::uint64_t path_errors = 0;             // ICMP errors read
};

// A datagram, or a train, that the system refused to send.
struct SendFailure {
    Address remote;
    std::errc error{};  // message_size: too big for the path
    std::size_t datagram_length = 0;
    std::size_t datagrams = 0;
};

enum class SendBlock : std::uint8_t {
    kNone,
    kSocketFull,  // EAGAIN: poll says when the socket takes more
    kNoBuffers,   // ENOBUFS: the interface's queue is full; poll cannot tell, so try again soon
};

struct FlushOutcome {
    std::size_t sent_datagrams = 0;
    // When not kNone, the slots that are left stay queued, in order, for the next flush().
    SendBlock block = SendBlock::kNone;
    // Borrowed until the next flush(). At most 16; counters tell of all.
    std::span<const SendFailure> failures;
};

// An error that came back from the network, or from this host's own routing. Nobody authenticated
// it: a hint that may end a connection attempt, never an established connection
// (RFC 9000 section 14.2.1).
struct PathErrorReport {
    Address remote;             // where the datagram that caused it was going
    std::errc error{};          // connection_refused, host_unreachable, message_size ...
    std::uint32_t mtu = 0;      // the IP MTU that was reported with message_size, else 0
    bool from_network = false;  // false: this host said it
};

struct WaitOutcome {
    bool readable = false;
    bool writable = false;
    bool woken = false;  // the waker was rung; it is reset already
};

class Datapath {
public:
    virtual ~Datapath() = default;
    Datapath(const Datapath&) = delete;
    Datapath& operator=(const Datapath&) = delete;

    // What has arrived, without waiting; empty when nothing has. Datagrams that came in one
    // coalesced train stand next to each other, in order, equally addressed and marked.
    // Invalidates what the call before it returned.
    virtual std::span<ReceivedDatagram> receive_batch() = 0;

    // Gives the memory of the last batch back early. Rings want this; sockets do not mind.
    virtual void recycle() = 0;

    // The next free slot, or null when all are committed and not sent. A slot that is not
    // committed is lent again by the next call, with its out fields reset.
    virtual TransmitSlot* transmit_slot() = 0;

    // Queues the slot lent last. Its `length` is not zero, and all its datagrams but the last are
    // `datagram_length` long.
    virtual void commit(TransmitSlot& slot) = 0;

    // Sends everything queued, in order, as far as the system takes it. Flushing after each full
    // train keeps one buffer warm in the cache; small trains are better flushed together.
    virtual FlushOutcome flush() = 0;

    // flush() was blocked and would get further once the socket is writable.
    virtual bool wants_writable() const = 0;

    // Errors that came back since the last call; borrowed until the next one. Without a system
    // call when receive_batch(), flush() and wait() saw no sign of any.
    virtual std::span<const PathErrorReport> path_errors() = 0;

    // Sleeps until something can be received (or sent, when wants_writable()), until the waker is
    // rung, or for `timeout` at most. Zero or less only looks; Duration::max() means for ever.
    virtual WaitOutcome wait(Duration timeout, Waker* waker) = 0;

    // A descriptor to watch in an event loop of the caller's own, for reading, and for writing
    // while wants_writable().
    virtual int native_handle() const = 0;

    virtual const Address& local_address() const = 0;
    virtual const DatapathCapabilities& capabilities() const = 0;
    virtual const DatapathCounters& counters() const = 0;

protected:
    Datapath() = default;
};

}  // namespace stoq::io
