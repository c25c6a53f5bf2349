// The keys that protect packets of one encryption level in one direction.
#pragma once

#include <algorithm>
#include <memory>

#include "crypto/aead.h"
#include "crypto/secret.h"
#include "protection/version_constants.h"

namespace stoq::protection {

// Everything that key derivation depends on besides the secret.
struct KeyParameters {
    crypto::CipherSuite suite = crypto::CipherSuite::kAes128GcmSha256;
    KeyLabels labels = kQuicVersion1.labels;
    crypto::Backend backend = crypto::Backend::kAutomatic;
};

// What nonces are made of (RFC 9001 section 5.3). As secret as the key: wiped when it goes.
class PacketIv {
public:
    PacketIv() = default;
    explicit PacketIv(const crypto::Secret& iv) {
        std::ranges::copy(iv.view().first(bytes_.size()), bytes_.begin());
    }
    PacketIv(const PacketIv&) = default;
    PacketIv& operator=(const PacketIv&) = default;
    ~PacketIv() { crypto::wipe(bytes_); }

    const crypto::Nonce& bytes() const { return bytes_; }

private:
    crypto::Nonce bytes_{};
};

// The half that a key update replaces.
struct PayloadKeys {
    std::unique_ptr<crypto::Aead> aead;
    PacketIv iv;
};

struct PacketKeys {
    PayloadKeys payload;
    std::unique_ptr<crypto::HeaderMasker> header;
};

// `secret` is a traffic secret from TLS, or an Initial secret.
PayloadKeys make_payload_keys(const KeyParameters& parameters, crypto::Direction direction,
                              const crypto::Secret& secret);
// The same in the memory of `old`, if there is one, made with the same parameters and direction.
PayloadKeys remake_payload_keys(std::unique_ptr<crypto::Aead> old, const KeyParameters& parameters,
                                crypto::Direction direction, const crypto::Secret& secret);
std::unique_ptr<crypto::HeaderMasker> make_header_keys(const KeyParameters& parameters,
                                                       const crypto::Secret& secret);
PacketKeys make_packet_keys(const KeyParameters& parameters, crypto::Direction direction,
                            const crypto::Secret& secret);

// The secret of the next key phase (RFC 9001 section 6.1). Header protection keeps its key.
crypto::Secret next_generation(const KeyParameters& parameters, const crypto::Secret& secret);

}  // namespace stoq::protection
