#include "files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "options.h"

namespace stoq_hq {
namespace {

std::optional<stoq::SharedBytes> read_all(int file) {
    struct stat status{};
    if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(status.st_size));
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        const ssize_t got = ::read(file, bytes.data() + filled, bytes.size() - filled);
        if (got <= 0) return std::nullopt;
        filled += static_cast<std::size_t>(got);
    }
    return stoq::SharedBytes::take(std::move(bytes));
}

}  // namespace

Root::Root(const std::string& path)
    : descriptor_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (descriptor_ < 0) fail("cannot open the directory " + path);
}

Root::~Root() {
    ::close(descriptor_);
}

std::optional<stoq::SharedBytes> Root::read(const std::string& name) const {
    if (name.empty() || name.find('/') != std::string::npos) return std::nullopt;
    const int file =
        ::openat(descriptor_, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return std::nullopt;
    auto contents = read_all(file);
    ::close(file);
    return contents;
}

}  // namespace stoq_hq
