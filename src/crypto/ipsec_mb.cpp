// Packet protection by intel-ipsec-mb: up to 64 packets a call, on the widest vector instructions
// that the machine has.
//
// The library computes tags and leaves the comparison to its caller. Its manager is a table of
// functions with scratch memory: each thread has one.
#include <algorithm>
#include <array>

#include <intel-ipsec-mb.h>

#include "base/check.h"
#include "crypto/backends.h"
#include "crypto/gmac.h"
#include "crypto/secret.h"

namespace stoq::crypto {
namespace {

constexpr std::size_t kBatch = 64;

struct FreeManager {
    void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};

// Null when the library refuses to run here.
IMB_MGR* make_manager() {
    IMB_MGR* manager = alloc_mb_mgr(0);
    if (manager == nullptr) return nullptr;
    IMB_ARCH architecture = IMB_ARCH_NONE;
    init_mb_mgr_auto(manager, &architecture);
    if (architecture != IMB_ARCH_NONE && imb_get_errno(manager) == 0) return manager;
    free_mb_mgr(manager);
    return nullptr;
}

IMB_MGR* manager_of_thread() {
    thread_local const std::unique_ptr<IMB_MGR, FreeManager> manager(make_manager());
    STOQ_CHECK(manager != nullptr);
    return manager.get();
}

IMB_KEY_SIZE_BYTES key_size_of(CipherSuite suite) {
    return suite == CipherSuite::kAes128GcmSha256 ? IMB_KEY_128_BYTES : IMB_KEY_256_BYTES;
}

template <typename T>
Bytes bytes_of(T& object) {
    return {reinterpret_cast<std::uint8_t*>(&object), sizeof object};
}

// The library's calling convention: arrays of pointers, one associated-data length for all.
struct Batch {
    std::array<void*, kBatch> to;
    std::array<const void*, kBatch> from;
    std::array<std::uint64_t, kBatch> length;
    std::array<const void*, kBatch> nonce;
    std::array<const void*, kBatch> associated_data;
    std::array<void*, kBatch> tag;
    std::uint64_t associated_data_length = 0;
    std::size_t count = 0;

    bool takes(ByteView more_associated_data) const {
        return count < kBatch &&
               (count == 0 || more_associated_data.size() == associated_data_length);
    }

    void add(const SealRequest& request) {
        to[count] = request.output;
        // A pointer that the library may check, though it reads nothing there.
        from[count] = request.plaintext.empty() ? request.output : request.plaintext.data();
        length[count] = request.plaintext.size();
        tag[count] = request.output + request.plaintext.size();
        add_common(request.nonce, request.associated_data);
    }

    void add(OpenRequest& request, Tag& computed) {
        STOQ_CHECK(request.ciphertext.size() >= kTagSize);
        to[count] = request.ciphertext.data();
        from[count] = request.ciphertext.data();
        length[count] = request.ciphertext.size() - kTagSize;
        tag[count] = computed.data();
        add_common(request.nonce, request.associated_data);
    }

private:
    void add_common(const Nonce& packet_nonce, ByteView packet_associated_data) {
        nonce[count] = packet_nonce.data();
        associated_data[count] = packet_associated_data.data();
        associated_data_length = packet_associated_data.size();
        ++count;
    }
};

// Cuts requests into batches. A derived class runs one of them with its key.
class IpsecMbAead : public Aead {
public:
    void seal(std::span<const SealRequest> requests) final {
        while (!requests.empty()) {
            if (!requests.front().tail.empty()) {
                checked_seal_in_pieces(requests.front());
                requests = requests.subspan(1);
                continue;
            }
            Batch batch;
            while (batch.count < requests.size() && requests[batch.count].tail.empty() &&
                   batch.takes(requests[batch.count].associated_data)) {
                batch.add(requests[batch.count]);
            }
            checked_run(batch, IMB_DIR_ENCRYPT);
            requests = requests.subspan(batch.count);
        }
    }

    void open(std::span<OpenRequest> requests) final {
        while (!requests.empty()) {
            Batch batch;
            std::array<Tag, kBatch> computed;
            while (batch.count < requests.size() &&
                   batch.takes(requests[batch.count].associated_data)) {
                batch.add(requests[batch.count], computed[batch.count]);
            }
            checked_run(batch, IMB_DIR_DECRYPT);
            for (std::size_t i = 0; i < batch.count; ++i) {
                requests[i].authentic =
                    equal_in_constant_time(requests[i].ciphertext.last(kTagSize), computed[i]);
            }
            requests = requests.subspan(batch.count);
        }
    }

protected:
    virtual void run(IMB_MGR* manager, Batch& batch, IMB_CIPHER_DIRECTION direction) = 0;
    // Plaintext in two places: the batch calls take one pointer for each packet.
    virtual void seal_in_pieces(IMB_MGR* manager, const SealRequest& request) = 0;

private:
    void checked_seal_in_pieces(const SealRequest& request) {
        IMB_MGR* manager = manager_of_thread();
        seal_in_pieces(manager, request);
        STOQ_CHECK(imb_get_errno(manager) == 0);
    }

    void checked_run(Batch& batch, IMB_CIPHER_DIRECTION direction) {
        IMB_MGR* manager = manager_of_thread();
        run(manager, batch, direction);
        // A refused argument would leave the plaintext where the ciphertext should be.
        STOQ_CHECK(imb_get_errno(manager) == 0);
    }
};

class IpsecMbGcm final : public IpsecMbAead {
public:
    IpsecMbGcm(CipherSuite suite, ByteView key) : key_size_(key_size_of(suite)) { expand(key); }
    ~IpsecMbGcm() override { wipe(bytes_of(key_)); }

    void replace_key(ByteView key) override {
        wipe_key();
        expand(key);
    }

    void wipe_key() override { wipe(bytes_of(key_)); }

private:
    void expand(ByteView key) {
        STOQ_CHECK(key.size() == static_cast<std::size_t>(key_size_));
        IMB_MGR* manager = manager_of_thread();
        if (key_size_ == IMB_KEY_128_BYTES) {
            IMB_AES128_GCM_PRE(manager, key.data(), &key_);
        } else {
            IMB_AES256_GCM_PRE(manager, key.data(), &key_);
        }
    }

    void run(IMB_MGR* manager, Batch& batch, IMB_CIPHER_DIRECTION direction) override {
        imb_quic_aes_gcm(manager, &key_, key_size_, direction, batch.to.data(), batch.from.data(),
                         batch.length.data(), batch.nonce.data(), batch.associated_data.data(),
                         batch.associated_data_length, batch.tag.data(), kTagSize, batch.count);
    }

    void seal_in_pieces(IMB_MGR* manager, const SealRequest& request) override {
        const std::size_t head = request.plaintext.size();
        const std::size_t length = head + request.tail.size();
        const std::uint8_t* const nonce = request.nonce.data();
        const ByteView header = request.associated_data;
        gcm_context_data context;
        if (key_size_ == IMB_KEY_128_BYTES) {
            IMB_AES128_GCM_INIT(manager, &key_, &context, nonce, header.data(), header.size());
            IMB_AES128_GCM_ENC_UPDATE(manager, &key_, &context, request.output,
                                      request.plaintext.data(), head);
            IMB_AES128_GCM_ENC_UPDATE(manager, &key_, &context, request.output + head,
                                      request.tail.data(), request.tail.size());
            IMB_AES128_GCM_ENC_FINALIZE(manager, &key_, &context, request.output + length,
                                        kTagSize);
        } else {
            IMB_AES256_GCM_INIT(manager, &key_, &context, nonce, header.data(), header.size());
            IMB_AES256_GCM_ENC_UPDATE(manager, &key_, &context, request.output,
                                      request.plaintext.data(), head);
            IMB_AES256_GCM_ENC_UPDATE(manager, &key_, &context, request.output + head,
                                      request.tail.data(), request.tail.size());
            IMB_AES256_GCM_ENC_FINALIZE(manager, &key_, &context, request.output + length,
                                        kTagSize);
        }
    }

    alignas(64) gcm_key_data key_;
    IMB_KEY_SIZE_BYTES key_size_;
};

class IpsecMbChaCha20Poly1305 final : public IpsecMbAead {
public:
    explicit IpsecMbChaCha20Poly1305(ByteView key) { std::ranges::copy(key, key_.begin()); }
    ~IpsecMbChaCha20Poly1305() override { wipe(key_); }

    void replace_key(ByteView key) override {
        STOQ_CHECK(key.size() == key_.size());
        std::ranges::copy(key, key_.begin());
    }

    void wipe_key() override { wipe(key_); }

private:
    void run(IMB_MGR* manager, Batch& batch, IMB_CIPHER_DIRECTION direction) override {
        imb_quic_chacha20_poly1305(manager, key_.data(), direction, batch.to.data(),
                                   batch.from.data(), batch.length.data(), batch.nonce.data(),
                                   batch.associated_data.data(), batch.associated_data_length,
                                   batch.tag.data(), batch.count);
    }

    void seal_in_pieces(IMB_MGR* manager, const SealRequest& request) override {
        const std::size_t head = request.plaintext.size();
        const std::size_t length = head + request.tail.size();
        chacha20_poly1305_context_data context;
        IMB_CHACHA20_POLY1305_INIT(manager, key_.data(), &context, request.nonce.data(),
                                   request.associated_data.data(), request.associated_data.size());
        IMB_CHACHA20_POLY1305_ENC_UPDATE(manager, key_.data(), &context, request.output,
                                         request.plaintext.data(), head);
        IMB_CHACHA20_POLY1305_ENC_UPDATE(manager, key_.data(), &context, request.output + head,
                                         request.tail.data(), request.tail.size());
        IMB_CHACHA20_POLY1305_ENC_FINALIZE(manager, &context, request.output + length, kTagSize);
    }

    alignas(16) std::array<std::uint8_t, 32> key_;
};

class IpsecMbMasker : public HeaderMasker {
public:
    void masks(std::span<const std::uint8_t* const> samples, std::span<HeaderMask> masks) final {
        STOQ_CHECK(samples.size() == masks.size());
        IMB_MGR* manager = manager_of_thread();
        for (std::size_t done = 0; done < samples.size(); done += kBatch) {
            const std::size_t count = std::min(samples.size() - done, kBatch);
            std::array<const void*, kBatch> from;
            std::array<void*, kBatch> to;
            for (std::size_t i = 0; i < count; ++i) {
                from[i] = samples[done + i];
                to[i] = masks[done + i].data();
            }
            run(manager, to.data(), from.data(), count);
            STOQ_CHECK(imb_get_errno(manager) == 0);
        }
    }

protected:
    virtual void run(IMB_MGR* manager, void** to, const void* const* from, std::size_t count) = 0;
};

class IpsecMbAesMasker final : public IpsecMbMasker {
public:
    IpsecMbAesMasker(CipherSuite suite, ByteView key) : key_size_(key_size_of(suite)) {
        ExpandedKey unused_decryption_key;
        IMB_MGR* manager = manager_of_thread();
        if (key_size_ == IMB_KEY_128_BYTES) {
            IMB_AES_KEYEXP_128(manager, key.data(), key_.data(), unused_decryption_key.data());
        } else {
            IMB_AES_KEYEXP_256(manager, key.data(), key_.data(), unused_decryption_key.data());
        }
        wipe(unused_decryption_key);
    }
    ~IpsecMbAesMasker() override { wipe(key_); }

private:
    // No more alignment than the general allocator gives by itself: a handshake makes six of these.
    struct alignas(16) ExpandedKey : std::array<std::uint8_t, std::size_t{16} * 15> {};

    void run(IMB_MGR* manager, void** to, const void* const* from, std::size_t count) override {
        imb_quic_hp_aes_ecb(manager, key_.data(), to, from, count, key_size_);
    }

    ExpandedKey key_;
    IMB_KEY_SIZE_BYTES key_size_;
};

class IpsecMbChaCha20Masker final : public IpsecMbMasker {
public:
    explicit IpsecMbChaCha20Masker(ByteView key) { std::ranges::copy(key, key_.begin()); }
    ~IpsecMbChaCha20Masker() override { wipe(key_); }

private:
    void run(IMB_MGR* manager, void** to, const void* const* from, std::size_t count) override {
        imb_quic_hp_chacha20(manager, key_.data(), to, from, count);
    }

    alignas(16) std::array<std::uint8_t, 32> key_;
};

}  // namespace

bool ipsec_mb_is_usable() {
    if (!__builtin_cpu_supports("aes") || !__builtin_cpu_supports("pclmul")) return false;
    const std::unique_ptr<IMB_MGR, FreeManager> manager(make_manager());
    return manager != nullptr;
}

std::unique_ptr<Aead> make_ipsec_mb_aead(CipherSuite suite, ByteView key) {
    if (suite == CipherSuite::kChaCha20Poly1305Sha256) {
        return std::make_unique<IpsecMbChaCha20Poly1305>(key);
    }
    return std::make_unique<IpsecMbGcm>(suite, key);
}

std::unique_ptr<HeaderMasker> make_ipsec_mb_header_masker(CipherSuite suite, ByteView key) {
    if (suite == CipherSuite::kChaCha20Poly1305Sha256) {
        return std::make_unique<IpsecMbChaCha20Masker>(key);
    }
    return std::make_unique<IpsecMbAesMasker>(suite, key);
}

}  // namespace stoq::crypto
