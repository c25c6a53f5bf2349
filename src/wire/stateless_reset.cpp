#include "wire/stateless_reset.h"

#include <cstring>

#include "wire/packet_header.h"

namespace stoq::wire {

bool encode_stateless_reset(Bytes out, const StatelessResetToken& token, RandomSource& random) {
    if (out.size() < kMinStatelessResetLength) return false;
    //= 9000-10.3-3
    random.fill(out.first(out.size() - kStatelessResetTokenLength));
    //= 9000-10.3-8
    out[0] = static_cast<std::uint8_t>((out[0] & ~kHeaderFormBit) | kFixedBit);
    std::memcpy(out.last(kStatelessResetTokenLength).data(), token.bytes.data(),
                kStatelessResetTokenLength);
    return true;
}

}  // namespace stoq::wire
