#include "congestion/controller.h"

#include "congestion/bbr.h"
#include "congestion/careful_resume.h"
#include "congestion/cubic.h"
#include "congestion/new_reno.h"
#include "congestion/window_rules.h"

namespace stoq::congestion {
namespace {

// RFC 9959 section 3.1.
constexpr std::uint64_t kWorthRemembering = 4;  // initial windows

std::unique_ptr<Controller> make_plain(CongestionAlgorithm algorithm,
                                       const ControllerSettings& settings) {
    switch (algorithm) {
        case CongestionAlgorithm::kNewReno: return std::make_unique<NewReno>(settings);
        case CongestionAlgorithm::kBbr: return std::make_unique<Bbr>(settings);
        case CongestionAlgorithm::kCubic: break;
    }
    return std::make_unique<Cubic>(settings);
}

}  // namespace

std::unique_ptr<Controller> make_controller(CongestionAlgorithm algorithm,
                                            const ControllerSettings& settings,
                                            const std::optional<PathMemory>& memory) {
    auto plain = make_plain(algorithm, settings);
    if (!memory) return plain;
    return std::make_unique<CarefulResume>(std::move(plain), settings, *memory);
}

std::optional<PathMemory> path_memory(std::uint64_t window, Duration min_rtt,
                                      const ControllerSettings& settings) {
    if (window < kWorthRemembering * initial_window(settings)) return std::nullopt;
    return PathMemory{window, min_rtt};
}

}  // namespace stoq::congestion
