#include "connection/settings_check.h"

#include <algorithm>

#include "path/mtu_discovery.h"
#include "wire/frame.h"
#include "wire/varint.h"

namespace stoq::connection {
namespace {

// RFC 9000 section 18.2.
constexpr Duration kGreatestAckDelay = std::chrono::milliseconds(1 << 14);
//= 9000-18.2-8
constexpr std::uint64_t kFewestConnectionIds = 2;

bool are_integers_of_the_wire(const Settings& settings) {
    return std::ranges::max({settings.initial_stream_window, settings.max_stream_window,
                             settings.initial_connection_window, settings.max_connection_window,
                             settings.max_datagram_frame_size}) <= wire::kMaxVarint &&
           settings.max_bidirectional_streams <= wire::kMaxStreamCount &&
           settings.max_unidirectional_streams <= wire::kMaxStreamCount;
}

bool are_times_in_range(const Settings& settings) {
    constexpr Duration kNone = Duration::zero();
    return settings.idle_timeout >= kNone && settings.keep_alive_interval >= kNone &&
           settings.handshake_timeout > kNone && settings.classical_retry_after >= kNone &&
           settings.initial_rtt > kNone && settings.max_ack_delay >= kNone &&
           settings.max_ack_delay < kGreatestAckDelay;
}

}  // namespace

bool are_valid(const Settings& settings) {
    const bool has_version = std::ranges::any_of(
        settings.versions, [](QuicVersion version) { return version != QuicVersion::kNone; });
    return has_version && are_integers_of_the_wire(settings) && are_times_in_range(settings) &&
           settings.ack_eliciting_threshold > 0 && settings.initial_congestion_window > 0 &&
           settings.initial_datagram_size >= path::kBaseDatagramSize &&
           settings.active_connection_id_limit >= kFewestConnectionIds;
}

}  // namespace stoq::connection
