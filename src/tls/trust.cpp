#include <cctype>

#include "stoq/identity.h"
#include "tls/certificates.h"
#include "tls/identity_contents.h"

namespace stoq {
namespace {

using Code = CredentialError::Code;

int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const int lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::shared_ptr<Trust::Contents> contents_of(Trust::Contents::Kind kind) {
    auto contents = std::make_shared<Trust::Contents>();
    contents->kind = kind;
    return contents;
}

}  // namespace

Trust::Trust(std::shared_ptr<const Contents> contents) : contents_(std::move(contents)) {}

Trust Trust::system() {
    return Trust(contents_of(Contents::Kind::kSystem));
}

Trust Trust::insecure() {
    return Trust(contents_of(Contents::Kind::kInsecure));
}

bool Trust::is_insecure() const {
    return contents_->kind == Contents::Kind::kInsecure;
}

CredentialResult<Trust> Trust::ca_file(const std::filesystem::path& path) {
    const auto text = tls::read_file(path);
    if (!text) return std::unexpected(text.error());
    auto trust = ca_pem(text->text());
    if (!trust) {
        return std::unexpected(CredentialError{trust.error().code, path.string()});
    }
    return trust;
}

CredentialResult<Trust> Trust::ca_pem(std::string_view pem) {
    const tls::Library library;
    if (!library.is_usable()) return std::unexpected(CredentialError{Code::kInternal, {}});
    const auto certificates = tls::read_certificates(library, pem);
    if (!certificates) return std::unexpected(certificates.error());
    auto contents = contents_of(Contents::Kind::kAnchors);
    for (const auto& certificate : *certificates) {
        contents->anchors.push_back(tls::der_of(*certificate));
    }
    return Trust(std::move(contents));
}

CredentialResult<Trust> Trust::fingerprint(std::string_view hex_sha256) {
    auto contents = contents_of(Contents::Kind::kPinned);
    std::size_t digits = 0;
    for (const char c : hex_sha256) {
        if (c == ':') continue;
        const int digit = digit_of(c);
        if (digit < 0 || digits == 2 * contents->pin.size()) {
            digits = 0;
            break;
        }
        auto& byte = contents->pin[digits++ / 2];
        byte = static_cast<std::uint8_t>((byte << 4) | digit);
    }
    if (digits != 2 * contents->pin.size()) {
        return std::unexpected(CredentialError{Code::kBadFingerprint, std::string(hex_sha256)});
    }
    return Trust(std::move(contents));
}

}  // namespace stoq
