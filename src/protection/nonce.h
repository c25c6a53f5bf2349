// The AEAD nonce of a packet (RFC 9001 section 5.3).
#pragma once

#include <cstring>

#include "base/bytes.h"
#include "base/packet_number.h"
#include "crypto/aead.h"

namespace stoq::protection {

// The initialization vector, exclusive-or 96 bits of which the upper 32 are the path's identifier
// and the lower 64 the packet number. With one path, number 0, that is the nonce of QUIC version 1;
// several paths need the upper bits because each has packet numbers of its own.
inline crypto::Nonce make_nonce(const crypto::Nonce& iv, PacketNumber packet_number,
                                std::uint32_t path_id = 0) {
    crypto::Nonce nonce;
    store_big_endian(nonce.data(), load_big_endian<std::uint32_t>(iv.data()) ^ path_id);
    store_big_endian(nonce.data() + 4,
                     load_big_endian<std::uint64_t>(iv.data() + 4) ^ packet_number.value());
    return nonce;
}

}  // namespace stoq::protection
