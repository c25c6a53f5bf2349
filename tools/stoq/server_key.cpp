#include "server_key.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include <openssl/rand.h>

#include "exit_code.h"
#include "unique_fd.h"

namespace stoq::tool {
namespace {

PersistentKey make_key(const std::string& file) {
    const UniqueFd made(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!made) throw file_failure("cannot make", file, errno);
    PersistentKey key;
    if (RAND_priv_bytes(key.data(), static_cast<int>(key.size())) != 1) {
        throw Failure(ExitCode::kOther, "no random bytes for a key");
    }
    if (::write(made.get(), key.data(), key.size()) != static_cast<ssize_t>(key.size())) {
        throw file_failure("cannot write", file, errno);
    }
    return key;
}

}  // namespace

PersistentKey server_key(const std::string& file) {
    const UniqueFd found(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!found && errno == ENOENT) return make_key(file);
    if (!found) throw file_failure("cannot open", file, errno);
    struct stat about{};
    if (::fstat(found.get(), &about) != 0) throw file_failure("cannot look at", file, errno);
    if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        throw Failure(ExitCode::kLocalFile,
                      file + " is a secret, and others may use it: chmod 600");
    }
    PersistentKey key;
    if (about.st_size != static_cast<off_t>(key.size()) ||
        ::read(found.get(), key.data(), key.size()) != static_cast<ssize_t>(key.size())) {
        throw Failure(ExitCode::kLocalFile, file + " does not hold a key of 32 bytes");
    }
    return key;
}

}  // namespace stoq::tool
