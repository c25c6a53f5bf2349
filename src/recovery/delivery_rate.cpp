#include "recovery/delivery_rate.h"

#include <algorithm>

namespace stoq::recovery {

std::uint64_t DeliverySample::bytes_per_second() const {
    if (interval <= Duration::zero()) return 0;
    const double seconds = std::chrono::duration<double>(interval).count();
    return static_cast<std::uint64_t>(static_cast<double>(delivered) / seconds);
}

void DeliveryRate::on_sent(SentPacket& packet, std::uint64_t bytes_in_flight) {
    if (bytes_in_flight == 0) first_sent_time_ = delivered_time_ = packet.time_sent;
    packet.delivery = {delivered_, lost_, delivered_time_, first_sent_time_};
    packet.flight_bytes = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(bytes_in_flight + packet.bytes, UINT32_MAX));
    packet.app_limited = app_limited();
}

void DeliveryRate::on_acknowledged(const SentPacket& packet, Instant now) {
    delivered_ += packet.bytes;
    delivered_time_ = now;
    // The packets of a train leave at one instant; the last of them had most in flight.
    const bool same_train = packet.time_sent == newest_sent_;
    const bool older =
        same_train ? packet.flight_bytes < newest_flight_bytes_ : packet.time_sent < newest_sent_;
    if (any_ && older) return;
    any_ = true;
    newest_ = packet.delivery;
    newest_sent_ = first_sent_time_ = packet.time_sent;
    newest_flight_bytes_ = packet.flight_bytes;
    newest_app_limited_ = packet.app_limited;
}

DeliverySample DeliveryRate::finish(Duration min_rtt) {
    if (app_limited() && delivered_ > app_limited_until_) app_limited_until_ = 0;
    if (!any_) return {};
    any_ = false;
    DeliverySample sample;
    sample.prior_delivered = newest_.delivered;
    sample.total_delivered = delivered_;
    sample.delivered = delivered_ - newest_.delivered;
    sample.flight_bytes = newest_flight_bytes_;
    sample.lost = lost_ - newest_.lost;
    sample.app_limited = newest_app_limited_;
    sample.interval =
        std::max(newest_sent_ - newest_.first_sent_time, delivered_time_ - newest_.delivered_time);
    // Faster than a round trip is possible only through acknowledgements that came late and at
    // once.
    if (sample.interval < min_rtt) sample.interval = Duration::zero();
    return sample;
}

void DeliveryRate::on_app_limited(std::uint64_t bytes_in_flight) {
    app_limited_until_ = std::max<std::uint64_t>(delivered_ + bytes_in_flight, 1);
}

}  // namespace stoq::recovery
