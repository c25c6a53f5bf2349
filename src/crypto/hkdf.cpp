#include "crypto/hkdf.h"

#include <array>
#include <initializer_list>
#include <memory>

#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/check.h"

namespace stoq::crypto {
namespace {

struct FreeDigest {
    void operator()(EVP_MD* digest) const { EVP_MD_free(digest); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// Looked up once: a look-up costs more than the hash of a short message.
const EVP_MD* digest_of(HashAlgorithm hash) {
    static const std::unique_ptr<EVP_MD, FreeDigest> sha256(
        EVP_MD_fetch(nullptr, "SHA256", nullptr));
    static const std::unique_ptr<EVP_MD, FreeDigest> sha384(
        EVP_MD_fetch(nullptr, "SHA384", nullptr));
    const EVP_MD* digest = hash == HashAlgorithm::kSha256 ? sha256.get() : sha384.get();
    STOQ_CHECK(digest != nullptr);
    return digest;
}

// Kept for the thread's next hash: a key update amid a transfer allocates nothing.
EVP_MD_CTX& context_of_thread(HashAlgorithm hash) {
    using Context = std::unique_ptr<EVP_MD_CTX, FreeDigest>;
    thread_local const Context sha256(EVP_MD_CTX_new());
    thread_local const Context sha384(EVP_MD_CTX_new());
    const Context& context = hash == HashAlgorithm::kSha256 ? sha256 : sha384;
    STOQ_CHECK(context != nullptr);
    return *context;
}

constexpr std::size_t kLargestBlock = 128;

constexpr std::size_t block_size(HashAlgorithm hash) {
    return hash == HashAlgorithm::kSha256 ? 64 : kLargestBlock;
}

// HMAC (RFC 2104) over EVP digests. OpenSSL's own one-call HMAC() fetches its parts anew each time,
// which makes it five times slower; a handshake derives some thirty values.
class Hmac {
public:
    Hmac(HashAlgorithm hash, ByteView key) : hash_(hash), context_(context_of_thread(hash)) {
        // Keys are secrets, salts and digests: none is longer than a block.
        STOQ_CHECK(key.size() <= block_size(hash));
        for (std::size_t i = 0; i < key.size(); ++i) block_[i] = key[i];
    }
    // A new beginning overwrites the context's state, and so many zeros what is left of the last
    // message: the inner digest.
    ~Hmac() {
        wipe(block_);
        constexpr std::array<std::uint8_t, kLargestBlock / 2> kZeros{};
        STOQ_CHECK(EVP_DigestInit_ex2(&context_, digest_of(hash_), nullptr) == 1 &&
                   EVP_DigestUpdate(&context_, kZeros.data(), digest_size(hash_)) == 1);
    }
    Hmac(const Hmac&) = delete;
    Hmac& operator=(const Hmac&) = delete;

    Secret operator()(std::initializer_list<ByteView> message) {
        constexpr std::uint8_t kInner = 0x36;
        constexpr std::uint8_t kOuter = 0x5c;
        const Secret inner = digest(kInner, message);
        return digest(kOuter, {inner.view()});
    }

private:
    Secret digest(std::uint8_t pad, std::initializer_list<ByteView> message) {
        std::array<std::uint8_t, kLargestBlock> padded{};
        for (std::size_t i = 0; i < padded.size(); ++i) padded[i] = block_[i] ^ pad;
        Secret result = Secret::of_size(digest_size(hash_));
        int good = EVP_DigestInit_ex2(&context_, digest_of(hash_), nullptr);
        good &= EVP_DigestUpdate(&context_, padded.data(), block_size(hash_));
        for (const ByteView part : message) {
            good &= EVP_DigestUpdate(&context_, part.data(), part.size());
        }
        good &= EVP_DigestFinal_ex(&context_, result.writable().data(), nullptr);
        wipe(padded);
        STOQ_CHECK(good == 1);
        return result;
    }

    HashAlgorithm hash_;
    EVP_MD_CTX& context_;
    std::array<std::uint8_t, kLargestBlock> block_{};
};

ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

Secret hkdf_extract(HashAlgorithm hash, ByteView salt, ByteView input_key_material) {
    return Hmac(hash, salt)({input_key_material});
}

Secret hkdf_expand_label(HashAlgorithm hash, const Secret& secret, std::string_view label,
                         std::size_t length) {
    constexpr std::string_view kPrefix = "tls13 ";
    constexpr std::size_t kLongestLabel = 32;
    STOQ_CHECK(length <= Secret::kCapacity && label.size() <= kLongestLabel);

    // struct HkdfLabel of RFC 8446 section 7.1, with an empty context.
    std::array<std::uint8_t, 4 + kPrefix.size() + kLongestLabel> bytes{};
    ByteWriter info(bytes);
    const bool fits = info.write(static_cast<std::uint16_t>(length)) &&
                      info.write(static_cast<std::uint8_t>(kPrefix.size() + label.size())) &&
                      info.write_bytes(as_bytes(kPrefix)) && info.write_bytes(as_bytes(label)) &&
                      info.write(std::uint8_t{0});
    STOQ_CHECK(fits);

    Hmac hmac(hash, secret.view());
    Secret output = Secret::of_size(length);
    ByteWriter out(output.writable());
    Secret block;
    for (std::uint8_t counter = 1; out.remaining() > 0; ++counter) {
        block = hmac({block.view(), info.written_bytes(), ByteView(&counter, 1)});
        out.write_bytes(block.view().first(std::min(block.size(), out.remaining())));
    }
    return output;
}

}  // namespace stoq::crypto
