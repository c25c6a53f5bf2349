// Connection IDs from which a load balancer reads the server (draft-ietf-quic-load-balancers-21).
//
// First octet: the codepoint of the configuration, and the length of the rest or random bits. Then
// server ID and nonce: in the clear, or encrypted with a key that servers and load balancer share.
#pragma once

#include <optional>

#include "crypto/aes_block.h"
#include "path/connection_id_generator.h"
#include "stoq/settings.h"

namespace stoq::path {

// Encrypts and decrypts what is behind the first octet, 5 to 19 bytes, in place: in a single pass
// when there are 16, in four passes otherwise.
class QuicLbCipher {
public:
    explicit QuicLbCipher(ByteView key);

    void encrypt(Bytes text);
    void decrypt(Bytes text);

private:
    void run_passes(Bytes text, std::span<const std::uint8_t> passes);

    crypto::AesBlockCipher encrypt_;
    crypto::AesBlockCipher decrypt_;
};

class QuicLbGenerator final : public ConnectionIdGenerator {
public:
    static constexpr std::size_t kMinNonceLength = 4;
    static constexpr std::uint8_t kUnroutable = 7;  // reserved codepoint

    static bool is_valid(const QuicLbSettings& settings);
    static std::size_t length_of(const QuicLbSettings& settings);

    // `settings` must be valid (checked). Behind each ID another generator puts `behind` bytes.
    QuicLbGenerator(const QuicLbSettings& settings, RandomSource& random, std::size_t behind = 0);

    std::size_t length() const override;
    // Nonces never repeat: when all were used, the IDs are such that a load balancer cannot route.
    wire::ConnectionId generate(RandomSource& random) override;

    // The ID with this nonce. `random_bits`: for the first octet where it does not tell the length.
    wire::ConnectionId encode(ByteView nonce, std::uint8_t random_bits);
    // What a load balancer reads: the server ID in an ID of this configuration.
    std::optional<std::vector<std::uint8_t>> server_id_of(ByteView id);

private:
    std::uint8_t first_octet(std::uint8_t codepoint, std::uint8_t random_bits) const;
    void advance_nonce();

    QuicLbSettings settings_;
    std::size_t behind_;
    std::optional<QuicLbCipher> cipher_;
    std::array<std::uint8_t, wire::kMaxConnectionIdLength> nonce_{};  // the next; with a key only
    std::uint64_t nonces_left_ = 0;
};

}  // namespace stoq::path
