// The keys that protect packets of one encryption level in one direction.
#pragma once

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

// The half that a key update replaces.
struct PayloadKeys {
    std::unique_ptr<crypto::Aead> aead;
    crypto::Nonce iv{};
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
