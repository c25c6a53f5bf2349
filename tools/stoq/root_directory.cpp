#include "root_directory.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdio>

#include "exit_code.h"

namespace stoq::tool {
namespace {

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
    if (!is_plain_name(name)) {
        file.error = EXDEV;
        return file;
    }
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
    if (!is_plain_name(name)) {
        part.error = EXDEV;
        return part;
    }
    const std::size_t slash = name.rfind('/');
    const bool nested = slash != std::string_view::npos;
    part.final_name = name.substr(nested ? slash + 1 : 0);
    part.part_name = "." + part.final_name + ".part";
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
    } else if (look_at(part.descriptor.get(), part.size, part.error)) {
        ::lseek(part.descriptor.get(), 0, SEEK_END);
    }
    return part;
}

int RootDirectory::complete(const PartFile& part, bool overwrite) {
    const unsigned flags = overwrite ? 0 : RENAME_NOREPLACE;
    const int directory = part.directory.get();
    const int result =
        ::renameat2(directory, part.part_name.c_str(), directory, part.final_name.c_str(), flags);
    return result == 0 ? 0 : errno;
}

void RootDirectory::discard(const PartFile& part) {
    ::unlinkat(part.directory.get(), part.part_name.c_str(), 0);
}

}  // namespace stoq::tool
