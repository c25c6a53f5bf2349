// Reading certificates and keys, and saying what is in them.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "stoq/identity.h"
#include "tls/library.h"
#include "tls/openssl_handles.h"
#include "tls/wiped_bytes.h"

namespace stoq::tls {

using DerBytes = std::vector<std::uint8_t>;

// A PEM file is not larger than this; a system's whole CA bundle is a quarter of a megabyte.
inline constexpr std::size_t kMaxPemLength = 8 * 1024 * 1024;

// @error kFileNotFound, kFileUnreadable
CredentialResult<WipedBytes> read_file(const std::filesystem::path& path);

// Every certificate in the text, in order; other blocks are skipped.
// @error kNoCertificate, kBadCertificate
CredentialResult<std::vector<CertificateHandle>> read_certificates(const Library& library,
                                                                   std::string_view pem);
// @error kNoKey, kBadKey, kEncryptedKey, kWrongPassPhrase
CredentialResult<KeyHandle> read_key(const Library& library, std::string_view pem,
                                     std::string_view pass_phrase);

// Null when the bytes are no certificate, or something follows it.
CertificateHandle certificate_from(const Library& library, ByteView der);
DerBytes der_of(const X509& certificate);

// PKCS#8. Empty when the key cannot be exported.
WipedBytes der_of(const EVP_PKEY& key);
KeyHandle key_from(const Library& library, ByteView der);

// SHA-256 of the SubjectPublicKeyInfo.
Sha256Digest fingerprint_of(const Library& library, const X509& certificate);
Sha256Digest fingerprint_of(const Library& library, EVP_PKEY& key);
// "EC", "ML-DSA-65", ...; "unknown" for null and for what OpenSSL has no name for.
std::string kind_of(const EVP_PKEY* key);
std::string to_hex(ByteView bytes);

// One line, control characters and the like escaped: safe to print.
std::string subject_of(const X509& certificate);
// "example.org, 192.0.2.1": the subject alternative names, at most a few, escaped.
std::string names_of(const X509& certificate);
std::chrono::sys_seconds time_of(const ASN1_TIME& time);

// A DNS name (a leading "*." is allowed if `wildcard`) that fits into a certificate.
bool is_dns_name(std::string_view name, bool wildcard);
// The 4 or 16 bytes of an IP address literal; null for anything else.
using AddressHandle = std::unique_ptr<ASN1_OCTET_STRING, Freeing<ASN1_OCTET_STRING_free>>;
AddressHandle address_from(const std::string& literal);

}  // namespace stoq::tls
