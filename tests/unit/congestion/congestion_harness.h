// A controller with a clock, a path of fixed round-trip time and a count of what is in flight.
#pragma once

#include <memory>

#include <gtest/gtest.h>

#include "congestion/controller.h"

namespace stoq::congestion {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr Instant kStart{seconds(1000)};
inline constexpr std::uint32_t kDatagram = 1200;

struct Flow {
    explicit Flow(CongestionAlgorithm algorithm, ControllerSettings settings = {})
        : controller(make_controller(algorithm, settings)) {}

    // `bytes` are acknowledged that were sent `age` ago; the window was full.
    void ack(std::uint64_t bytes, Duration age, bool app_limited = false) {
        ack_with_flight(bytes, age, controller->window(), app_limited);
    }
    void ack_with_flight(std::uint64_t bytes, Duration age, std::uint64_t in_flight,
                         bool app_limited) {
        controller->on_acknowledged({.now = now,
                                     .acked_bytes = bytes,
                                     .bytes_in_flight_before = in_flight,
                                     .largest_acked_sent_time = now - age,
                                     .latest_rtt = rtt,
                                     .smoothed_rtt = rtt,
                                     .min_rtt = rtt,
                                     .app_limited = app_limited});
    }
    void lose(std::uint32_t packets, Duration age, bool persistent = false) {
        controller->on_lost({.now = now,
                             .lost_bytes = std::uint64_t{packets} * kDatagram,
                             .lost_packets = packets,
                             .latest_lost_sent_time = now - age,
                             .bytes_in_flight = controller->window() / 2,
                             .persistent_congestion = persistent});
    }
    // One round trip, acknowledged datagram by datagram.
    void round() {
        const std::uint64_t datagrams = controller->window() / kDatagram;
        for (std::uint64_t i = 0; i < datagrams; ++i) {
            now += rtt / static_cast<std::int64_t>(datagrams);
            ack(kDatagram, rtt);
        }
    }
    std::uint64_t window() const { return controller->window(); }

    std::unique_ptr<Controller> controller;
    Duration rtt = milliseconds(100);
    Instant now = kStart;
};

}  // namespace stoq::congestion
