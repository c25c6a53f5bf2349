#include "path/quic_lb.h"

#include <algorithm>

#include "base/check.h"

namespace stoq::path {
namespace {

constexpr std::size_t kMaxTextLength = wire::kMaxConnectionIdLength - 1;
constexpr std::size_t kMaxHalf = (kMaxTextLength + 1) / 2;

// Half of the text, rounded up; of an odd number of bytes each has a nibble that stays zero.
using Half = std::array<std::uint8_t, kMaxHalf>;

struct Halves {
    Half left{};
    Half right{};
};

std::size_t half_length(std::size_t length) {
    return (length + 1) / 2;
}

void clear_unused(Halves& halves, std::size_t length) {
    if (length % 2 == 0) return;
    halves.left[half_length(length) - 1] &= 0xf0;
    halves.right[0] &= 0x0f;
}

Halves split(ByteView text) {
    Halves halves;
    const std::size_t half = half_length(text.size());
    std::copy_n(text.begin(), half, halves.left.begin());
    std::copy_n(text.end() - static_cast<std::ptrdiff_t>(half), half, halves.right.begin());
    clear_unused(halves, text.size());
    return halves;
}

void join(const Halves& halves, Bytes text) {
    const std::size_t half = half_length(text.size());
    const std::size_t right_begin = text.size() - half;
    std::copy_n(halves.left.begin(), half, text.begin());
    // The middle byte of an odd number belongs to both.
    for (std::size_t i = 0; i < half; ++i) {
        const bool shared = right_begin + i < half;
        text[right_begin + i] = static_cast<std::uint8_t>(
            halves.right[i] | (shared ? text[right_begin + i] : std::uint8_t{0}));
    }
}

crypto::AesBlock expand(std::size_t length, std::uint8_t pass, const Half& half) {
    crypto::AesBlock block{};
    std::copy_n(half.begin(), half_length(length), block.begin());
    block[14] = static_cast<std::uint8_t>(length);
    block[15] = pass;
    return block;
}

}  // namespace

QuicLbCipher::QuicLbCipher(ByteView key)
    : encrypt_(key, crypto::Direction::kSeal), decrypt_(key, crypto::Direction::kOpen) {}

void QuicLbCipher::run_passes(Bytes text, std::span<const std::uint8_t> passes) {
    Halves halves = split(text);
    for (const std::uint8_t pass : passes) {
        // Odd passes change the right half by the left one, even passes the other way round.
        Half& from = pass % 2 == 1 ? halves.left : halves.right;
        Half& to = pass % 2 == 1 ? halves.right : halves.left;
        const crypto::AesBlock mask = encrypt_.apply(expand(text.size(), pass, from));
        for (std::size_t i = 0; i < half_length(text.size()); ++i) to[i] ^= mask[i];
        clear_unused(halves, text.size());
    }
    join(halves, text);
}

void QuicLbCipher::encrypt(Bytes text) {
    if (text.size() != crypto::kAesBlockSize) {
        return run_passes(text, std::array<std::uint8_t, 4>{1, 2, 3, 4});
    }
    crypto::AesBlock block;
    std::ranges::copy(text, block.begin());
    std::ranges::copy(encrypt_.apply(block), text.begin());
}

void QuicLbCipher::decrypt(Bytes text) {
    if (text.size() != crypto::kAesBlockSize) {
        return run_passes(text, std::array<std::uint8_t, 4>{4, 3, 2, 1});
    }
    crypto::AesBlock block;
    std::ranges::copy(text, block.begin());
    std::ranges::copy(decrypt_.apply(block), text.begin());
}

bool QuicLbGenerator::is_valid(const QuicLbSettings& settings) {
    return settings.codepoint < kUnroutable && !settings.server_id.empty() &&
           settings.nonce_length >= kMinNonceLength && settings.nonce_length <= kMaxTextLength &&
           settings.server_id.size() + settings.nonce_length <= kMaxTextLength;
}

QuicLbGenerator::QuicLbGenerator(const QuicLbSettings& settings, RandomSource& random,
                                 std::size_t behind)
    : settings_(settings), behind_(behind) {
    STOQ_CHECK(is_valid(settings));
    if (!settings.key) return;
    cipher_.emplace(*settings.key);
    // A counter from a random start does not meet itself before all nonces were used.
    random.fill(Bytes(nonce_).first(settings.nonce_length));
    const std::size_t bits = std::size_t{8} * settings.nonce_length;
    nonces_left_ = bits < 64 ? std::uint64_t{1} << bits : UINT64_MAX;
}

std::size_t QuicLbGenerator::length_of(const QuicLbSettings& settings) {
    return 1 + settings.server_id.size() + settings.nonce_length;
}

std::size_t QuicLbGenerator::length() const {
    return length_of(settings_);
}

std::uint8_t QuicLbGenerator::first_octet(std::uint8_t codepoint, std::uint8_t random_bits) const {
    const bool tells_length = settings_.encode_length || codepoint == kUnroutable;
    const std::uint8_t low = tells_length ? static_cast<std::uint8_t>(length() + behind_ - 1)
                                          : std::uint8_t(random_bits & 0x1f);
    return static_cast<std::uint8_t>(codepoint << 5 | low);
}

wire::ConnectionId QuicLbGenerator::encode(ByteView nonce, std::uint8_t random_bits) {
    STOQ_CHECK(nonce.size() == settings_.nonce_length);
    std::array<std::uint8_t, wire::kMaxConnectionIdLength> bytes{};
    bytes[0] = first_octet(settings_.codepoint, random_bits);
    const auto nonce_at = std::ranges::copy(settings_.server_id, bytes.begin() + 1).out;
    std::ranges::copy(nonce, nonce_at);
    if (cipher_) cipher_->encrypt(Bytes(bytes).subspan(1, length() - 1));
    return *wire::ConnectionId::from(ByteView(bytes).first(length()));
}

wire::ConnectionId QuicLbGenerator::generate(RandomSource& random) {
    std::array<std::uint8_t, wire::kMaxConnectionIdLength> bytes{};
    random.fill(Bytes(bytes).first(length()));
    if (!cipher_) return encode(ByteView(bytes).subspan(1, settings_.nonce_length), bytes[0]);
    if (nonces_left_ == 0) {
        bytes[0] = first_octet(kUnroutable, 0);
        return *wire::ConnectionId::from(ByteView(bytes).first(length()));
    }
    const wire::ConnectionId id = encode(ByteView(nonce_).first(settings_.nonce_length), bytes[0]);
    advance_nonce();
    return id;
}

void QuicLbGenerator::advance_nonce() {
    --nonces_left_;
    for (std::size_t i = settings_.nonce_length; i-- > 0;) {
        if (++nonce_[i] != 0) return;
    }
}

std::optional<std::vector<std::uint8_t>> QuicLbGenerator::server_id_of(ByteView id) {
    if (id.size() < length() || id[0] >> 5 != settings_.codepoint) return std::nullopt;
    std::vector<std::uint8_t> text(id.begin() + 1,
                                   id.begin() + static_cast<std::ptrdiff_t>(length()));
    if (cipher_) cipher_->decrypt(text);
    text.resize(settings_.server_id.size());
    return text;
}

}  // namespace stoq::path
