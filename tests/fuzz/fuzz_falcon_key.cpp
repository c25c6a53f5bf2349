// Keys of Falcon from anywhere, as the bytes of SubjectPublicKeyInfo and OneAsymmetricKey: what is
// accepted has one encoding, the input.
#include <algorithm>

#include "falcon/der.h"
#include "falcon/key.h"
#include "fuzz_input.h"

namespace {

using namespace stoq;
using falcon::Key;

void read_public(const falcon::Algorithm& algorithm, ByteView der) {
    const auto bytes = falcon::decode_public_key_info(algorithm, der);
    if (!bytes) return;
    const auto key = Key::from_public(algorithm, nullptr, *bytes);
    if (!key) return;
    fuzz::require(key->has_public() && !key->has_private());
    const auto again = falcon::encode_public_key_info(algorithm, key->public_bytes());
    fuzz::require(std::ranges::equal(again, der));
    fuzz::require(!key->verify(der, der.first(std::min<std::size_t>(der.size(), 700))));
}

void read_private(const falcon::Algorithm& algorithm, ByteView der) {
    const auto bytes = falcon::decode_private_key_info(algorithm, der);
    if (!bytes) return;
    const auto key = Key::from_private(algorithm, nullptr, *bytes);
    if (!key) return;
    fuzz::require(key->has_public() && key->has_private());
    // A hybrid's classical part has more than one encoding, and we write only one of them.
    if (!algorithm.curve) {
        const auto again = falcon::encode_private_key_info(algorithm, key->private_bytes().view());
        fuzz::require(std::ranges::equal(again.view(), der));
    }
    // Whatever the private half is, using it ends.
    const bool is_pair = key->is_consistent();
    fuzz::require(is_pair == key->is_consistent());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const fuzz::Input input(data, size);
    const auto& algorithm = falcon::kAlgorithms[input.choice / 2 % falcon::kAlgorithmCount];
    if (input.choice % 2 == 0) {
        read_public(algorithm, input.rest);
    } else {
        read_private(algorithm, input.rest);
    }
    return 0;
}
