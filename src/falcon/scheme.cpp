#include "falcon/scheme.h"

#include <openssl/crypto.h>

namespace stoq::falcon {
namespace {

constexpr std::size_t kNonceSize = 40;
constexpr std::size_t kHeaderSize = 1;
// High halves of the header byte.
constexpr std::uint8_t kCompressedEncoding = 0x30;
constexpr std::uint8_t kSecretKeyEncoding = 0x50;
// Of a public key.
constexpr unsigned kCoefficientBits = 14;
constexpr std::uint32_t kModulus = 12289;

// More than signing or key generation uses of the stack, in which liboqs leaves the private key
// and the sampled values behind.
constexpr std::size_t kStackOfOneCall = 96 * 1024;

[[gnu::noinline]] void wipe_stack_below() {
    std::uint8_t used_before[kStackOfOneCall];
    OPENSSL_cleanse(used_before, sizeof(used_before));
}

bool is_canonical(const Scheme& scheme, ByteView signature) {
    constexpr std::size_t kLeast = kHeaderSize + kNonceSize + 1;
    if (signature.size() < kLeast || signature.size() > scheme.max_signature_size) return false;
    if (signature[0] != (kCompressedEncoding | scheme.log_degree)) return false;
    // The last coefficient ends with a bit that is set, so a zero byte at the end is padding.
    return scheme.is_padded ? signature.size() == scheme.max_signature_size : signature.back() != 0;
}

}  // namespace

const char* implementation() {
#if defined(OQS_ENABLE_SIG_falcon_1024_avx2)
    if (OQS_CPU_has_extension(OQS_CPU_EXT_AVX2) != 0) return "AVX2";
#elif defined(OQS_ENABLE_SIG_falcon_1024_aarch64)
    if (OQS_CPU_has_extension(OQS_CPU_EXT_ARM_NEON) != 0) return "NEON";
#endif
    return "portable";
}

bool is_public_key(const Scheme& scheme, ByteView bytes) {
    if (bytes.size() != scheme.public_key_size || bytes[0] != scheme.log_degree) return false;
    std::uint32_t bits = 0;
    unsigned available = 0;
    for (const std::uint8_t byte : bytes.subspan(kHeaderSize)) {
        bits = bits << 8 | byte;
        available += 8;
        if (available < kCoefficientBits) continue;
        available -= kCoefficientBits;
        if ((bits >> available & ((1u << kCoefficientBits) - 1)) >= kModulus) return false;
    }
    return true;
}

bool is_secret_key(const Scheme& scheme, ByteView bytes) {
    return bytes.size() == scheme.secret_key_size &&
           bytes[0] == (kSecretKeyEncoding | scheme.log_degree);
}

bool generate_key(const Scheme& scheme, Bytes public_key, Bytes secret_key) {
    if (public_key.size() != scheme.public_key_size) return false;
    if (secret_key.size() != scheme.secret_key_size) return false;
    const bool made = scheme.generate(public_key.data(), secret_key.data()) == OQS_SUCCESS;
    wipe_stack_below();
    if (made) return true;
    OPENSSL_cleanse(public_key.data(), public_key.size());
    OPENSSL_cleanse(secret_key.data(), secret_key.size());
    return false;
}

std::optional<std::size_t> sign(const Scheme& scheme, ByteView secret_key, ByteView message,
                                Bytes signature) {
    if (secret_key.size() != scheme.secret_key_size) return std::nullopt;
    if (signature.size() < scheme.max_signature_size) return std::nullopt;
    std::size_t size = scheme.max_signature_size;
    const OQS_STATUS status =
        scheme.sign(signature.data(), &size, message.data(), message.size(), secret_key.data());
    wipe_stack_below();
    if (status != OQS_SUCCESS || !is_canonical(scheme, signature.first(size))) return std::nullopt;
    return size;
}

bool verify(const Scheme& scheme, ByteView public_key, ByteView message, ByteView signature) {
    return public_key.size() == scheme.public_key_size && is_canonical(scheme, signature) &&
           scheme.verify(message.data(), message.size(), signature.data(), signature.size(),
                         public_key.data()) == OQS_SUCCESS;
}

}  // namespace stoq::falcon
