#include "path/connection_id_generator.h"

#include <array>

#include "base/check.h"

namespace stoq::path {

RandomConnectionIdGenerator::RandomConnectionIdGenerator(std::size_t length) : length_(length) {
    STOQ_CHECK(length >= kMinLength && length <= wire::kMaxConnectionIdLength);
}

wire::ConnectionId RandomConnectionIdGenerator::generate(RandomSource& random) {
    //= 9000-5.1-1
    std::array<std::uint8_t, wire::kMaxConnectionIdLength> bytes{};
    const Bytes used(bytes.data(), length_);
    random.fill(used);
    return *wire::ConnectionId::from(used);
}

}  // namespace stoq::path
