#include "io/wakeup.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"

namespace stoq::io {

namespace {

timespec to_timespec(Duration timeout) {
    const Duration positive = timeout > Duration::zero() ? timeout : Duration::zero();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(positive);
    timespec result{};
    result.tv_sec = static_cast<time_t>(seconds.count());
    result.tv_nsec = static_cast<long>((positive - seconds).count());
    return result;
}

}  // namespace

SystemResult<Waker> Waker::create() {
    const int descriptor = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (descriptor < 0) return std::unexpected(std::error_code(errno, std::system_category()));
    return Waker(descriptor);
}

Waker::~Waker() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Waker::Waker(Waker&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Waker& Waker::operator=(Waker&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

void Waker::wake() const {
    const std::uint64_t one = 1;
    // A full counter (EAGAIN) means that the bell is ringing already.
    [[maybe_unused]] const ssize_t written = ::write(descriptor_, &one, sizeof one);
}

bool Waker::reset() const {
    std::uint64_t rings = 0;
    return ::read(descriptor_, &rings, sizeof rings) == sizeof rings;
}

std::size_t wait_for(std::span<WaitSource> sources, Duration timeout, const SystemCalls& calls) {
    STOQ_CHECK(sources.size() <= kMaxWaitSources);
    std::array<pollfd, kMaxWaitSources> polled;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        polled[i].fd = sources[i].descriptor;
        polled[i].events = sources[i].want_write ? POLLIN | POLLOUT : POLLIN;
        polled[i].revents = 0;
    }
    const timespec limit = to_timespec(timeout);
    const int ready = calls.ppoll(polled.data(), sources.size(),
                                  timeout == Duration::max() ? nullptr : &limit, nullptr);
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const int seen = ready > 0 ? polled[i].revents : 0;
        sources[i].readable = (seen & POLLIN) != 0;
        sources[i].writable = (seen & POLLOUT) != 0;
        sources[i].error = (seen & POLLERR) != 0;
    }
    return ready > 0 ? static_cast<std::size_t>(ready) : 0;
}

}  // namespace stoq::io
