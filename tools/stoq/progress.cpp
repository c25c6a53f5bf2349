#include "progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "quantity.h"

namespace stoq::tool {
namespace {

constexpr std::size_t kBarWidth = 30;

}  // namespace

Progress::Progress(std::string label, std::uint64_t total)
    : label_(std::move(label)), total_(total), enabled_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
    clear();
}

void Progress::update(std::uint64_t done, std::uint64_t skipped) {
    if (!enabled_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + std::chrono::milliseconds(100);
    draw(done, skipped);
}

void Progress::draw(std::uint64_t done, std::uint64_t skipped) {
    const double share =
        total_ == 0 ? 0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
    const auto filled = static_cast<std::size_t>(share * static_cast<double>(kBarWidth));
    const auto elapsed = std::chrono::steady_clock::now() - started_;
    const std::string bar = std::string(filled, '#') + std::string(kBarWidth - filled, '.');
    const std::string line = fmt::format(
        "\r{} [{}] {:3.0f}%  {} of {}  {:.2f} Gbit/s \x1b[K", label_, bar, share * 100,
        show_size(done), show_size(total_), gigabits_per_second(done - skipped, elapsed));
    // Not fmt::print: it throws when the terminal has gone.
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
    drawn_ = true;
}

void Progress::clear() {
    if (!drawn_) return;
    std::fputs("\r\x1b[K", stderr);
    drawn_ = false;
}

}  // namespace stoq::tool
