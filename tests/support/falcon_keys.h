// One key of each algorithm, made once per process.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "falcon/key.h"

namespace stoq::falcon {

inline const Key& test_key(const Algorithm& algorithm) {
    static std::array<std::shared_ptr<Key>, kAlgorithmCount> made;
    auto& key = made[static_cast<std::size_t>(&algorithm - kAlgorithms.data())];
    if (!key) key = Key::generate(algorithm, nullptr);
    return *key;
}

inline std::vector<std::uint8_t> sign_with(const Key& key, ByteView message) {
    std::vector<std::uint8_t> signature(max_signature_size(key.algorithm()));
    signature.resize(key.sign(message, signature).value_or(0));
    return signature;
}

}  // namespace stoq::falcon
