#include "protection/keyring.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace stoq::protection {
namespace {

using crypto::CipherSuite;
using crypto::Direction;

constexpr CipherSuite kInitialSuite = CipherSuite::kAes128GcmSha256;

constexpr TransportError kUsedUp{.code = TransportErrorCode::kAeadLimitReached,
                                 .reason = Reason::kConfidentialityLimit};
constexpr TransportError kTooManyForgeries{.code = TransportErrorCode::kAeadLimitReached,
                                           .reason = Reason::kIntegrityLimit};

void drop_without_keys(std::span<PacketToOpen> packets) {
    for (PacketToOpen& packet : packets) {
        if (packet.drop == DropReason::kNone) packet.drop = DropReason::kKeysUnavailable;
    }
}

OpenOutcome open_level(PacketKeys& keys, std::span<PacketToOpen> packets,
                       PacketNumber next_expected) {
    remove_header_protection(*keys.header, packets);
    expand_packet_numbers(packets, next_expected);
    open(keys.payload, packets);
    OpenOutcome outcome;
    outcome.failed = static_cast<std::uint32_t>(std::ranges::count(
        packets, DropReason::kDecryptionFailed, [](const PacketToOpen& p) { return p.drop; }));
    return outcome;
}

}  // namespace

void Keyring::install_initial(Role role, ByteView destination_connection_id) {
    role_ = role;
    initial_destination_.assign(destination_connection_id);
    const auto secrets = derive_initial_secrets(initial_destination_.view(), *options_.version);
    install_initial(secrets, make_initial_keys(*options_.version, Direction::kOpen, secrets));
}

void Keyring::install_initial(ByteView destination_connection_id, InitialKeys made) {
    role_ = Role::kServer;
    initial_destination_.assign(destination_connection_id);
    install_initial(made.secrets, std::move(made.from_client));
}

void Keyring::install_initial(const InitialSecrets& secrets, PacketKeys receive) {
    LevelKeys& keys = keys_of(EncryptionLevel::kInitial);
    keys.send = make_initial_keys(*options_.version, Direction::kSeal, secrets);
    keys.receive = std::move(receive);
    keys.limits = limits_for(kInitialSuite);
    keys.sealed = 0;
    most_failed_ = std::min(most_failed_, keys.limits.most_failed);
    other_initial_.reset();
}

PacketKeys Keyring::make_initial_keys(const VersionConstants& version, Direction direction,
                                      const InitialSecrets& secrets) const {
    const bool from_client = (role_ == Role::kClient) == (direction == Direction::kSeal);
    return make_packet_keys({kInitialSuite, version.labels, options_.backend}, direction,
                            from_client ? secrets.client : secrets.server);
}

void Keyring::switch_version(const VersionConstants& version) {
    if (&version == options_.version) return;
    const VersionConstants* const former = std::exchange(options_.version, &version);
    LevelKeys& keys = keys_of(EncryptionLevel::kInitial);
    if (!keys.send || !keys.receive) return;
    OtherInitialKeys other{former, std::move(*keys.receive)};
    const auto secrets = derive_initial_secrets(initial_destination_.view(), version);
    keys.send = make_initial_keys(version, Direction::kSeal, secrets);
    keys.sealed = 0;
    keys.receive = make_initial_keys(version, Direction::kOpen, secrets);
    //= 9369-4.1-7
    other_initial_ = std::move(other);
}

// Made when they are first needed.
PacketKeys& Keyring::initial_receive_keys(const VersionConstants& version) {
    if (&version == options_.version) return *keys_of(EncryptionLevel::kInitial).receive;
    if (!other_initial_ || other_initial_->version != &version) {
        const auto secrets = derive_initial_secrets(initial_destination_.view(), version);
        other_initial_ =
            OtherInitialKeys{&version, make_initial_keys(version, Direction::kOpen, secrets)};
    }
    return other_initial_->receive;
}

void Keyring::install(EncryptionLevel level, Direction direction, CipherSuite suite,
                      const crypto::Secret& secret) {
    const KeyParameters parameters{suite, options_.version->labels, options_.backend};
    const bool send = direction == Direction::kSeal;
    const UsageLimits limits = limits_for(suite);
    most_failed_ = std::min(most_failed_, limits.most_failed);
    if (level == EncryptionLevel::kOneRtt) {
        send ? one_rtt_.install_send(parameters, secret.clone(), limits)
             : one_rtt_.install_receive(parameters, secret.clone());
        return;
    }
    LevelKeys& keys = keys_of(level);
    auto& slot = send ? keys.send : keys.receive;
    STOQ_CHECK(!slot);
    slot = make_packet_keys(parameters, direction, secret);
    if (!send) return;
    keys.limits = limits;
    keys.sealed = 0;
}

void Keyring::discard(EncryptionLevel level) {
    keys_of(level).send.reset();
    keys_of(level).receive.reset();
    if (level == EncryptionLevel::kInitial) other_initial_.reset();
}

bool Keyring::has_send_keys(EncryptionLevel level) const {
    if (level == EncryptionLevel::kOneRtt) return one_rtt_.has_send_keys();
    return keys_of(level).send.has_value();
}

bool Keyring::has_receive_keys(EncryptionLevel level) const {
    //= 9001-5.7-1
    //= 9001-5.7-2
    //= 9001-5.7-5
    if (level == EncryptionLevel::kOneRtt) {
        return handshake_complete_ && one_rtt_.has_receive_keys();
    }
    return keys_of(level).receive.has_value();
}

bool Keyring::seal(EncryptionLevel level, std::span<const PacketToSeal> packets) {
    if (level == EncryptionLevel::kOneRtt) return one_rtt_.seal(packets);
    LevelKeys& keys = keys_of(level);
    STOQ_CHECK(keys.send);
    //= 9001-6.6-2
    if (packets.size() > keys.limits.most_sealed - keys.sealed) return false;
    keys.sealed += packets.size();
    protection::seal(*keys.send, packets);
    return true;
}

OpenOutcome Keyring::open(EncryptionLevel level, std::span<PacketToOpen> packets,
                          const OpenContext& context) {
    if (!has_receive_keys(level)) {
        drop_without_keys(packets);
        return {};
    }
    OpenOutcome outcome;
    if (level == EncryptionLevel::kOneRtt) {
        outcome = one_rtt_.open(packets, context);
    } else {
        const bool other = level == EncryptionLevel::kInitial && context.initial_version != nullptr;
        PacketKeys& keys =
            other ? initial_receive_keys(*context.initial_version) : *keys_of(level).receive;
        outcome = open_level(keys, packets, context.next_expected);
    }
    count_failures(outcome);
    return outcome;
}

UsageLimits Keyring::limits_for(CipherSuite suite) const {
    return options_.limits.value_or(limits_of(suite));
}

void Keyring::count_failures(OpenOutcome& outcome) {
    //= 9001-6.6-6
    //= 9001-6.6-7
    failed_ += outcome.failed;
    if (failed_ > most_failed_ && !outcome.error) outcome.error = kTooManyForgeries;
}

std::optional<TransportError> Keyring::usage_error(EncryptionLevel level) const {
    if (level == EncryptionLevel::kOneRtt) return one_rtt_.usage_error();
    const LevelKeys& keys = keys_of(level);
    if (keys.send && keys.sealed >= keys.limits.close_after) return kUsedUp;
    return std::nullopt;
}

Keyring::LevelKeys& Keyring::keys_of(EncryptionLevel level) {
    STOQ_CHECK(level != EncryptionLevel::kOneRtt);
    return levels_[index_of(level)];
}

const Keyring::LevelKeys& Keyring::keys_of(EncryptionLevel level) const {
    STOQ_CHECK(level != EncryptionLevel::kOneRtt);
    return levels_[index_of(level)];
}

}  // namespace stoq::protection
