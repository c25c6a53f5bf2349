// Fresh keys and certificates for them (RFC 5280).
#include <openssl/err.h>
#include <openssl/rand.h>

#include "stoq/identity.h"
#include "tls/algorithms.h"
#include "tls/certificates.h"
#include "tls/identity_contents.h"
#include "tls/key_text.h"
#include "tls/openssl_error.h"

namespace stoq {
namespace {

using Code = CredentialError::Code;
using KeyContextHandle = std::unique_ptr<EVP_PKEY_CTX, tls::Freeing<EVP_PKEY_CTX_free>>;
using NameHandle = std::unique_ptr<GENERAL_NAME, tls::Freeing<GENERAL_NAME_free>>;
using NamesHandle = std::unique_ptr<GENERAL_NAMES, tls::Freeing<GENERAL_NAMES_free>>;
using ExtensionHandle = std::unique_ptr<X509_EXTENSION, tls::Freeing<X509_EXTENSION_free>>;
using NumberHandle = std::unique_ptr<BIGNUM, tls::Freeing<BN_free>>;

// Who signs: another's certificate and key, or the new ones themselves.
struct Issuer {
    std::vector<tls::CertificateHandle> chain;  // the issuer's certificate first; empty for itself
    tls::KeyHandle key;
};

tls::KeyHandle generate_key(const tls::Library& library, KeyType type) {
    const KeyContextHandle context(
        EVP_PKEY_CTX_new_from_name(library.get(), tls::key_algorithm(type), nullptr));
    EVP_PKEY* key = nullptr;
    if (!context || EVP_PKEY_keygen_init(context.get()) != 1 ||
        (type == KeyType::kP256 && EVP_PKEY_CTX_set_group_name(context.get(), "P-256") != 1) ||
        EVP_PKEY_generate(context.get(), &key) != 1) {
        return nullptr;
    }
    return tls::KeyHandle(key);
}

std::unexpected<CredentialError> internal_error() {
    return std::unexpected(CredentialError{Code::kInternal, tls::take_openssl_error().text});
}

CredentialResult<Issuer> issuer_of(const tls::Library& library, const IdentityRequest& request) {
    Issuer issuer;
    if (!request.issuer) return issuer;
    const Identity::Contents& contents = request.issuer->contents();
    issuer.key = tls::key_from(library, contents.key.view());
    for (const tls::DerBytes& der : contents.chain) {
        issuer.chain.push_back(tls::certificate_from(library, der));
        if (!issuer.chain.back()) return internal_error();
    }
    if (!issuer.key) return internal_error();
    if (issuer.chain.empty() || X509_check_ca(issuer.chain.front().get()) != 1) {
        return std::unexpected(CredentialError{Code::kBadIssuer, contents.subject});
    }
    return issuer;
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

constexpr std::size_t kLongestCommonName = 64;

bool set_names(X509& certificate, const std::string& common_name, const Issuer& issuer) {
    X509_NAME* name = X509_get_subject_name(&certificate);
    const auto* text = reinterpret_cast<const unsigned char*>(common_name.data());
    if (common_name.size() <= kLongestCommonName &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text,
                                   static_cast<int>(common_name.size()), -1, 0) != 1) {
        return false;
    }
    const X509_NAME* signer =
        issuer.chain.empty() ? name : X509_get_subject_name(issuer.chain.front().get());
    return X509_set_issuer_name(&certificate, signer) == 1;
}

bool set_validity(X509& certificate, const IdentityRequest& request) {
    using namespace std::chrono;
    const sys_seconds begin =
        request.not_before.value_or(floor<seconds>(std::chrono::system_clock::now()) - hours(1));
    const sys_seconds end = begin + request.validity;
    return ASN1_TIME_set(X509_getm_notBefore(&certificate), begin.time_since_epoch().count()) &&
           ASN1_TIME_set(X509_getm_notAfter(&certificate), end.time_since_epoch().count());
}

bool add_extension(X509& certificate, const Issuer& issuer, int id, const char* value) {
    X509* signer = issuer.chain.empty() ? &certificate : issuer.chain.front().get();
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer, &certificate, nullptr, nullptr, 0);
    const ExtensionHandle extension(X509V3_EXT_conf_nid(nullptr, &context, id, value));
    return extension && X509_add_ext(&certificate, extension.get(), -1) == 1;
}

// `names` is null for a certificate authority.
bool add_extensions(X509& certificate, const Issuer& issuer, GENERAL_NAMES* names) {
    const bool is_ca = names == nullptr;
    const auto add = [&](int id, const char* value) {
        return add_extension(certificate, issuer, id, value);
    };
    return add(NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
           add(NID_key_usage,
               is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
           (is_ca || add(NID_ext_key_usage, "serverAuth,clientAuth")) &&
           add(NID_subject_key_identifier, "hash") &&
           (issuer.chain.empty() || add(NID_authority_key_identifier, "keyid")) &&
           (is_ca || X509_add1_ext_i2d(&certificate, NID_subject_alt_name, names, 0, 0) == 1);
}

// Schemes with a hash of their own are signed with a null digest.
const EVP_MD* digest_for(EVP_PKEY& key) {
    char name[64] = {};
    const bool known = EVP_PKEY_get_default_digest_name(&key, name, sizeof name) > 0;
    ERR_clear_error();
    return known && std::string_view(name) != "UNDEF" ? EVP_get_digestbyname(name) : nullptr;
}

// The names of the certificate, or null for an authority, which has only a common name.
CredentialResult<NamesHandle> alternative_names(const IdentityRequest& request) {
    if (!request.is_ca) return general_names(request.names);
    const bool good = !request.names.empty() && !request.names.front().empty() &&
                      request.names.front().size() <= kLongestCommonName;
    if (good) return NamesHandle();
    return std::unexpected(CredentialError{
        Code::kBadName, request.names.empty() ? "no name given" : request.names.front()});
}

tls::CertificateHandle certify(const tls::Library& library, const IdentityRequest& request,
                               const Issuer& issuer, EVP_PKEY& key, GENERAL_NAMES* names) {
    tls::CertificateHandle certificate(X509_new_ex(library.get(), nullptr));
    EVP_PKEY& signer = issuer.key ? *issuer.key : key;
    if (!certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
        X509_set_pubkey(certificate.get(), &key) != 1 ||
        !set_serial_number(library, *certificate) ||
        !set_names(*certificate, request.names.front(), issuer) ||
        !set_validity(*certificate, request) || !add_extensions(*certificate, issuer, names) ||
        X509_sign(certificate.get(), &signer, digest_for(signer)) <= 0) {
        return nullptr;
    }
    return certificate;
}

// The certificate and the intermediates above it; peers have the root, or they do not trust it.
std::string chain_text(const X509& certificate, const Issuer& issuer) {
    std::string text = tls::pem_of(certificate);
    for (const tls::CertificateHandle& above : issuer.chain) {
        if (X509_self_signed(above.get(), 0) != 1) text += tls::pem_of(*above);
    }
    return text;
}

}  // namespace

CredentialResult<PemIdentity> generate_identity(const IdentityRequest& request) {
    const tls::Library library;
    if (!library.is_usable()) return internal_error();
    std::string certificate_text;
    auto issuer = issuer_of(library, request);
    if (!issuer) return std::unexpected(issuer.error());
    CredentialResult<NamesHandle> names;
    if (!request.raw) names = alternative_names(request);
    if (!names) return std::unexpected(names.error());
    const tls::KeyHandle key = generate_key(library, request.key_type);
    if (!key) return internal_error();
    if (!request.raw) {
        const auto certificate = certify(library, request, *issuer, *key, names->get());
        if (!certificate) return internal_error();
        certificate_text = chain_text(*certificate, *issuer);
    }
    std::string key_text = tls::pem_of(*key, request.pass_phrase);
    if (key_text.empty() || certificate_text.empty() != request.raw) return internal_error();
    return PemIdentity(std::move(certificate_text), std::move(key_text));
}

}  // namespace stoq
