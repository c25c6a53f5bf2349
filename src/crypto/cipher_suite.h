// The TLS 1.3 cipher suites that QUIC uses, and what each one means for packet protection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace stoq::crypto {

enum class HashAlgorithm : std::uint8_t { kSha256, kSha384 };

constexpr std::size_t digest_size(HashAlgorithm hash) {
    return hash == HashAlgorithm::kSha256 ? 32 : 48;
}

// Values are those of RFC 8446 appendix B.4.
enum class CipherSuite : std::uint16_t {
    kAes128GcmSha256 = 0x1301,
    kAes256GcmSha384 = 0x1302,
    kChaCha20Poly1305Sha256 = 0x1303,
};

// The suite behind a TLS code point, none when packets cannot be protected with it.
constexpr std::optional<CipherSuite> cipher_suite_from(std::uint32_t code_point) {
    //= 9001-5.3-1
    if (code_point < 0x1301 || code_point > 0x1303) return std::nullopt;
    return static_cast<CipherSuite>(code_point);
}

// The same for every suite above (RFC 9001 section 5.3, 5.4).
inline constexpr std::size_t kTagSize = 16;
inline constexpr std::size_t kNonceSize = 12;
inline constexpr std::size_t kSampleSize = 16;
inline constexpr std::size_t kMaskSize = 5;

struct CipherSuiteProperties {
    HashAlgorithm hash;
    std::size_t key_size;  // of the AEAD and of the header protection alike, in bytes
    std::uint64_t confidentiality_limit;  // packets sealed with one key (RFC 9001 section 6.6)
    std::uint64_t integrity_limit;  // packets that failed to open in one connection (the same)
};

//= 9001-6.6-10
//= 9001-6.6-11
constexpr CipherSuiteProperties properties_of(CipherSuite suite) {
    constexpr std::uint64_t kEveryPacketNumber = std::uint64_t{1} << 62;
    constexpr std::uint64_t kGcmSealed = std::uint64_t{1} << 23;
    constexpr std::uint64_t kGcmForged = std::uint64_t{1} << 52;
    switch (suite) {
        case CipherSuite::kAes128GcmSha256:
            return {HashAlgorithm::kSha256, 16, kGcmSealed, kGcmForged};
        case CipherSuite::kAes256GcmSha384:
            return {HashAlgorithm::kSha384, 32, kGcmSealed, kGcmForged};
        case CipherSuite::kChaCha20Poly1305Sha256:
            return {HashAlgorithm::kSha256, 32, kEveryPacketNumber, std::uint64_t{1} << 36};
    }
    std::unreachable();
}

}  // namespace stoq::crypto
