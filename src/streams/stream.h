// Stream: the record of one live stream, and the pool that such records come from.
#pragma once

#include <memory>
#include <vector>

#include "base/intrusive_queue.h"
#include "streams/receive_stream.h"
#include "streams/send_stream.h"

namespace stoq::streams {

// A set of the enumerators of E, which must be fewer than eight.
template <typename E>
class FlagSet {
public:
    bool empty() const { return bits_ == 0; }
    bool contains(E flag) const { return (bits_ & bit(flag)) != 0; }
    void insert(E flag) { bits_ = static_cast<std::uint8_t>(bits_ | bit(flag)); }
    void erase(E flag) { bits_ = static_cast<std::uint8_t>(bits_ & ~bit(flag)); }

private:
    static constexpr unsigned bit(E flag) { return 1u << static_cast<unsigned>(flag); }

    std::uint8_t bits_ = 0;
};

// Frames about one stream that wait for a packet.
enum class StreamControl : std::uint8_t {
    kResetStream,
    kStopSending,
    kMaxStreamData,
    kStreamDataBlocked,
};
inline constexpr std::array kStreamControls{
    StreamControl::kResetStream, StreamControl::kStopSending, StreamControl::kMaxStreamData,
    StreamControl::kStreamDataBlocked};

// What the application will be told about one stream.
enum class StreamNotice : std::uint8_t {
    kReadable,
    kWritable,
    kResetReceived,
    kStopReceived,
    kAllAcknowledged,
};

inline constexpr std::uint8_t kDefaultUrgency = 3;
inline constexpr std::uint8_t kLowestUrgency = 7;

// A plain record: StreamSet and its parts keep the fields consistent with the queues.
struct Stream {
    explicit Stream(BlockPool& blocks) : send(blocks), receive(blocks) {}

    StreamId id;
    bool sends = false;     // there is a sending part
    bool receives = false;  // there is a receiving part
    std::uint8_t urgency = kDefaultUrgency;
    bool incremental = true;  // taking turns, so that no stream starves by default
    bool held = false;        // opened in 0-RTT beyond the limit that holds now
    bool readable_announced = false;

    FlagSet<StreamControl> controls;
    FlagSet<StreamNotice> notices;

    SendStream send;
    ReceiveStream receive;

    QueueLink<Stream> control_link;   // while `controls` is not empty
    QueueLink<Stream> notice_link;    // while `notices` is not empty
    QueueLink<Stream> repair_link;    // while send.has_repair()
    QueueLink<Stream> ready_link;     // while new bytes may go
    QueueLink<Stream> borrowed_link;  // while receive.has_borrowed(), or it was just read
    QueueLink<Stream> writer_link;    // while the application waits for room
};

// Stream records, shared by all connections of an endpoint. Used ones are kept, up to a number.
class StreamPool {
public:
    explicit StreamPool(BlockPool& blocks, std::size_t max_free = 1024)
        : blocks_(blocks), max_free_(max_free) {}

    std::unique_ptr<Stream> take();
    void give_back(std::unique_ptr<Stream> stream);

private:
    BlockPool& blocks_;
    std::size_t max_free_;
    std::vector<std::unique_ptr<Stream>> free_;
};

// What the streams of all connections of an endpoint share. Has to outlive them.
struct StreamResources {
    explicit StreamResources(std::uint64_t receive_budget) : budget(receive_budget) {}

    BlockPool blocks;
    StreamPool streams{blocks};
    ReceiveBudget budget;
};

}  // namespace stoq::streams
