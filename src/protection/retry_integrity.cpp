#include "protection/retry_integrity.h"

#include "base/check.h"
#include "crypto/secret.h"

namespace stoq::protection {

crypto::Tag retry_integrity_tag(ByteView original_destination_connection_id, ByteView retry,
                                const VersionConstants& version) {
    STOQ_CHECK(original_destination_connection_id.size() <= 0xff);
    const auto length = static_cast<std::uint8_t>(original_destination_connection_id.size());
    return crypto::gmac_aes128(version.retry_key, version.retry_nonce,
                               {ByteView(&length, 1), original_destination_connection_id, retry});
}

bool retry_integrity_is_valid(ByteView original_destination_connection_id, ByteView retry,
                              const VersionConstants& version) {
    if (retry.size() < crypto::kTagSize) return false;
    const auto without_tag = retry.first(retry.size() - crypto::kTagSize);
    const auto expected =
        retry_integrity_tag(original_destination_connection_id, without_tag, version);
    return crypto::equal_in_constant_time(retry.last(crypto::kTagSize), expected);
}

}  // namespace stoq::protection
