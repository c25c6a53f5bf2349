#include "observe/counters.h"

#include <numeric>

namespace stoq::observe {
namespace {

constexpr std::array<std::string_view, kEventTypeCount> kEventNames{
    "ConnectionStarted",
    "ConnectionStateUpdated",
    "ConnectionClosed",
    "ConnectionIdUpdated",
    "VersionInformation",
    "AlpnInformation",
    "SecurityNegotiated",
    "TransportParametersSet",
    "RetryReceived",
    "TokenIssued",
    "TokenReceived",
    "PacketSent",
    "PacketReceived",
    "PacketDropped",
    "PacketBuffered",
    "PacketsAcked",
    "PacketLost",
    "MetricsUpdated",
    "CongestionStateUpdated",
    "TimerUpdated",
    "KeyInstalled",
    "KeyUpdated",
    "KeyDiscarded",
    "StreamStateUpdated",
    "PathAssigned",
    "MigrationStateUpdated",
    "MtuUpdated",
    "EcnStateUpdated",
    "SettingsChanged",
};

}  // namespace

std::uint64_t DropCounters::total() const {
    return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

std::string_view event_name(std::size_t index) {
    return index < kEventNames.size() ? kEventNames[index] : std::string_view("?");
}

void CountingSink::on_event(const EventContext&, const Event& event) {
    ++counts_[event.index()];
    if (const auto* drop = std::get_if<PacketDropped>(&event)) dropped_.add(drop->reason);
}

}  // namespace stoq::observe
