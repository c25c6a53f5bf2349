#include "lane.h"

#include <algorithm>
#include <utility>

namespace stoq::link {

Duration Lane::transmission_time(std::size_t bytes) const {
    if (bits_per_second_ == 0) return Duration::zero();
    const double seconds = static_cast<double>(bytes) * 8 / static_cast<double>(bits_per_second_);
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

std::size_t Lane::waiting(Instant now) const {
    const auto first =
        std::upper_bound(packets_.begin(), packets_.end(), now,
                         [](Instant time, const Entry& e) { return time < e.start; });
    return static_cast<std::size_t>(packets_.end() - first);
}

bool Lane::offer(Packet packet, Instant now) {
    const Instant start = std::max(now, free_at_);
    if (start > now && waiting(now) >= queue_packets_) return false;
    free_at_ = start + transmission_time(packet.size());
    packets_.push_back({start, free_at_ + delay_, std::move(packet)});
    return true;
}

std::optional<Packet> Lane::take(Instant now) {
    if (packets_.empty() || packets_.front().arrival > now) return std::nullopt;
    Packet packet = std::move(packets_.front().packet);
    packets_.pop_front();
    return packet;
}

}  // namespace stoq::link
