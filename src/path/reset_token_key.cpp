#include "path/reset_token_key.h"

#include <algorithm>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "crypto/keyed_hash.h"

namespace stoq::path {
namespace {

// The secret also seeds other keys; what is hashed must not mean anything to them.
constexpr std::string_view kLabel = "stoq stateless reset";

}  // namespace

//= 9000-10.3.2-1
//= 9000-10.3.2-5
wire::StatelessResetToken ResetTokenKey::token_for(ByteView connection_id) const {
    std::array<std::uint8_t, kLabel.size() + wire::kMaxConnectionIdLength> message{};
    ByteWriter writer(message);
    STOQ_CHECK(
        writer.write_bytes({reinterpret_cast<const std::uint8_t*>(kLabel.data()), kLabel.size()}));
    STOQ_CHECK(writer.write_bytes(connection_id));
    const crypto::KeyedHash hash = crypto::hmac_sha256(secret_.view(), writer.written_bytes());
    return *wire::StatelessResetToken::from(ByteView(hash).first(wire::kStatelessResetTokenLength));
}

}  // namespace stoq::path
