#include "protection/initial_keys.h"

#include "base/check.h"
#include "crypto/hkdf.h"

namespace stoq::protection {

const VersionConstants& constants_of(std::uint32_t version) {
    if (version == kQuicVersion2.version) return kQuicVersion2;
    STOQ_CHECK(version == kQuicVersion1.version);
    return kQuicVersion1;
}

InitialSecrets derive_initial_secrets(ByteView destination_connection_id,
                                      const VersionConstants& version) {
    //= 9001-5.2-2
    constexpr auto kHash = crypto::HashAlgorithm::kSha256;
    constexpr std::size_t kSize = crypto::digest_size(kHash);
    const auto common =
        crypto::hkdf_extract(kHash, version.initial_salt, destination_connection_id);
    return {.client = crypto::hkdf_expand_label(kHash, common, "client in", kSize),
            .server = crypto::hkdf_expand_label(kHash, common, "server in", kSize)};
}

}  // namespace stoq::protection
