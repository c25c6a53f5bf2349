#include "key_log.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "exit_code.h"
#include "unique_fd.h"

namespace stoq::tool {

std::function<void(std::string_view)> key_log_from_environment() {
    const char* const path = std::getenv("SSLKEYLOGFILE");
    if (path == nullptr || *path == '\0') return {};
    auto file =
        std::make_shared<UniqueFd>(::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!*file) throw file_failure("open the key log", path, errno);
    say_on_stderr(
        fmt::format("stoq: writing the keys of all connections to {} (SSLKEYLOGFILE)", path));
    return [file](std::string_view line) {
        // One write for a line, so that processes that share the file do not mix theirs.
        const std::string text = std::string(line) + '\n';
        [[maybe_unused]] const ssize_t written = ::write(file->get(), text.data(), text.size());
    };
}

}  // namespace stoq::tool
