#include "tls/certificates.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "tls/openssl_error.h"

namespace stoq::tls {
namespace {

using Code = CredentialError::Code;
using File = std::unique_ptr<std::FILE, Freeing<std::fclose>>;
using KeyInfoHandle = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freeing<PKCS8_PRIV_KEY_INFO_free>>;
using NamesHandle = std::unique_ptr<GENERAL_NAMES, Freeing<GENERAL_NAMES_free>>;

std::unexpected<CredentialError> error(Code code, std::string detail) {
    return std::unexpected(CredentialError{code, std::move(detail)});
}

BioHandle borrow(std::string_view text) {
    return BioHandle(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string contents_of(BIO& bio) {
    char* data = nullptr;
    const long length = BIO_get_mem_data(&bio, &data);
    return {data, static_cast<std::size_t>(length)};
}

// Never asks at the terminal, as OpenSSL would without it.
int no_pass_phrase(char*, int, int, void*) {
    return -1;
}

int give_pass_phrase(char* buffer, int size, int, void* pass_phrase) {
    const auto& given = *static_cast<const std::string_view*>(pass_phrase);
    if (given.empty() || given.size() > static_cast<std::size_t>(size)) return -1;
    std::ranges::copy(given, buffer);
    return static_cast<int>(given.size());
}

bool is_end_of_pem(unsigned long code) {
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

std::string printable(std::string_view text) {
    std::string result;
    for (const char c : text) result.push_back(c >= ' ' && c <= '~' ? c : '?');
    return result;
}

std::string text_of(const GENERAL_NAME& name) {
    int kind = 0;
    const auto* value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(&name, &kind));
    if (kind != GEN_DNS && kind != GEN_IPADD) return {};
    const auto* data = ASN1_STRING_get0_data(value);
    const auto length = static_cast<std::size_t>(ASN1_STRING_length(value));
    if (kind == GEN_DNS) return printable({reinterpret_cast<const char*>(data), length});
    if (length != 4 && length != 16) return {};
    Address address;
    address.family = length == 4 ? Address::Family::kIpv4 : Address::Family::kIpv6;
    std::memcpy(address.ip.data(), data, length);
    const std::string text = to_string(address);
    return text.substr(0, text.rfind(':'));
}

}  // namespace

CredentialResult<WipedBytes> read_file(const std::filesystem::path& path) {
    const File file(std::fopen(path.c_str(), "rb"));
    if (!file) {
        const Code code = errno == ENOENT ? Code::kFileNotFound : Code::kFileUnreadable;
        return error(code, path.string() + ": " + std::strerror(errno));
    }
    struct stat status{};
    if (fstat(fileno(file.get()), &status) != 0 || !S_ISREG(status.st_mode) ||
        static_cast<std::uint64_t>(status.st_size) > kMaxPemLength) {
        return error(Code::kFileUnreadable, path.string() + ": not a file, or too large");
    }
    WipedBytes bytes(static_cast<std::size_t>(status.st_size));
    // Unbuffered, so that no copy of a key stays behind in the stream.
    std::setvbuf(file.get(), nullptr, _IONBF, 0);
    const Bytes room = bytes.writable();
    if (std::fread(room.data(), 1, room.size(), file.get()) != room.size()) {
        return error(Code::kFileUnreadable, path.string() + ": it changed while it was read");
    }
    return bytes;
}

CredentialResult<std::vector<CertificateHandle>> read_certificates(const Library& library,
                                                                   std::string_view pem) {
    if (pem.size() > kMaxPemLength) return error(Code::kBadCertificate, "the text is too long");
    ERR_clear_error();
    const BioHandle text = borrow(pem);
    std::vector<CertificateHandle> certificates;
    while (true) {
        X509* raw = X509_new_ex(library.get(), nullptr);
        const bool read = PEM_read_bio_X509(text.get(), &raw, no_pass_phrase, nullptr) != nullptr;
        CertificateHandle certificate(raw);
        if (!read) break;
        certificates.push_back(std::move(certificate));
    }
    const bool at_end = is_end_of_pem(ERR_peek_last_error());
    const OpensslError cause = take_openssl_error();
    if (!at_end) return error(Code::kBadCertificate, cause.text);
    if (certificates.empty()) return error(Code::kNoCertificate, {});
    return certificates;
}

CredentialResult<KeyHandle> read_key(const Library& library, std::string_view pem,
                                     std::string_view pass_phrase) {
    if (pem.size() > kMaxPemLength) return error(Code::kBadKey, "the text is too long");
    if (pem.find("PRIVATE KEY-----") == pem.npos) return error(Code::kNoKey, {});
    const bool encrypted = pem.find("ENCRYPTED") != pem.npos;
    if (encrypted && pass_phrase.empty()) return error(Code::kEncryptedKey, {});
    ERR_clear_error();
    const BioHandle text = borrow(pem);
    KeyHandle key(PEM_read_bio_PrivateKey_ex(text.get(), nullptr, give_pass_phrase, &pass_phrase,
                                             library.get(), nullptr));
    const OpensslError cause = take_openssl_error();
    if (!key) return error(encrypted ? Code::kWrongPassPhrase : Code::kBadKey, cause.text);
    return key;
}

CertificateHandle certificate_from(const Library& library, ByteView der) {
    X509* raw = X509_new_ex(library.get(), nullptr);
    const unsigned char* at = der.data();
    const bool read = d2i_X509(&raw, &at, static_cast<long>(der.size())) != nullptr;
    CertificateHandle certificate(raw);
    ERR_clear_error();
    if (!read || at != der.data() + der.size()) return nullptr;
    return certificate;
}

DerBytes der_of(const X509& certificate) {
    const int length = i2d_X509(&certificate, nullptr);
    DerBytes der(length > 0 ? static_cast<std::size_t>(length) : 0);
    unsigned char* at = der.data();
    if (length > 0) i2d_X509(&certificate, &at);
    return der;
}

WipedBytes der_of(const EVP_PKEY& key) {
    const KeyInfoHandle info(EVP_PKEY2PKCS8(&key));
    const int length = info ? i2d_PKCS8_PRIV_KEY_INFO(info.get(), nullptr) : 0;
    ERR_clear_error();
    if (length <= 0) return {};
    WipedBytes der(static_cast<std::size_t>(length));
    unsigned char* at = der.writable().data();
    i2d_PKCS8_PRIV_KEY_INFO(info.get(), &at);
    return der;
}

KeyHandle key_from(const Library& library, ByteView der) {
    const unsigned char* at = der.data();
    KeyHandle key(
        d2i_AutoPrivateKey_ex(nullptr, &at, static_cast<long>(der.size()), library.get(), nullptr));
    ERR_clear_error();
    return key;
}

Sha256Digest fingerprint_of(const Library& library, const X509& certificate) {
    unsigned char* der = nullptr;
    const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&certificate), &der);
    const std::size_t size = length > 0 ? static_cast<std::size_t>(length) : 0;
    const Sha256Digest digest = sha256(library, ByteView(der, size));
    OPENSSL_free(der);
    return digest;
}

Sha256Digest fingerprint_of(const Library& library, EVP_PKEY& key) {
    unsigned char* der = nullptr;
    const int length = i2d_PUBKEY(&key, &der);
    const std::size_t size = length > 0 ? static_cast<std::size_t>(length) : 0;
    const Sha256Digest digest = sha256(library, ByteView(der, size));
    OPENSSL_free(der);
    return digest;
}

std::string kind_of(const EVP_PKEY* key) {
    const char* name = key != nullptr ? EVP_PKEY_get0_type_name(key) : nullptr;
    return name != nullptr ? name : "unknown";
}

std::string to_hex(ByteView bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (const std::uint8_t byte : bytes) {
        text.push_back(kDigits[byte >> 4]);
        text.push_back(kDigits[byte & 15]);
    }
    return text;
}

std::string subject_of(const X509& certificate) {
    const BioHandle text(BIO_new(BIO_s_mem()));
    // RFC 2253 escapes control characters and everything that is not ASCII.
    X509_NAME_print_ex(text.get(), X509_get_subject_name(&certificate), 0,
                       XN_FLAG_RFC2253 & ~static_cast<unsigned long>(XN_FLAG_DN_REV));
    return contents_of(*text);
}

std::string names_of(const X509& certificate) {
    constexpr int kMostNames = 8;
    const NamesHandle names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
    const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
    std::string list;
    for (int i = 0; i < count && i < kMostNames; ++i) {
        const std::string name = text_of(*sk_GENERAL_NAME_value(names.get(), i));
        if (name.empty()) continue;
        if (!list.empty()) list += ", ";
        list += name;
    }
    return count > kMostNames ? list + ", ..." : list;
}

std::chrono::sys_seconds time_of(const ASN1_TIME& time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(&time, &parts) != 1) return {};
    return std::chrono::sys_seconds(std::chrono::seconds(timegm(&parts)));
}

bool is_dns_name(std::string_view name, bool wildcard) {
    if (wildcard && name.starts_with("*.")) name.remove_prefix(2);
    if (name.empty() || name.size() > 253) return false;
    std::size_t label = 0;
    for (const char c : name) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool allowed = letter || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (c == '.' ? label == 0 : !allowed) return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63) return false;
    }
    return label != 0;
}

AddressHandle address_from(const std::string& literal) {
    AddressHandle address(a2i_IPADDRESS(literal.c_str()));
    ERR_clear_error();
    return address;
}

}  // namespace stoq::tls
