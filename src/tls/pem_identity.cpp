#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "crypto/secret.h"
#include "stoq/identity.h"

namespace stoq {
namespace {

using Code = CredentialError::Code;

void wipe(std::string& text) {
    crypto::wipe(Bytes(reinterpret_cast<std::uint8_t*>(text.data()), text.size()));
    text.clear();
}

std::unexpected<CredentialError> failed(const std::filesystem::path& path) {
    const Code code = errno == EEXIST ? Code::kFileExists : Code::kFileNotWritten;
    return std::unexpected(CredentialError{code, path.string() + ": " + std::strerror(errno)});
}

bool write_all(int file, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(file, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

// Creates the file with `mode` from its first moment on; never follows or overwrites anything.
CredentialResult<void> write_new_file(const std::filesystem::path& path, std::string_view text,
                                      mode_t mode) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0) return failed(path);
    const bool written = write_all(file, text);
    if (::close(file) != 0 || !written) {
        const auto error = failed(path);
        ::unlink(path.c_str());
        return error;
    }
    return {};
}

}  // namespace

PemIdentity::PemIdentity(std::string certificate, std::string key)
    : certificate_(std::move(certificate)), key_(std::move(key)) {}

PemIdentity::PemIdentity(PemIdentity&& other) noexcept {
    *this = std::move(other);
}

PemIdentity& PemIdentity::operator=(PemIdentity&& other) noexcept {
    certificate_.swap(other.certificate_);
    key_.swap(other.key_);
    return *this;
}

PemIdentity::~PemIdentity() {
    wipe(key_);
}

CredentialResult<void> PemIdentity::save(const std::filesystem::path& directory) const {
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return failed(directory);
    const auto certificate = directory / "cert.pem";
    const auto key = directory / "key.pem";
    if (::access(certificate.c_str(), F_OK) == 0) {
        return std::unexpected(CredentialError{Code::kFileExists, certificate.string()});
    }
    if (auto saved = write_new_file(key, key_, 0600); !saved || certificate_.empty()) return saved;
    auto saved = write_new_file(certificate, certificate_, 0644);
    if (!saved) ::unlink(key.c_str());
    return saved;
}

}  // namespace stoq
