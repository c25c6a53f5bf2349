#include "protection/packet_keys.h"

#include <utility>

#include "crypto/hkdf.h"

namespace stoq::protection {

PayloadKeys make_payload_keys(const KeyParameters& parameters, crypto::Direction direction,
                              const crypto::Secret& secret) {
    return remake_payload_keys(nullptr, parameters, direction, secret);
}

PayloadKeys remake_payload_keys(std::unique_ptr<crypto::Aead> old, const KeyParameters& parameters,
                                crypto::Direction direction, const crypto::Secret& secret) {
    const auto suite = crypto::properties_of(parameters.suite);
    const auto key =
        crypto::hkdf_expand_label(suite.hash, secret, parameters.labels.key, suite.key_size);
    const auto iv =
        crypto::hkdf_expand_label(suite.hash, secret, parameters.labels.iv, crypto::kNonceSize);
    PayloadKeys keys{.aead = std::move(old), .iv = PacketIv(iv)};
    if (keys.aead != nullptr) {
        keys.aead->replace_key(key.view());
    } else {
        keys.aead = crypto::make_aead(parameters.suite, direction, key.view(), parameters.backend);
    }
    return keys;
}

std::unique_ptr<crypto::HeaderMasker> make_header_keys(const KeyParameters& parameters,
                                                       const crypto::Secret& secret) {
    const auto suite = crypto::properties_of(parameters.suite);
    const auto key = crypto::hkdf_expand_label(suite.hash, secret,
                                               parameters.labels.header_protection, suite.key_size);
    return crypto::make_header_masker(parameters.suite, key.view(), parameters.backend);
}

PacketKeys make_packet_keys(const KeyParameters& parameters, crypto::Direction direction,
                            const crypto::Secret& secret) {
    return {.payload = make_payload_keys(parameters, direction, secret),
            .header = make_header_keys(parameters, secret)};
}

crypto::Secret next_generation(const KeyParameters& parameters, const crypto::Secret& secret) {
    return crypto::hkdf_expand_label(crypto::properties_of(parameters.suite).hash, secret,
                                     parameters.labels.key_update, secret.size());
}

}  // namespace stoq::protection
