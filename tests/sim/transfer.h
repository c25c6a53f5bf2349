// The application of the simulation: streams with bytes that depend on stream and position, so that
// a byte which is lost, doubled or misplaced cannot go unnoticed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/simulation.h"
#include "stoq/random.h"

namespace stoq::sim {

inline constexpr std::uint64_t kResetCode = 77;
inline constexpr std::uint64_t kStopCode = 78;

struct StreamPlan {
    Role initiator = Role::kClient;
    Directionality directionality = Directionality::kBidirectional;
    std::uint64_t request = 0;   // bytes from the initiator
    std::uint64_t response = 0;  // bytes back; bidirectional streams only
    bool response_waits = true;  // the response starts when the request has ended
    // The initiator resets instead of finishing, after this many bytes.
    std::optional<std::uint64_t> reset_after = std::nullopt;
    // Of these, so many bytes are promised nonetheless (RESET_STREAM_AT).
    std::optional<std::uint64_t> promised = std::nullopt;
    // The other side asks to stop when it has read this many bytes of the request.
    std::optional<std::uint64_t> stop_after = std::nullopt;
};

struct TransferPlan {
    std::uint64_t seed = 1;
    std::vector<StreamPlan> streams;
    std::size_t max_write = 16 * 1024;
    std::size_t max_read = 16 * 1024;
    // Now and then the reader rests for up to this long.
    Duration max_pause{};
};

// The byte at `position` of what `sender` sends on stream `index` of its kind.
std::uint8_t pattern(std::uint64_t stream_seed, std::uint64_t position);

// One side of a transfer, on one connection: the first that is established.
class Transfer final : public Application {
public:
    Transfer(Endpoint& endpoint, Role role, const TransferPlan& plan);

    void on_event(const Event& event, Instant now) override;
    bool pump(Instant now) override;
    Instant next_wake() const override { return wake_; }

    bool established() const { return established_; }
    // Everything of the plan has been sent and acknowledged, read and verified.
    bool complete() const;
    const std::optional<CloseInfo>& closed() const { return closed_; }
    ConnectionHandle connection() const { return connection_; }
    // What went wrong first; empty while nothing has.
    const std::string& failure() const { return failure_; }
    std::uint64_t bytes_read() const { return bytes_read_; }
    // Where every stream stands, for messages.
    std::string progress() const;

private:
    struct Sending {
        std::uint64_t seed = 0;
        std::uint64_t length = 0;
        std::uint64_t written = 0;
        bool starts = true;
        bool blocked = false;   // wait for StreamWritable
        bool finished = false;  // finish() or reset() was called
        bool done = false;
    };
    struct Receiving {
        std::uint64_t seed = 0;
        std::uint64_t length = 0;
        std::uint64_t read = 0;
        bool readable = false;
        bool done = false;
        Instant resume{};
    };
    struct Stream {
        const StreamPlan* plan = nullptr;
        std::optional<Sending> sending;
        std::optional<Receiving> receiving;
        bool opened = false;
    };

    const StreamPlan* plan_of(StreamId id) const;
    Stream& add(StreamId id, const StreamPlan& plan);
    Stream* find(StreamId id, const char* what);
    void fail(const std::string& what);

    void on(const ConnectionEstablished& event, Instant now);
    void on(const EarlyDataReady& event, Instant now);
    void on(const ConnectionClosed& event, Instant now);
    void on(const StreamOpened& event, Instant now);
    void on(const StreamReadable& event, Instant now);
    void on(const StreamWritable& event, Instant now);
    void on(const StreamReset& event, Instant now);
    void on(const StreamStopped& event, Instant now);
    void on(const StreamDelivered& event, Instant now);
    void on(const StreamsAvailable& event, Instant now);
    void on(const DatagramReceived& event, Instant now);
    void on(const DatagramWritable& event, Instant now);
    void on(const auto&, Instant) {}

    void begin(ConnectionHandle connection);
    bool open_streams();
    bool send_on(StreamId id, Stream& stream);
    bool end_sending(StreamId id, Stream& stream);
    ApiResult<void> reset(StreamId id, const StreamPlan& plan);
    bool receive_on(StreamId id, Stream& stream, Instant now);
    bool read_once(StreamId id, Stream& stream, Instant now);
    void verify(StreamId id, const Receiving& receiving, ByteView bytes);
    void finish_receiving(Stream& stream);

    Endpoint& endpoint_;
    Role role_;
    const TransferPlan& plan_;
    SeededRandom random_;
    ConnectionHandle connection_;
    bool active_ = false;  // connection_ is the one: established, or in 0-RTT
    bool established_ = false;
    std::optional<CloseInfo> closed_;
    std::map<std::uint64_t, Stream> streams_;
    std::vector<std::size_t> to_open_;         // of the plan, by its index, last first
    std::array<bool, 2> waits_for_streams_{};  // by directionality
    Instant wake_ = kNever;
    std::uint64_t bytes_read_ = 0;
    std::string failure_;
};

}  // namespace stoq::sim
