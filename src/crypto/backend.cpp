#include <algorithm>
#include <chrono>
#include <vector>

#include "base/check.h"
#include "crypto/backends.h"

namespace stoq::crypto {

#if !STOQ_WITH_IPSEC_MB
bool ipsec_mb_is_usable() {
    return false;
}
std::unique_ptr<Aead> make_ipsec_mb_aead(CipherSuite, ByteView) {
    return nullptr;
}
std::unique_ptr<HeaderMasker> make_ipsec_mb_header_masker(CipherSuite, ByteView) {
    return nullptr;
}
#endif

namespace {

using Clock = std::chrono::steady_clock;

std::unique_ptr<Aead> make_sealer(CipherSuite suite, ByteView key, bool ipsec_mb) {
    return ipsec_mb ? make_ipsec_mb_aead(suite, key) : make_evp_aead(suite, Direction::kSeal, key);
}

// The least time in which a backend seals a short train of full packets.
Clock::duration time_of_train(CipherSuite suite, bool ipsec_mb) {
    constexpr std::size_t kPackets = 16;
    constexpr std::size_t kPayload = 1400;
    constexpr int kTrials = 6;
    const std::vector<std::uint8_t> key(properties_of(suite).key_size, 1);
    std::vector<std::uint8_t> bytes(kPackets * (kPayload + kTagSize));
    std::vector<SealRequest> train;
    for (std::size_t i = 0; i < kPackets; ++i) {
        std::uint8_t* const packet = bytes.data() + i * (kPayload + kTagSize);
        train.push_back({.associated_data = ByteView(key).first(16),
                         .plaintext = {packet, kPayload},
                         .output = packet,
                         .nonce = {static_cast<std::uint8_t>(i)}});
    }
    const auto sealer = make_sealer(suite, key, ipsec_mb);
    auto least = Clock::duration::max();
    for (int i = 0; i < kTrials; ++i) {
        const auto begun = Clock::now();
        sealer->seal(train);
        least = std::min(least, Clock::now() - begun);
    }
    return least;
}

// intel-ipsec-mb has led with every suite and size on every machine that was tried (bench/micro):
// it takes more than noise to be left for OpenSSL. Measured once, in some ten microseconds.
template <CipherSuite kSuite>
bool leads_ipsec_mb() {
    static const bool leads = time_of_train(kSuite, true) * 8 <= time_of_train(kSuite, false) * 9;
    return leads;
}

bool is_ipsec_mb_chosen(CipherSuite suite) {
    if (!is_available(Backend::kIpsecMb)) return false;
    switch (suite) {
        case CipherSuite::kAes128GcmSha256: return leads_ipsec_mb<CipherSuite::kAes128GcmSha256>();
        case CipherSuite::kAes256GcmSha384: return leads_ipsec_mb<CipherSuite::kAes256GcmSha384>();
        case CipherSuite::kChaCha20Poly1305Sha256: break;
    }
    return leads_ipsec_mb<CipherSuite::kChaCha20Poly1305Sha256>();
}

bool uses_ipsec_mb(CipherSuite suite, Backend wanted) {
    STOQ_CHECK(is_available(wanted));
    return wanted == Backend::kIpsecMb ||
           (wanted == Backend::kAutomatic && is_ipsec_mb_chosen(suite));
}

}  // namespace

bool is_available(Backend backend) {
    static const bool ipsec_mb = ipsec_mb_is_usable();
    return backend != Backend::kIpsecMb || ipsec_mb;
}

Backend automatic_backend(CipherSuite suite) {
    return is_ipsec_mb_chosen(suite) ? Backend::kIpsecMb : Backend::kOpenssl;
}

std::unique_ptr<Aead> make_aead(CipherSuite suite, Direction direction, ByteView key,
                                Backend backend) {
    STOQ_CHECK(key.size() == properties_of(suite).key_size);
    return uses_ipsec_mb(suite, backend) ? make_ipsec_mb_aead(suite, key)
                                         : make_evp_aead(suite, direction, key);
}

std::unique_ptr<HeaderMasker> make_header_masker(CipherSuite suite, ByteView key, Backend backend) {
    STOQ_CHECK(key.size() == properties_of(suite).key_size);
    return uses_ipsec_mb(suite, backend) ? make_ipsec_mb_header_masker(suite, key)
                                         : make_evp_header_masker(suite, key);
}

}  // namespace stoq::crypto
