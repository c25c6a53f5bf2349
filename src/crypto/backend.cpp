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

// intel-ipsec-mb leads at every size and with every suite where it runs at all (bench/micro).
bool uses_ipsec_mb(Backend wanted) {
    STOQ_CHECK(is_available(wanted));
    return wanted == Backend::kIpsecMb ||
           (wanted == Backend::kAutomatic && is_available(Backend::kIpsecMb));
}

}  // namespace

bool is_available(Backend backend) {
    static const bool ipsec_mb = ipsec_mb_is_usable();
    return backend != Backend::kIpsecMb || ipsec_mb;
}

std::unique_ptr<Aead> make_aead(CipherSuite suite, Direction direction, ByteView key,
                                Backend backend) {
    STOQ_CHECK(key.size() == properties_of(suite).key_size);
    return uses_ipsec_mb(backend) ? make_ipsec_mb_aead(suite, key)
                                  : make_evp_aead(suite, direction, key);
}

std::unique_ptr<HeaderMasker> make_header_masker(CipherSuite suite, ByteView key, Backend backend) {
    STOQ_CHECK(key.size() == properties_of(suite).key_size);
    return uses_ipsec_mb(backend) ? make_ipsec_mb_header_masker(suite, key)
                                  : make_evp_header_masker(suite, key);
}

}  // namespace stoq::crypto
