#include "server_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>

#include <openssl/rand.h>

#include "exit_code.h"
#include "part_file.h"
#include "unique_fd.h"

namespace stoq::tool {
namespace {

// A new file beside the one that it is to become. Its name goes in any case.
class NewFile {
public:
    // Not our process id in the name: in a container that is the same each time, and one who died
    // here would stand in the way of all who come after.
    explicit NewFile(const std::string& file)
        : name_(file + ".new-XXXXXX"), descriptor_(::mkostemp(name_.data(), O_CLOEXEC)) {
        if (!descriptor_) throw file_failure("make", file, errno);
    }
    ~NewFile() { ::unlink(name_.c_str()); }
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;

    int descriptor() const { return descriptor_.get(); }
    const std::string& name() const { return name_; }

private:
    std::string name_;
    UniqueFd descriptor_;
};

// Nothing when there is no such file.
std::optional<PersistentKey> read_key(const std::string& file) {
    const UniqueFd found(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!found && errno == ENOENT) return std::nullopt;
    if (!found) throw file_failure("open", file, errno);
    struct stat about{};
    if (::fstat(found.get(), &about) != 0) throw file_failure("look at", file, errno);
    if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        throw Failure(ExitCode::kLocalFile,
                      file + " is a secret, and others may use it: chmod 600");
    }
    std::optional<PersistentKey> key(std::in_place);
    if (about.st_size != static_cast<off_t>(key->size()) ||
        ::read(found.get(), key->data(), key->size()) != static_cast<ssize_t>(key->size())) {
        throw Failure(ExitCode::kLocalFile, file + " does not hold a key of 32 bytes");
    }
    return key;
}

// The file has its name only when it is whole: half a key would fail every later start. One that
// has come meanwhile is left alone.
void make_key(const std::string& file) {
    PersistentKey key;
    if (RAND_priv_bytes(key.data(), static_cast<int>(key.size())) != 1) {
        throw Failure(ExitCode::kOther, "no random bytes for a key");
    }
    const NewFile made(file);
    const ssize_t written = ::write(made.descriptor(), key.data(), key.size());
    if (written < 0) throw file_failure("write", file, errno);
    if (written != static_cast<ssize_t>(key.size())) throw file_failure("write", file, ENOSPC);
    if (::fsync(made.descriptor()) != 0) throw file_failure("write", file, errno);
    const int error = give_name(AT_FDCWD, made.name(), file, /*overwrite=*/false);
    if (error != 0 && error != EEXIST) throw file_failure("make", file, error);
}

}  // namespace

PersistentKey server_key(const std::string& file) {
    if (const auto key = read_key(file)) return *key;
    make_key(file);
    // Read back: of two servers that start together, both use the key of the first.
    if (const auto key = read_key(file)) return *key;
    throw file_failure("open", file, ENOENT);
}

}  // namespace stoq::tool
