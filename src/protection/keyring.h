// All packet protection keys of one connection, by encryption level and direction.
//
// Keys appear as TLS yields secrets and go when a level is discarded (RFC 9001 section 4.9). The
// connection asks, hands over packets, and never sees a key.
#pragma once

#include <array>
#include <limits>
#include <optional>
#include <span>

#include "protection/initial_keys.h"
#include "protection/one_rtt_keys.h"
#include "wire/connection_id.h"

namespace stoq::protection {

// What a server makes of a client's first Initial packet to see whether it opens.
struct InitialKeys {
    InitialSecrets secrets;
    PacketKeys from_client;
};

struct KeyringOptions {
    const VersionConstants* version = &kQuicVersion1;
    crypto::Backend backend = crypto::Backend::kAutomatic;
    // Instead of those of the cipher suites; only ever lower than them.
    std::optional<UsageLimits> limits;
};

class Keyring {
public:
    Keyring() : Keyring(KeyringOptions{}) {}
    explicit Keyring(const KeyringOptions& options) : options_(options) {}

    // Initial keys of both directions (RFC 9001 section 5.2). Again after a Retry, with the
    // connection ID that the server chose: the first ones are replaced.
    void install_initial(Role role, ByteView destination_connection_id);
    // The same on a server that has made those of the client already.
    void install_initial(ByteView destination_connection_id, InitialKeys made);
    // Everything is of `version` from now on (RFC 9369 section 4.1): keys that are installed, and
    // those of Initial packets, of which the former version can still be opened. Before any other
    // keys are installed.
    void switch_version(const VersionConstants& version);
    // Keys from a TLS traffic secret. At the level kInitial use install_initial().
    void install(EncryptionLevel level, crypto::Direction direction, crypto::CipherSuite suite,
                 const crypto::Secret& secret);
    // Wipes the keys of both directions. They do not come back. Not for kOneRtt.
    void discard(EncryptionLevel level);

    bool has_send_keys(EncryptionLevel level) const;
    // For kOneRtt: false until the handshake is complete, whatever is installed
    // (RFC 9001 section 5.7).
    bool has_receive_keys(EncryptionLevel level) const;

    void on_handshake_complete() { handshake_complete_ = true; }
    void on_handshake_confirmed() { one_rtt_.on_handshake_confirmed(); }

    // Seals a train of packets of one level. Missing keys are a bug (checked). False, with nothing
    // sealed, when the keys are used up: the train must not be sent.
    [[nodiscard]] bool seal(EncryptionLevel level, std::span<const PacketToSeal> packets);

    // Opens a batch of packets of one level: each ends as `opened` or with its `drop` reason. If
    // there are no keys that reason is kKeysUnavailable and the bytes are untouched.
    OpenOutcome open(EncryptionLevel level, std::span<PacketToOpen> packets,
                     const OpenContext& context);

    // AEAD_LIMIT_REACHED when the keys for sending at this level are nearly used up. Ask before
    // sending.
    std::optional<TransportError> usage_error(EncryptionLevel level) const;

    // Key updates: initiate_update(), on_packets_acknowledged(), next_deadline() ...
    OneRttKeys& one_rtt() { return one_rtt_; }
    const OneRttKeys& one_rtt() const { return one_rtt_; }

private:
    struct LevelKeys {
        std::optional<PacketKeys> send;
        std::optional<PacketKeys> receive;
        std::uint64_t sealed = 0;
        UsageLimits limits{};
    };

    // Keys to open Initial packets of another version than options_.version.
    struct OtherInitialKeys {
        const VersionConstants* version = nullptr;
        PacketKeys receive;
    };

    void install_initial(const InitialSecrets& secrets, PacketKeys receive);
    PacketKeys make_initial_keys(const VersionConstants& version, crypto::Direction direction,
                                 const InitialSecrets& secrets) const;
    PacketKeys& initial_receive_keys(const VersionConstants& version);
    LevelKeys& keys_of(EncryptionLevel level);
    const LevelKeys& keys_of(EncryptionLevel level) const;
    UsageLimits limits_for(crypto::CipherSuite suite) const;
    void count_failures(OpenOutcome& outcome);

    KeyringOptions options_;
    Role role_ = Role::kClient;
    wire::ConnectionId initial_destination_;  // what Initial keys are made from
    std::array<LevelKeys, 3> levels_;         // all but kOneRtt
    std::optional<OtherInitialKeys> other_initial_;
    OneRttKeys one_rtt_;
    bool handshake_complete_ = false;
    std::uint64_t failed_ = 0;  // packets that did not open, over all keys
    // The strictest limit of all suites that were installed.
    std::uint64_t most_failed_ = std::numeric_limits<std::uint64_t>::max();
};

}  // namespace stoq::protection
