#include "root_directory.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>

#include "exit_code.h"
#include "part_file.h"

namespace stoq::tool {
namespace {

constexpr std::string_view kPartBegin = ".";
constexpr std::string_view kPartEnd = ".part";

// Whoever could ask for such a name would get at what others have not sent completely.
bool is_part_name(std::string_view name) {
    const std::size_t slash = name.rfind('/');
    const std::string_view last = name.substr(slash == std::string_view::npos ? 0 : slash + 1);
    return last.size() > kPartBegin.size() + kPartEnd.size() && last.starts_with(kPartBegin) &&
           last.ends_with(kPartEnd);
}

// 0, or the error for a name that no request can have.
int check_name(std::string_view name) {
    if (!is_plain_name(name)) return EXDEV;
    return is_part_name(name) ? EACCES : 0;
}

// Kernels before 5.6, and some sandboxes, have no openat2: component by component then, without
// following any symbolic link.
int open_by_components(int root, const std::string& name, int flags) {
    UniqueFd directory(::openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    std::size_t begin = 0;
    while (directory) {
        const std::size_t slash = name.find('/', begin);
        const std::string component = name.substr(begin, slash - begin);
        if (slash == std::string::npos) {
            return ::openat(directory.get(), component.c_str(), flags | O_NOFOLLOW | O_CLOEXEC);
        }
        directory = UniqueFd(::openat(directory.get(), component.c_str(),
                                      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        begin = slash + 1;
    }
    return -1;
}

// Fills in the size; not a regular file is an error.
bool look_at(int descriptor, std::uint64_t& size, int& error) {
    struct stat status{};
    if (::fstat(descriptor, &status) != 0) {
        error = errno;
    } else if (S_ISDIR(status.st_mode)) {
        error = EISDIR;
    } else if (!S_ISREG(status.st_mode)) {
        error = EACCES;
    } else {
        size = static_cast<std::uint64_t>(status.st_size);
        return true;
    }
    return false;
}

}  // namespace

bool is_plain_name(std::string_view name) {
    if (name.empty() || name.size() > 4096 || name.find('\0') != std::string_view::npos)
        return false;
    std::size_t begin = 0;
    while (true) {
        const std::size_t slash = name.find('/', begin);
        const std::string_view component = name.substr(begin, slash - begin);
        if (component.empty() || component == "." || component == "..") return false;
        if (slash == std::string_view::npos) return true;
        begin = slash + 1;
    }
}

RootDirectory::RootDirectory(const std::string& path)
    : root_(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    if (!root_) throw file_failure("open the directory", path, errno);
}

int RootDirectory::open_beneath(const std::string& name, int flags) const {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    const long descriptor = ::syscall(SYS_openat2, root_.get(), name.c_str(), &how, sizeof(how));
    if (descriptor < 0 && (errno == ENOSYS || errno == EPERM)) {
        return open_by_components(root_.get(), name, flags);
    }
    return static_cast<int>(descriptor);
}

OpenFile RootDirectory::open_file(std::string_view name) const {
    OpenFile file;
    file.error = check_name(name);
    if (file.error != 0) return file;
    // Not blocking: a FIFO must not hold the server up.
    file.descriptor = UniqueFd(open_beneath(std::string(name), O_RDONLY | O_NONBLOCK | O_NOCTTY));
    if (!file.descriptor) {
        file.error = errno;
    } else if (!look_at(file.descriptor.get(), file.size, file.error)) {
        file.descriptor = UniqueFd();
    }
    return file;
}

PartFile RootDirectory::open_part(std::string_view name, bool overwrite) const {
    PartFile part;
    part.error = check_name(name);
    if (part.error != 0) return part;
    const std::size_t slash = name.rfind('/');
    const bool nested = slash != std::string_view::npos;
    part.final_name = name.substr(nested ? slash + 1 : 0);
    part.part_name.append(kPartBegin).append(part.final_name).append(kPartEnd);
    part.directory = UniqueFd(
        open_beneath(nested ? std::string(name.substr(0, slash)) : ".", O_PATH | O_DIRECTORY));
    if (!part.directory) {
        part.error = errno;
        return part;
    }
    struct stat status{};
    if (!overwrite && ::fstatat(part.directory.get(), part.final_name.c_str(), &status,
                                AT_SYMLINK_NOFOLLOW) == 0) {
        part.error = EEXIST;
        return part;
    }
    part.descriptor =
        UniqueFd(::openat(part.directory.get(), part.part_name.c_str(),
                          O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644));
    if (!part.descriptor || ::flock(part.descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
        part.error = errno;
    } else if (!is_named(part.descriptor.get(), part.directory.get(), part.part_name)) {
        // It was completed or removed before we had the lock: the next try gets another.
        part.error = EWOULDBLOCK;
    } else if (look_at(part.descriptor.get(), part.size, part.error)) {
        ::lseek(part.descriptor.get(), 0, SEEK_END);
    }
    if (part.error != 0) part.descriptor = UniqueFd();
    return part;
}

int RootDirectory::complete(const PartFile& part, bool overwrite) {
    return give_name(part.directory.get(), part.part_name, part.final_name, overwrite);
}

void RootDirectory::discard(const PartFile& part) {
    ::unlinkat(part.directory.get(), part.part_name.c_str(), 0);
}

}  // namespace stoq::tool
