// The sentences of CredentialError.
#include <array>
#include <utility>

#include "stoq/identity.h"

namespace stoq {
namespace {

using Code = CredentialError::Code;

std::string_view sentence_of(Code code) {
    switch (code) {
        case Code::kFileNotFound: return "no such file";
        case Code::kFileUnreadable: return "the file cannot be read";
        case Code::kNoCertificate: return "there is no PEM certificate in it";
        case Code::kBadCertificate: return "the certificate cannot be parsed";
        case Code::kNoKey: return "there is no PEM private key in it";
        case Code::kBadKey: return "the private key cannot be parsed, or is of an unknown kind";
        case Code::kEncryptedKey:
            return "the private key is protected by a pass phrase, and none was given";
        case Code::kWrongPassPhrase:
            return "the private key cannot be decrypted with that pass phrase";
        case Code::kKeyMismatch: return "the private key does not belong to the certificate";
        case Code::kKeyKindTwice: return "two identities have keys of the same kind";
        case Code::kBadFingerprint: return "a fingerprint has 64 hexadecimal digits (SHA-256)";
        case Code::kBadName: return "neither a DNS name nor an IP address";
        case Code::kBadGroups: return "the list of key exchange groups is not understood";
        case Code::kBadCipherSuites: return "no cipher suite is allowed";
        case Code::kBadAlpn: return "application protocols: at least one, of 1 to 255 bytes each";
        case Code::kNoIdentity: return "a server needs a certificate and its private key";
        case Code::kNoTrustAnchors: return "no certificate authorities were found";
        case Code::kBadIssuer: return "the issuer is not a certificate authority";
        case Code::kPolicyConflict: return "the settings contradict the post-quantum policy";
        case Code::kFileExists: return "the file exists already and is not overwritten";
        case Code::kFileNotWritten: return "the file cannot be written";
        case Code::kInternal: return "the TLS library failed";
    }
    std::unreachable();
}

}  // namespace

std::string CredentialError::message() const {
    std::string text(sentence_of(code));
    if (!detail.empty()) text.append(": ").append(detail);
    return text;
}

}  // namespace stoq
