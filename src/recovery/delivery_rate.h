// DeliveryRate: how fast the path delivers, sampled at each acknowledgement.
//
// The rate of a sample is the slower of sending and of acknowledging over the flight that ends with
// the newest acknowledged packet, so that compressed acknowledgements do not exaggerate it.
#pragma once

#include "recovery/sent_packets.h"
#include "stoq/types.h"

namespace stoq::recovery {

struct DeliverySample {
    std::uint64_t delivered = 0;        // bytes delivered during `interval`
    Duration interval{};                // zero: no valid sample
    std::uint64_t prior_delivered = 0;  // total delivered when the newest acked packet was sent
    std::uint64_t total_delivered = 0;  // total delivered now
    std::uint64_t flight_bytes = 0;     // in flight when that packet left, itself included
    std::uint64_t lost = 0;             // bytes declared lost since that packet was sent
    bool app_limited = false;           // the sender had run out of data: the rate is a lower bound

    // Bytes per second, 0 without a valid sample.
    std::uint64_t bytes_per_second() const;
};

class DeliveryRate {
public:
    // Notes the state in the packet that is leaving. `bytes_in_flight` excludes it.
    void on_sent(SentPacket& packet, std::uint64_t bytes_in_flight);

    // One newly acknowledged in-flight packet; then finish() once for the whole ACK.
    void on_acknowledged(const SentPacket& packet, Instant now);
    void on_lost(std::uint64_t bytes) { lost_ += bytes; }
    // Bytes declared lost since `packet` was sent.
    std::uint64_t lost_since(const SentPacket& packet) const {
        return lost_ - packet.delivery.lost;
    }
    DeliverySample finish(Duration min_rtt);

    // The application has nothing to send although the window is open.
    void on_app_limited(std::uint64_t bytes_in_flight);
    bool app_limited() const { return app_limited_until_ != 0; }
    std::uint64_t delivered() const { return delivered_; }

private:
    std::uint64_t delivered_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t app_limited_until_ = 0;  // 0: not limited
    Instant delivered_time_{};
    Instant first_sent_time_{};
    // The newest packet of the ACK being processed.
    DeliverySnapshot newest_;
    Instant newest_sent_{};
    std::uint64_t newest_flight_bytes_ = 0;
    bool newest_app_limited_ = false;
    bool any_ = false;
};

}  // namespace stoq::recovery
