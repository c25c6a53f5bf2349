#include "streams/flow_control.h"

#include <algorithm>

namespace stoq::streams {
namespace {

// Half of a window consumed in less than this many round trips: the window is too small.
constexpr int kRoundTripsPerHalfWindow = 2;

}  // namespace

bool ReceiveWindow::on_consumed(std::uint64_t bytes, const Tuning& tuning) {
    if (!epoch_start_) epoch_start_ = tuning.now;
    consumed_ += bytes;
    if (consumed_ - epoch_consumed_ >= size_ / 2) tune(tuning);
    //= 9000-4.2-2
    return next_limit() - limit_ >= std::max<std::uint64_t>(size_ / 2, 1);
}

void ReceiveWindow::tune(const Tuning& tuning) {
    const Duration elapsed = tuning.now - *epoch_start_;
    epoch_start_ = tuning.now;
    epoch_consumed_ = consumed_;
    if (elapsed >= kRoundTripsPerHalfWindow * tuning.rtt) return;
    const std::uint64_t growth = std::min(size_, max_size_ - size_);
    if (growth == 0) return;
    if (tuning.budget != nullptr && !tuning.budget->try_take(growth)) return;
    size_ += growth;
}

bool SendWindow::raise(std::uint64_t limit) {
    //= 9000-4.1-3
    //= 9000-13.3-5
    if (limit <= limit_) return false;
    limit_ = limit;
    return true;
}

bool SendWindow::should_report_blocked() {
    if (available() != 0 || reported_ == limit_ + 1) return false;
    reported_ = limit_ + 1;
    return true;
}

}  // namespace stoq::streams
