// The two implementations behind aead.h. Only backend.cpp chooses between them.
#pragma once

#include "crypto/aead.h"

namespace stoq::crypto {

std::unique_ptr<Aead> make_evp_aead(CipherSuite suite, Direction direction, ByteView key);
std::unique_ptr<HeaderMasker> make_evp_header_masker(CipherSuite suite, ByteView key);

// Whether this machine can run intel-ipsec-mb; the other two functions require it.
bool ipsec_mb_is_usable();
std::unique_ptr<Aead> make_ipsec_mb_aead(CipherSuite suite, ByteView key);
std::unique_ptr<HeaderMasker> make_ipsec_mb_header_masker(CipherSuite suite, ByteView key);

}  // namespace stoq::crypto
