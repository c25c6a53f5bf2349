// Fresh keys with self-signed certificates (RFC 5280).
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "stoq/identity.h"
#include "tls/certificates.h"
#include "tls/openssl_error.h"

namespace stoq {
namespace {

using Code = CredentialError::Code;
using KeyContextHandle = std::unique_ptr<EVP_PKEY_CTX, tls::Freeing<EVP_PKEY_CTX_free>>;
using NameHandle = std::unique_ptr<GENERAL_NAME, tls::Freeing<GENERAL_NAME_free>>;
using NamesHandle = std::unique_ptr<GENERAL_NAMES, tls::Freeing<GENERAL_NAMES_free>>;
using ExtensionHandle = std::unique_ptr<X509_EXTENSION, tls::Freeing<X509_EXTENSION_free>>;
using NumberHandle = std::unique_ptr<BIGNUM, tls::Freeing<BN_free>>;

const char* name_of(KeyType type) {
    switch (type) {
        case KeyType::kP256: return "EC";
        case KeyType::kEd25519: return "ED25519";
        case KeyType::kFalcon512: return "falcon512";
        case KeyType::kFalcon1024: return "falcon1024";
        case KeyType::kFalconPadded512: return "falconpadded512";
        case KeyType::kFalconPadded1024: return "falconpadded1024";
        case KeyType::kP256Falcon512: return "p256_falcon512";
        case KeyType::kP521Falcon1024: return "p521_falcon1024";
        case KeyType::kP256FalconPadded512: return "p256_falconpadded512";
        case KeyType::kP521FalconPadded1024: return "p521_falconpadded1024";
    }
    std::unreachable();
}

tls::KeyHandle generate_key(const tls::Library& library, KeyType type) {
    const KeyContextHandle context(
        EVP_PKEY_CTX_new_from_name(library.get(), name_of(type), nullptr));
    EVP_PKEY* key = nullptr;
    if (!context || EVP_PKEY_keygen_init(context.get()) != 1 ||
        (type == KeyType::kP256 && EVP_PKEY_CTX_set_group_name(context.get(), "P-256") != 1) ||
        EVP_PKEY_generate(context.get(), &key) != 1) {
        return nullptr;
    }
    return tls::KeyHandle(key);
}

// Null unless `name` is a DNS name or an IP address literal.
NameHandle general_name(const std::string& name) {
    NameHandle result(GENERAL_NAME_new());
    if (auto address = tls::address_from(name)) {
        GENERAL_NAME_set0_value(result.get(), GEN_IPADD, address.release());
        return result;
    }
    if (!tls::is_dns_name(name, /*wildcard=*/true)) return nullptr;
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, name.data(), static_cast<int>(name.size()));
    GENERAL_NAME_set0_value(result.get(), GEN_DNS, text);
    return result;
}

CredentialResult<NamesHandle> general_names(const std::vector<std::string>& names) {
    NamesHandle list(GENERAL_NAMES_new());
    for (const std::string& name : names) {
        NameHandle entry = general_name(name);
        if (!entry) return std::unexpected(CredentialError{Code::kBadName, name});
        sk_GENERAL_NAME_push(list.get(), entry.release());
    }
    if (names.empty()) return std::unexpected(CredentialError{Code::kBadName, "no name given"});
    return list;
}

// 127 random bits, positive and not zero (RFC 5280 section 4.1.2.2).
bool set_serial_number(const tls::Library& library, X509& certificate) {
    std::array<std::uint8_t, 16> bytes{};
    if (RAND_bytes_ex(library.get(), bytes.data(), bytes.size(), 0) != 1) return false;
    bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x7f) | 0x40);
    const NumberHandle number(BN_bin2bn(bytes.data(), bytes.size(), nullptr));
    return BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

bool set_names(X509& certificate, const std::string& common_name) {
    constexpr std::size_t kLongestCommonName = 64;
    X509_NAME* name = X509_get_subject_name(&certificate);
    const auto* text = reinterpret_cast<const unsigned char*>(common_name.data());
    if (common_name.size() <= kLongestCommonName &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text,
                                   static_cast<int>(common_name.size()), -1, 0) != 1) {
        return false;
    }
    return X509_set_issuer_name(&certificate, name) == 1;
}

bool set_validity(X509& certificate, const IdentityRequest& request) {
    using namespace std::chrono;
    const sys_seconds begin =
        request.not_before.value_or(floor<seconds>(std::chrono::system_clock::now()) - hours(1));
    const sys_seconds end = begin + request.validity;
    return ASN1_TIME_set(X509_getm_notBefore(&certificate), begin.time_since_epoch().count()) &&
           ASN1_TIME_set(X509_getm_notAfter(&certificate), end.time_since_epoch().count());
}

bool add_extension(X509& certificate, int id, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, &certificate, &certificate, nullptr, nullptr, 0);
    const ExtensionHandle extension(X509V3_EXT_conf_nid(nullptr, &context, id, value));
    return extension && X509_add_ext(&certificate, extension.get(), -1) == 1;
}

bool add_extensions(X509& certificate, GENERAL_NAMES& names) {
    return add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth,clientAuth") &&
           add_extension(certificate, NID_subject_key_identifier, "hash") &&
           X509_add1_ext_i2d(&certificate, NID_subject_alt_name, &names, 0, 0) == 1;
}

// Schemes with a hash of their own are signed with a null digest.
const EVP_MD* digest_for(KeyType type) {
    return type == KeyType::kP256 ? EVP_sha256() : nullptr;
}

std::string text_of(const tls::BioHandle& bio) {
    char* data = nullptr;
    const long length = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(length)};
}

std::unexpected<CredentialError> internal_error() {
    return std::unexpected(CredentialError{Code::kInternal, tls::take_openssl_error().text});
}

}  // namespace

CredentialResult<PemIdentity> generate_identity(const IdentityRequest& request) {
    auto names = general_names(request.names);
    if (!names) return std::unexpected(names.error());
    const tls::Library library;
    if (!library.is_usable()) return internal_error();
    const tls::KeyHandle key = generate_key(library, request.key_type);
    const tls::CertificateHandle certificate(X509_new_ex(library.get(), nullptr));
    if (!key || !certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
        X509_set_pubkey(certificate.get(), key.get()) != 1 ||
        !set_serial_number(library, *certificate) ||
        !set_names(*certificate, request.names.front()) || !set_validity(*certificate, request) ||
        !add_extensions(*certificate, **names) ||
        X509_sign(certificate.get(), key.get(), digest_for(request.key_type)) <= 0) {
        return internal_error();
    }
    const tls::BioHandle certificate_text(BIO_new(BIO_s_mem()));
    const tls::BioHandle key_text(BIO_new(BIO_s_secmem()));  // wiped when it is freed
    if (PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                      nullptr) != 1) {
        return internal_error();
    }
    return PemIdentity(text_of(certificate_text), text_of(key_text));
}

}  // namespace stoq
