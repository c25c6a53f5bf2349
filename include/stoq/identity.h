// Who we are and whom we believe: identities, trust, and the TLS settings of an endpoint.
//
// Everything here is a value that is cheap to copy: identities and trust share immutable contents.
// Files are read and written only by the functions that are given a path (and, for Trust::system(),
// when an endpoint begins to use it). No type of the TLS library is visible.
//
//     auto identity = stoq::Identity::load("id");     // id/cert.pem, id/key.pem
//     if (!identity) std::puts(identity.error().message().c_str());
//     stoq::Credentials server{.identities = {*identity}, .alpn = {"echo"}};
//
//     auto trust = stoq::Trust::fingerprint("9f86d0818...");   // or ca_file(), or system()
//     stoq::Credentials client{.trust = *trust, .alpn = {"echo"}};
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stoq/error.h"
#include "stoq/types.h"

namespace stoq {

// Why an identity, a trust anchor or a TLS setting could not be used.
struct CredentialError {
    enum class Code : std::uint8_t {
        kFileNotFound,
        kFileUnreadable,   // exists, but cannot be read: permissions, a directory, too large
        kNoCertificate,    // no PEM certificate in the text
        kBadCertificate,   // a certificate that cannot be parsed
        kNoKey,            // no PEM private key in the text
        kBadKey,           // a key that cannot be parsed, or of a kind that is not known here
        kEncryptedKey,     // the key is protected by a pass phrase, and none was given
        kWrongPassPhrase,  // the key cannot be decrypted with the given one
        kKeyMismatch,      // the key does not belong to the certificate
        kKeyKindTwice,     // two identities with keys of one kind in one Credentials
        kBadFingerprint,   // not 64 hexadecimal digits
        kBadName,          // neither a DNS name nor an IP address literal
        kBadGroups,        // unknown key exchange groups
        kBadCipherSuites,  // none left
        kBadAlpn,          // empty, or a protocol name of 0 or more than 255 bytes
        kNoIdentity,       // a server needs one
        kNoTrustAnchors,   // no usable CA certificate was found
        kBadIssuer,        // not a certificate authority, or its certificate is missing
        kPolicyConflict,   // a setting cannot be had together with the policy
        kFileExists,       // save() does not overwrite
        kFileNotWritten,
        kInternal,  // the TLS library failed in a way that is not the caller's doing
    };

    Code code = Code::kInternal;
    // The file name, and what the TLS library or the system said about it. May be empty.
    std::string detail;

    // One line for people: "the private key does not belong to the certificate: id/key.pem".
    std::string message() const;
};

template <typename T>
using CredentialResult = Result<T, CredentialError>;

// --- Identities ----------------------------------------------------------------------------------

// A private key and what proves whose it is: a certificate chain, or nothing but the key itself (a
// raw public key, RFC 7250), which peers pin. Immutable; copies share it; the key is wiped from
// memory with the last copy.
//
// Keys protected by a pass phrase (PKCS#8) are decrypted on loading; the pass phrase is the
// caller's to wipe. It is not looked at for other keys.
class Identity {
public:
    // Reads `directory`/cert.pem (leaf first, then intermediates) and `directory`/key.pem. Without
    // a cert.pem it is the raw key.
    static CredentialResult<Identity> load(const std::filesystem::path& directory,
                                           std::string_view pass_phrase = {});
    static CredentialResult<Identity> from_files(const std::filesystem::path& certificate,
                                                 const std::filesystem::path& key,
                                                 std::string_view pass_phrase = {});
    // `certificate_pem` holds one or more CERTIFICATE blocks, leaf first; `key_pem` one private
    // key.
    static CredentialResult<Identity> from_pem(std::string_view certificate_pem,
                                               std::string_view key_pem,
                                               std::string_view pass_phrase = {});
    // The key alone: a raw public key.
    static CredentialResult<Identity> raw_from_file(const std::filesystem::path& key,
                                                    std::string_view pass_phrase = {});
    static CredentialResult<Identity> raw_from_pem(std::string_view key_pem,
                                                   std::string_view pass_phrase = {});

    // Whether it has no certificate.
    bool is_raw() const;
    // Whether its key withstands a quantum computer: Falcon, ML-DSA, and hybrids with them.
    bool is_post_quantum() const;
    // SHA-256 of the key's SubjectPublicKeyInfo, 64 lower-case hexadecimal digits: what a peer
    // pins with Trust::fingerprint().
    const std::string& fingerprint() const;
    // The kind of key: "EC", "ED25519", "ML-DSA-65", ...
    const std::string& key_kind() const;
    // Subject of the leaf, such as "CN=example.org". For display. Empty for a raw key.
    const std::string& subject() const;
    // The leaf's validity. A raw key has none: sys_seconds::min() and max().
    std::chrono::sys_seconds not_before() const;
    std::chrono::sys_seconds not_after() const;
    // Things that work but should be mended, one sentence each, such as a key file that others may
    // read. Empty when there are none.
    const std::vector<std::string>& warnings() const;

    // For src/tls.
    struct Contents;
    const Contents& contents() const { return *contents_; }

private:
    explicit Identity(std::shared_ptr<const Contents> contents);
    std::shared_ptr<const Contents> contents_;
};

// The Falcon and ML-DSA kinds are post-quantum; the hybrids hold a signature of each kind to be
// right. Falcon needs a build with liboqs.
enum class KeyType : std::uint8_t {
    kP256,
    kEd25519,
    kMlDsa65,
    kMlDsa87,
    kFalcon512,
    kFalcon1024,
    kFalconPadded512,  // signatures of one fixed length
    kFalconPadded1024,
    kP256Falcon512,
    kP521Falcon1024,
    kP256FalconPadded512,
    kP521FalconPadded1024,
};

struct IdentityRequest {
    KeyType key_type = KeyType::kP256;
    // Subject alternative names: DNS names ("*.example.org" too) or IP address literals. The first
    // is also the common name. At least one, unless it is raw. Of a certificate authority only the
    // first is used, as the common name, and it may be any text of 1 to 64 characters.
    std::vector<std::string> names = {"localhost"};
    // Unset: an hour ago by the system's clock, for peers whose clocks are late.
    std::optional<std::chrono::sys_seconds> not_before{};
    std::chrono::hours validity = std::chrono::hours(24 * 365);
    // May sign other certificates, and be `issuer` of them (RFC 5280 section 4.2.1.9).
    bool is_ca = false;
    // Signs the certificate. Unset: the key itself does.
    std::optional<Identity> issuer{};
    // No certificate at all: a raw public key (RFC 7250).
    bool raw = false;
    // Protects the private key (PKCS#8 with scrypt and AES-256); borrowed. Empty: it is not.
    std::string_view pass_phrase{};
};

// A certificate with its intermediates, and its private key, as PEM text. The certificate of a raw
// key is empty. The key is wiped when the object goes.
class PemIdentity {
public:
    PemIdentity(std::string certificate, std::string key);
    PemIdentity(PemIdentity&&) noexcept;
    PemIdentity& operator=(PemIdentity&&) noexcept;
    ~PemIdentity();

    const std::string& certificate() const { return certificate_; }
    const std::string& key() const { return key_; }

    // Writes `directory`/cert.pem (mode 0644) and `directory`/key.pem (mode 0600), creating the
    // directory (mode 0700) when it is not there. A raw key has no cert.pem.
    // @error kFileExists when one of the two exists already: nothing is overwritten.
    CredentialResult<void> save(const std::filesystem::path& directory) const;

private:
    std::string certificate_;
    std::string key_;
};

// A fresh key and a certificate for it, for servers and clients alike.
// @error kBadName, kBadIssuer
CredentialResult<PemIdentity> generate_identity(const IdentityRequest& request);

// --- Trust ---------------------------------------------------------------------------------------

// How a peer's certificate or raw public key is judged. Possession of the private key is proved in
// every case.
class Trust {
public:
    // The certificate authorities of this machine. SSL_CERT_FILE and SSL_CERT_DIR are honoured.
    static Trust system();
    // The certificate authorities in a PEM file. A self-signed certificate is its own authority.
    static CredentialResult<Trust> ca_file(const std::filesystem::path& path);
    static CredentialResult<Trust> ca_pem(std::string_view pem);
    // Exactly the key with this fingerprint (see Identity::fingerprint), whatever name, date and
    // issuer its certificate carries, if it has one. Colons between the digits and upper case are
    // accepted.
    static CredentialResult<Trust> fingerprint(std::string_view hex_sha256);
    // Anybody. There is no protection against a man in the middle: for tests and experiments.
    static Trust insecure();

    bool is_insecure() const;

    // For src/tls.
    struct Contents;
    const Contents& contents() const { return *contents_; }

private:
    explicit Trust(std::shared_ptr<const Contents> contents);
    std::shared_ptr<const Contents> contents_;
};

// Whether a server asks clients for a certificate (RFC 9001 section 4.4).
enum class ClientAuthentication : std::uint8_t { kNone, kOptional, kRequired };

// --- TLS settings --------------------------------------------------------------------------------

// The AEADs that may be negotiated (RFC 9001 section 5.3). At least one. A server prefers them in
// this order, unless the client puts ChaCha20 first, as one without AES instructions does.
struct CipherSuites {
    bool aes_128_gcm = true;
    bool aes_256_gcm = true;
    bool chacha20_poly1305 = true;
};

// What is asked of a part of the handshake with regard to quantum computers. Both sides look at
// what was negotiated, not only at what was offered.
enum class PostQuantum : std::uint8_t {
    kOff,      // classical algorithms only
    kPrefer,   // post-quantum where the peer can, classical where it or the path cannot
    kRequire,  // post-quantum, or no connection
};

struct PostQuantumPolicy {
    // Against recording today and decrypting later. Unset: kRequire when every protocol of
    // Credentials::alpn is one of STOQ's own (its name begins with "stoq"), else kPrefer.
    std::optional<PostQuantum> key_exchange{};
    // Against impersonation during the handshake. kRequire: the signature and every key of the
    // chain that was relied on are post-quantum; a server asks the same of client certificates.
    PostQuantum authentication = PostQuantum::kPrefer;
};

// Whether keys without certificates may prove an identity (RFC 7250).
enum class RawPublicKeys : std::uint8_t {
    kOff,      // certificates only
    kPrefer,   // raw keys where the peer can, certificates where it cannot
    kRequire,  // raw keys, or no connection
};

// Everything TLS needs to know. One value may serve any number of connections, as client or server.
struct Credentials {
    // Server: at least one; the first in the order of our preference that suits the client's
    // signature schemes is used, post-quantum before classical, so that one server serves both
    // kinds of client. One identity per kind of key. Client: shown when the server asks.
    // @error kPolicyConflict: a server without any that the policy allows.
    std::vector<Identity> identities{};

    // How the peer is judged. A server uses it for client certificates. Unset: Trust::system().
    std::optional<Trust> trust{};
    ClientAuthentication client_authentication = ClientAuthentication::kNone;

    // Application protocols, most preferred first. Client: offered. Server: accepted. At least one
    // (RFC 9001 section 8.1).
    std::vector<std::string> alpn{};

    PostQuantumPolicy post_quantum{};
    // Only what `trust` can judge is asked for: a raw key is judged by its fingerprint. Unset: a
    // server sends its raw key to clients that ask for it; a client asks when it pins one, and
    // shows its own identity raw when that has no certificate.
    // @error kPolicyConflict: kRequire with trust in certificate authorities, or kOff with an
    //        identity that is raw.
    std::optional<RawPublicKeys> raw_public_keys{};

    // Key exchange groups, in the notation of OpenSSL's SSL_CTX_set1_groups_list: names separated
    // by colons; `*` marks those for which a client sends a key share; `/` separates classes of
    // preference: a server asks for a retry rather than take a group of a lower class. Empty: they
    // follow from the policy, with X25519MLKEM768 first; SecP384r1MLKEM1024 and MLKEM1024 are
    // there for users who are bound to CNSA 2.0.
    // @error kPolicyConflict: post-quantum key exchange is required and the list has other groups.
    std::string groups{};
    CipherSuites cipher_suites{};

    // Certificates travel compressed (RFC 8879: zstd, zlib) where both sides want that. Falcon and
    // ML-DSA certificates hardly shrink; chains of classical ones do.
    bool certificate_compression = false;

    // Server: sends tickets, and resumes from them. Client: asks for them; they come as
    // TicketReceived events.
    bool session_tickets = true;
    // Server: tickets allow 0-RTT data, and it is accepted from then on. Client: sends it when a
    // ticket allows it. 0-RTT data has no forward secrecy. A copy of it is refused
    // (EndpointSettings::early_data_register), but an attacker who keeps the client from hearing
    // the server's answer can have the client say the same twice, early and then as ordinary data
    // (RFC 9001 section 9.2). Only for requests that may be carried out twice.
    bool early_data = false;

    // The time at which certificates are judged. Unset: the system's clock. For simulations.
    std::optional<std::chrono::sys_seconds> verification_time{};

    // Gets every line of an NSS key log, without the line end. Whoever has these lines can read the
    // connections: for debugging only. Called from the endpoint's thread.
    std::function<void(std::string_view line)> key_log{};
};

// Whether an endpoint in this role can use them, and if not, why.
CredentialResult<void> check_credentials(Role role, const Credentials& credentials);

}  // namespace stoq
