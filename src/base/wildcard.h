// Whether an address stands for all addresses of its machine.
#pragma once

#include <algorithm>

#include "stoq/types.h"

namespace stoq {

// All zero: 0.0.0.0 or [::], or none at all.
constexpr bool is_wildcard(const Address& address) {
    return std::ranges::all_of(address.ip_bytes(), [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace stoq
