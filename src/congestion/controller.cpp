#include "congestion/controller.h"

#include "congestion/bbr.h"
#include "congestion/cubic.h"
#include "congestion/new_reno.h"

namespace stoq::congestion {

std::unique_ptr<Controller> make_controller(CongestionAlgorithm algorithm,
                                            const ControllerSettings& settings) {
    switch (algorithm) {
        case CongestionAlgorithm::kNewReno: return std::make_unique<NewReno>(settings);
        case CongestionAlgorithm::kBbr: return std::make_unique<Bbr>(settings);
        case CongestionAlgorithm::kCubic: break;
    }
    return std::make_unique<Cubic>(settings);
}

}  // namespace stoq::congestion
