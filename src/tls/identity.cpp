#include "stoq/identity.h"

#include <sys/stat.h>

#include <cerrno>

#include "tls/algorithms.h"
#include "tls/certificates.h"
#include "tls/identity_contents.h"

namespace stoq {
namespace {

using Code = CredentialError::Code;

// "detail" becomes "path: detail".
CredentialError located(CredentialError error, const std::filesystem::path& path) {
    error.detail = error.detail.empty() ? path.string() : path.string() + ": " + error.detail;
    return error;
}

void warn_of_readers(const std::filesystem::path& key, std::vector<std::string>& warnings) {
    struct stat status{};
    if (stat(key.c_str(), &status) != 0 || (status.st_mode & 0077) == 0) return;
    warnings.push_back("the private key " + key.string() +
                       " is open to other users of this machine; `chmod 600` closes it");
}

using ContentsResult = CredentialResult<std::shared_ptr<Identity::Contents>>;

ContentsResult contents_of(const tls::Library& library, EVP_PKEY& key) {
    auto contents = std::make_shared<Identity::Contents>();
    contents->key = tls::der_of(key);
    if (contents->key.view().empty()) return std::unexpected(CredentialError{Code::kBadKey, {}});
    contents->fingerprint = tls::to_hex(tls::fingerprint_of(library, key));
    contents->key_kind = tls::kind_of(&key);
    contents->not_before = std::chrono::sys_seconds::min();
    contents->not_after = std::chrono::sys_seconds::max();
    return contents;
}

ContentsResult parse_key(const tls::Library& library, std::string_view pem,
                         std::string_view pass_phrase) {
    if (!library.is_usable()) return std::unexpected(CredentialError{Code::kInternal, {}});
    const auto key = tls::read_key(library, pem, pass_phrase);
    if (!key) return std::unexpected(key.error());
    return contents_of(library, **key);
}

ContentsResult parse(std::string_view certificate_pem, std::string_view key_pem,
                     std::string_view pass_phrase) {
    const tls::Library library;
    if (!library.is_usable()) return std::unexpected(CredentialError{Code::kInternal, {}});
    const auto chain = tls::read_certificates(library, certificate_pem);
    if (!chain) return std::unexpected(chain.error());
    const auto key = tls::read_key(library, key_pem, pass_phrase);
    if (!key) return std::unexpected(key.error());
    const X509& leaf = *chain->front();
    if (X509_check_private_key(&leaf, key->get()) != 1) {
        return std::unexpected(CredentialError{Code::kKeyMismatch, {}});
    }
    auto contents = contents_of(library, **key);
    if (!contents) return contents;
    // As it is written there: an elliptic curve's point has more than one spelling.
    (*contents)->fingerprint = tls::to_hex(tls::fingerprint_of(library, leaf));
    for (const auto& certificate : *chain) (*contents)->chain.push_back(tls::der_of(*certificate));
    (*contents)->subject = tls::subject_of(leaf);
    (*contents)->not_before = tls::time_of(*X509_get0_notBefore(&leaf));
    (*contents)->not_after = tls::time_of(*X509_get0_notAfter(&leaf));
    return contents;
}

}  // namespace

Identity::Identity(std::shared_ptr<const Contents> contents) : contents_(std::move(contents)) {}

CredentialResult<Identity> Identity::load(const std::filesystem::path& directory,
                                          std::string_view pass_phrase) {
    struct stat status{};
    const auto certificate = directory / "cert.pem";
    const auto key = directory / "key.pem";
    const bool raw = stat(certificate.c_str(), &status) != 0 && errno == ENOENT;
    return raw ? raw_from_file(key, pass_phrase) : from_files(certificate, key, pass_phrase);
}

CredentialResult<Identity> Identity::from_files(const std::filesystem::path& certificate,
                                                const std::filesystem::path& key,
                                                std::string_view pass_phrase) {
    const auto certificate_text = tls::read_file(certificate);
    if (!certificate_text) return std::unexpected(certificate_text.error());
    const auto key_text = tls::read_file(key);
    if (!key_text) return std::unexpected(key_text.error());
    auto contents = parse(certificate_text->text(), key_text->text(), pass_phrase);
    if (!contents) {
        const Code code = contents.error().code;
        const bool of_certificate = code == Code::kNoCertificate || code == Code::kBadCertificate;
        return std::unexpected(located(contents.error(), of_certificate ? certificate : key));
    }
    warn_of_readers(key, (*contents)->warnings);
    return Identity(std::move(*contents));
}

CredentialResult<Identity> Identity::raw_from_file(const std::filesystem::path& key,
                                                   std::string_view pass_phrase) {
    const auto text = tls::read_file(key);
    if (!text) return std::unexpected(text.error());
    auto contents = parse_key(tls::Library(), text->text(), pass_phrase);
    if (!contents) return std::unexpected(located(contents.error(), key));
    warn_of_readers(key, (*contents)->warnings);
    return Identity(std::move(*contents));
}

CredentialResult<Identity> Identity::from_pem(std::string_view certificate_pem,
                                              std::string_view key_pem,
                                              std::string_view pass_phrase) {
    auto contents = parse(certificate_pem, key_pem, pass_phrase);
    if (!contents) return std::unexpected(contents.error());
    return Identity(std::move(*contents));
}

CredentialResult<Identity> Identity::raw_from_pem(std::string_view key_pem,
                                                  std::string_view pass_phrase) {
    auto contents = parse_key(tls::Library(), key_pem, pass_phrase);
    if (!contents) return std::unexpected(contents.error());
    return Identity(std::move(*contents));
}

bool Identity::is_raw() const {
    return contents_->chain.empty();
}
bool Identity::is_post_quantum() const {
    return tls::is_post_quantum_key(contents_->key_kind);
}
const std::string& Identity::fingerprint() const {
    return contents_->fingerprint;
}
const std::string& Identity::key_kind() const {
    return contents_->key_kind;
}
const std::string& Identity::subject() const {
    return contents_->subject;
}
std::chrono::sys_seconds Identity::not_before() const {
    return contents_->not_before;
}
std::chrono::sys_seconds Identity::not_after() const {
    return contents_->not_after;
}
const std::vector<std::string>& Identity::warnings() const {
    return contents_->warnings;
}

}  // namespace stoq
