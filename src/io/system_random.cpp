#include "io/system_random.h"

#include <string.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace stoq::io {

namespace {

void read_system(Bytes out) {
    while (!out.empty()) {
        const ssize_t got = ::getrandom(out.data(), out.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        // Without random bytes there is no security: there is nothing sensible to go on with.
        STOQ_CHECK(got > 0);
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

}  // namespace

SystemRandom::~SystemRandom() {
    ::explicit_bzero(pool_.data(), pool_.size());
}

void SystemRandom::fill(Bytes out) {
    if (out.size() > pool_.size()) return read_system(out);
    while (!out.empty()) {
        if (used_ == pool_.size()) {
            read_system(pool_);
            used_ = 0;
        }
        const std::size_t length = std::min(out.size(), pool_.size() - used_);
        std::memcpy(out.data(), pool_.data() + used_, length);
        ::explicit_bzero(pool_.data() + used_, length);
        used_ += length;
        out = out.subspan(length);
    }
}

}  // namespace stoq::io
