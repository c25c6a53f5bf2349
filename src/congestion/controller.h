// Controller: how many bytes may be in flight on one path, and how fast they should leave.
//
// Bytes in flight are counted elsewhere and handed in. Times of sending tell which packets belong
// to a recovery period. Implementations are told of events in the order in which they happened: for
// one ACK frame losses first, then acknowledgements.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>

#include "stoq/path_memory.h"
#include "stoq/settings.h"
#include "stoq/types.h"

namespace stoq::congestion {

inline constexpr std::uint64_t kNoWindowLimit = std::numeric_limits<std::uint64_t>::max();

struct ControllerSettings {
    std::uint32_t max_datagram_size = 1200;
    std::uint32_t initial_window_datagrams = 10;  // RFC 9002 section 7.2
    std::uint64_t max_window = kNoWindowLimit;    // bytes; window() never answers more
    std::uint64_t seed = 0;  // of what a controller chooses at random, such as when to probe
};

struct AckEvent {
    Instant now;
    std::uint64_t acked_bytes = 0;             // newly acknowledged, were in flight on this path
    std::uint64_t bytes_in_flight_before = 0;  // before they left
    Instant largest_acked_sent_time;
    Duration latest_rtt{};  // zero when this ACK gave no sample
    Duration smoothed_rtt{};
    Duration min_rtt{};
    // Sending had stopped for want of data or of flow control credit, not for the window or the
    // pacer (RFC 9002 section 7.8).
    bool app_limited = false;
    // Delivery rate over the last flight, bytes per second; 0 when this ACK gave no sample.
    std::uint64_t delivery_rate = 0;
    std::uint64_t total_delivered = 0;  // bytes delivered on this path, now ...
    std::uint64_t prior_delivered = 0;  // ... and when the newest acknowledged packet was sent
    std::uint64_t flight_bytes = 0;     // in flight when that packet left, itself included
    std::uint64_t lost_since_sent = 0;  // bytes declared lost since then
};

struct LossEvent {
    Instant now;
    std::uint64_t lost_bytes = 0;
    std::uint32_t lost_packets = 0;
    std::uint32_t lost_ranges = 0;  // runs of neighbouring packets among them
    Instant latest_lost_sent_time;
    std::uint64_t bytes_in_flight = 0;  // after they left
    std::uint64_t total_delivered = 0;  // bytes delivered on this path
    // Of the last lost packet: bytes in flight when it left, itself included; bytes declared lost
    // since then, itself included; sent when data had run out.
    std::uint64_t flight_bytes = 0;
    std::uint64_t lost_since_sent = 0;
    bool app_limited = false;
    bool persistent_congestion = false;
};

class Controller {
public:
    virtual ~Controller() = default;

    // `bytes_in_flight` includes the packet.
    virtual void on_packet_sent(Instant now, std::uint64_t bytes,
                                std::uint64_t bytes_in_flight) = 0;
    virtual void on_acknowledged(const AckEvent& event) = 0;
    virtual void on_lost(const LossEvent& event) = 0;
    // The peer counted more CE marks; `sent_time` is that of the largest acknowledged packet.
    virtual void on_congestion_experienced(Instant now, Instant sent_time) = 0;
    // `packets` that had been reported lost arrived after all, the newest of them sent at
    // `latest_sent_time`.
    virtual void on_spurious_loss(Instant now, std::uint32_t packets, Instant latest_sent_time) = 0;
    virtual void on_datagram_size_changed(std::uint32_t max_datagram_size) = 0;
    virtual void set_max_window(std::uint64_t bytes) = 0;
    // Goes on from this window, which careful resume has found. `slow_start_threshold` may be
    // kNoWindowLimit.
    virtual void enter_window(std::uint64_t window, std::uint64_t slow_start_threshold) = 0;
    // As new: another path, or a Retry.
    virtual void reset() = 0;

    // Bytes that may be in flight.
    virtual std::uint64_t window() const = 0;
    virtual bool in_slow_start() const = 0;
    // Bytes per second at which to send; 0: no pacing, the round-trip time is not known.
    virtual std::uint64_t pacing_rate(Duration smoothed_rtt) const = 0;
    // kNoWindowLimit until slow start has ended once, and for controllers without one.
    virtual std::uint64_t slow_start_threshold() const = 0;
    virtual std::string_view name() const = 0;
    // In which of its states it is, for observers: "slow_start", "recovery" ... Static text.
    virtual std::string_view state_name() const = 0;
};

// With a memory of the path, behind careful resume.
std::unique_ptr<Controller> make_controller(CongestionAlgorithm algorithm,
                                            const ControllerSettings& settings,
                                            const std::optional<PathMemory>& memory = {});

// What is worth remembering of a path whose window has grown to `window`; nothing when that is not
// much more than what every connection begins with.
std::optional<PathMemory> path_memory(std::uint64_t window, Duration min_rtt,
                                      const ControllerSettings& settings);

}  // namespace stoq::congestion
