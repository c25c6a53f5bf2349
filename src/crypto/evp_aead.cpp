// Packet protection by OpenSSL: everywhere, one packet at a time. The context keeps the expanded
// key; a packet sets only its nonce.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "crypto/backends.h"
#include "crypto/evp.h"

namespace stoq::crypto {
namespace {

class EvpAead final : public Aead {
public:
    EvpAead(CipherSuite suite, Direction direction, ByteView key)
        : context_(EVP_CIPHER_CTX_new()), direction_(direction), key_size_(key.size()) {
        const int sealing = direction == Direction::kSeal ? 1 : 0;
        STOQ_CHECK(context_ != nullptr &&
                   EVP_CipherInit_ex(context_.get(), evp_aead_cipher(suite), nullptr, key.data(),
                                     nullptr, sealing) == 1);
    }

    void seal(std::span<const SealRequest> requests) override {
        STOQ_CHECK(direction_ == Direction::kSeal);
        for (const SealRequest& request : requests) STOQ_CHECK(seal_one(request));
    }

    void open(std::span<OpenRequest> requests) override {
        STOQ_CHECK(direction_ == Direction::kOpen);
        for (OpenRequest& request : requests) request.authentic = open_one(request);
    }

    void replace_key(ByteView key) override {
        wipe_key();
        set_key(key);
    }

    // Resetting the context would give its memory back. A key of zeros overwrites the old one, and
    // a byte under it the piece of key stream that ChaCha20 keeps.
    void wipe_key() override {
        constexpr std::array<std::uint8_t, kLargestKey> kZeros{};
        set_key(ByteView(kZeros).first(key_size_));
        std::uint8_t byte = 0;
        STOQ_CHECK(start(Nonce{}, {}) && transform(&byte, ByteView(&byte, 1)));
    }

private:
    void set_key(ByteView key) {
        STOQ_CHECK(key.size() == key_size_ && EVP_CipherInit_ex(context_.get(), nullptr, nullptr,
                                                                key.data(), nullptr, -1) == 1);
    }

    bool start(const Nonce& nonce, ByteView associated_data) {
        int written = 0;
        return EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, nonce.data(), -1) ==
                   1 &&
               EVP_CipherUpdate(context_.get(), nullptr, &written, associated_data.data(),
                                to_int(associated_data.size())) == 1;
    }

    // An empty text has no update: OpenSSL may take it for the end of the associated data.
    bool transform(std::uint8_t* to, ByteView from) {
        int written = 0;
        return from.empty() || EVP_CipherUpdate(context_.get(), to, &written, from.data(),
                                                to_int(from.size())) == 1;
    }

    bool finish() {
        std::uint8_t nothing[16];
        int written = 0;
        return EVP_CipherFinal_ex(context_.get(), nothing, &written) == 1;
    }

    bool seal_one(const SealRequest& request) {
        std::uint8_t* tail = request.output + request.plaintext.size();
        std::uint8_t* tag = tail + request.tail.size();
        return start(request.nonce, request.associated_data) &&
               transform(request.output, request.plaintext) && transform(tail, request.tail) &&
               finish() &&
               EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kTagSize, tag) == 1;
    }

    bool open_one(OpenRequest& request) {
        STOQ_CHECK(request.ciphertext.size() >= kTagSize);
        const Bytes tag = request.ciphertext.last(kTagSize);
        const Bytes text = request.ciphertext.first(request.ciphertext.size() - kTagSize);
        STOQ_CHECK(start(request.nonce, request.associated_data) && transform(text.data(), text));
        STOQ_CHECK(
            EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1);
        return finish();
    }

    static constexpr std::size_t kLargestKey = 32;

    CipherContext context_;
    Direction direction_;
    std::size_t key_size_;
};

// One block of AES per sample: consecutive blocks go through OpenSSL in one call.
class EvpAesMasker final : public HeaderMasker {
public:
    EvpAesMasker(CipherSuite suite, ByteView key) : context_(EVP_CIPHER_CTX_new()) {
        STOQ_CHECK(context_ != nullptr &&
                   EVP_EncryptInit_ex(context_.get(), evp_header_cipher(suite), nullptr, key.data(),
                                      nullptr) == 1);
        EVP_CIPHER_CTX_set_padding(context_.get(), 0);
    }

    void masks(std::span<const std::uint8_t* const> samples, std::span<HeaderMask> masks) override {
        STOQ_CHECK(samples.size() == masks.size());
        while (!samples.empty()) {
            const std::size_t count = std::min(samples.size(), kBlocks);
            mask_blocks(samples.first(count), masks.first(count));
            samples = samples.subspan(count);
            masks = masks.subspan(count);
        }
    }

private:
    static constexpr std::size_t kBlocks = 64;

    void mask_blocks(std::span<const std::uint8_t* const> samples, std::span<HeaderMask> masks) {
        std::uint8_t blocks[kBlocks * kSampleSize];
        for (std::size_t i = 0; i < samples.size(); ++i) {
            std::memcpy(blocks + i * kSampleSize, samples[i], kSampleSize);
        }
        int written = 0;
        STOQ_CHECK(EVP_EncryptUpdate(context_.get(), blocks, &written, blocks,
                                     to_int(samples.size() * kSampleSize)) == 1);
        for (std::size_t i = 0; i < masks.size(); ++i) {
            std::memcpy(masks[i].data(), blocks + i * kSampleSize, kMaskSize);
        }
    }

    CipherContext context_;
};

// The sample is block counter and nonce, the mask the start of the key stream (RFC 9001 section
// 5.4.4): exactly the 16 bytes that OpenSSL calls this cipher's initialization vector.
class EvpChaCha20Masker final : public HeaderMasker {
public:
    explicit EvpChaCha20Masker(ByteView key) : context_(EVP_CIPHER_CTX_new()) {
        const auto* cipher = evp_header_cipher(CipherSuite::kChaCha20Poly1305Sha256);
        STOQ_CHECK(context_ != nullptr &&
                   EVP_EncryptInit_ex(context_.get(), cipher, nullptr, key.data(), nullptr) == 1);
    }

    void masks(std::span<const std::uint8_t* const> samples, std::span<HeaderMask> masks) override {
        STOQ_CHECK(samples.size() == masks.size());
        constexpr HeaderMask kZeros{};
        for (std::size_t i = 0; i < samples.size(); ++i) {
            int written = 0;
            STOQ_CHECK(EVP_EncryptInit_ex(context_.get(), nullptr, nullptr, nullptr, samples[i]) ==
                           1 &&
                       EVP_EncryptUpdate(context_.get(), masks[i].data(), &written, kZeros.data(),
                                         kMaskSize) == 1);
        }
    }

private:
    CipherContext context_;
};

}  // namespace

std::unique_ptr<Aead> make_evp_aead(CipherSuite suite, Direction direction, ByteView key) {
    return std::make_unique<EvpAead>(suite, direction, key);
}

std::unique_ptr<HeaderMasker> make_evp_header_masker(CipherSuite suite, ByteView key) {
    if (suite == CipherSuite::kChaCha20Poly1305Sha256) {
        return std::make_unique<EvpChaCha20Masker>(key);
    }
    return std::make_unique<EvpAesMasker>(suite, key);
}

}  // namespace stoq::crypto
