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
        kEncryptedKey,     // the key is protected by a pass phrase
        kKeyMismatch,      // the key does not belong to the certificate
        kKeyKindTwice,     // two identities with keys of one kind in one Credentials
        kBadFingerprint,   // not 64 hexadecimal digits
        kBadName,          // neither a DNS name nor an IP address literal
        kBadGroups,        // unknown key exchange groups
        kBadCipherSuites,  // none left
        kBadAlpn,          // empty, or a protocol name of 0 or more than 255 bytes
        kNoIdentity,       // a server needs one
        kNoTrustAnchors,   // no usable CA certificate was found
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

// A certificate chain and its private key. Immutable; copies share it; the key is wiped from memory
// with the last copy.
class Identity {
public:
    // Reads `directory`/cert.pem (leaf first, then intermediates) and `directory`/key.pem.
    static CredentialResult<Identity> load(const std::filesystem::path& directory);
    static CredentialResult<Identity> from_files(const std::filesystem::path& certificate,
                                                 const std::filesystem::path& key);
    // `certificate_pem` holds one or more CERTIFICATE blocks, leaf first; `key_pem` one unencrypted
    // private key.
    static CredentialResult<Identity> from_pem(std::string_view certificate_pem,
                                               std::string_view key_pem);

    // SHA-256 of the leaf's SubjectPublicKeyInfo, 64 lower-case hexadecimal digits: what a peer
    // pins with Trust::fingerprint().
    const std::string& fingerprint() const;
    // The kind of key: "EC", "ED25519", ...
    const std::string& key_kind() const;
    // Subject of the leaf, such as "CN=example.org". For display.
    const std::string& subject() const;
    // The leaf's validity.
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

// The Falcon kinds are post-quantum; the hybrids hold a signature of each kind to be right. They
// need a build with liboqs.
enum class KeyType : std::uint8_t {
    kP256,
    kEd25519,
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
    // is also the common name. At least one.
    std::vector<std::string> names = {"localhost"};
    // Unset: an hour ago by the system's clock, for peers whose clocks are late.
    std::optional<std::chrono::sys_seconds> not_before{};
    std::chrono::hours validity = std::chrono::hours(24 * 365);
};

// A certificate and its private key as PEM text. The key is wiped when the object goes.
class PemIdentity {
public:
    PemIdentity(std::string certificate, std::string key);
    PemIdentity(PemIdentity&&) noexcept;
    PemIdentity& operator=(PemIdentity&&) noexcept;
    ~PemIdentity();

    const std::string& certificate() const { return certificate_; }
    const std::string& key() const { return key_; }

    // Writes `directory`/cert.pem (mode 0644) and `directory`/key.pem (mode 0600), creating the
    // directory (mode 0700) when it is not there.
    // @error kFileExists when one of the two exists already: nothing is overwritten.
    CredentialResult<void> save(const std::filesystem::path& directory) const;

private:
    std::string certificate_;
    std::string key_;
};

// A fresh key and a self-signed certificate for it, for servers and clients alike.
// @error kBadName
CredentialResult<PemIdentity> generate_identity(const IdentityRequest& request);

// --- Trust ---------------------------------------------------------------------------------------

// How a peer's certificate is judged. Possession of the private key is proved in every case.
class Trust {
public:
    // The certificate authorities of this machine. SSL_CERT_FILE and SSL_CERT_DIR are honoured.
    static Trust system();
    // The certificate authorities in a PEM file. A self-signed certificate is its own authority.
    static CredentialResult<Trust> ca_file(const std::filesystem::path& path);
    static CredentialResult<Trust> ca_pem(std::string_view pem);
    // Exactly the key with this fingerprint (see Identity::fingerprint), whatever name, date and
    // issuer its certificate carries. Colons between the digits and upper case are accepted.
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

// Post-quantum hybrid first, with a classical key share sent along so that servers without it still
// answer in one round trip.
inline constexpr std::string_view kDefaultGroups = "*X25519MLKEM768 / *X25519:P-256:P-384";

// Everything TLS needs to know. One value may serve any number of connections, as client or server.
struct Credentials {
    // Server: at least one; the key that suits the client's signature schemes is used, so one
    // identity per kind of key. Client: shown when the server asks.
    std::vector<Identity> identities{};

    // How the peer is judged. A server uses it for client certificates. Unset: Trust::system().
    std::optional<Trust> trust{};
    ClientAuthentication client_authentication = ClientAuthentication::kNone;

    // Application protocols, most preferred first. Client: offered. Server: accepted. At least one
    // (RFC 9001 section 8.1).
    std::vector<std::string> alpn{};

    // Key exchange groups, in the notation of OpenSSL's SSL_CTX_set1_groups_list: names separated
    // by colons; `*` marks those for which a client sends a key share; `/` separates classes of
    // preference: a server asks for a retry rather than take a group of a lower class.
    std::string groups{kDefaultGroups};
    CipherSuites cipher_suites{};

    // Server: sends tickets, and resumes from them. Client: asks for them; the endpoint does not
    // hand them to the application yet, so its own connections begin with a full handshake.
    bool session_tickets = true;
    // Server: tickets allow 0-RTT data; clients: use it when a ticket allows it. 0-RTT data can be
    // replayed by an attacker (RFC 9001 section 9.2). An endpoint does not use 0-RTT yet: it treats
    // this as false.
    bool early_data = false;

    // The time at which certificates are judged. Unset: the system's clock. For simulations.
    std::optional<std::chrono::sys_seconds> verification_time{};

    // Gets every line of an NSS key log, without the line end. Whoever has these lines can read the
    // connections: for debugging only. Called from the endpoint's thread.
    std::function<void(std::string_view line)> key_log{};
};

}  // namespace stoq
