#include "part_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace stoq::tool {

bool is_named(int descriptor, int directory, const std::string& name) {
    struct stat open_file{};
    struct stat named{};
    return ::fstat(descriptor, &open_file) == 0 &&
           ::fstatat(directory, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

int give_name(int directory, const std::string& part, const std::string& name, bool overwrite) {
    const unsigned flags = overwrite ? 0 : RENAME_NOREPLACE;
    if (::renameat2(directory, part.c_str(), directory, name.c_str(), flags) == 0) return 0;
    if (overwrite || errno != EINVAL) return errno;
    // The file system does not know the flag. A link does not replace anything either.
    if (::linkat(directory, part.c_str(), directory, name.c_str(), 0) == 0) {
        ::unlinkat(directory, part.c_str(), 0);
        return 0;
    }
    if (errno == EEXIST) return EEXIST;
    // Nor does it know links: what comes between these two calls is lost.
    struct stat status{};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
    return ::renameat(directory, part.c_str(), directory, name.c_str()) == 0 ? 0 : errno;
}

}  // namespace stoq::tool
