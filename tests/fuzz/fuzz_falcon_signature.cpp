// Signatures that were tampered with: no change of a right one, or of its message, is accepted.
//
// The input says what to change. Its first byte chooses the algorithm; then come edits of four
// bytes (edits.h).
#include <oqs/oqs.h>

#include <array>
#include <vector>

#include "edits.h"
#include "falcon/key.h"
#include "fuzz_input.h"
#include "support/nist_drbg.h"

namespace {

using namespace stoq;
using Buffer = std::vector<std::uint8_t>;

// The same keys and signatures in every run; ECDSA's are other ones each time.
test::NistDrbg& randomness() {
    static test::NistDrbg drbg({1, 2, 3});
    return drbg;
}

struct Signed {
    std::shared_ptr<const falcon::Key> key;
    Buffer message;
    Buffer signature;
};

Signed sign_with(const falcon::Algorithm& algorithm) {
    Signed made{falcon::Key::generate(algorithm, nullptr), Buffer(100, 0x6d), {}};
    made.signature.resize(falcon::max_signature_size(algorithm));
    made.signature.resize(made.key->sign(made.message, made.signature).value_or(0));
    fuzz::require(made.key->verify(made.message, made.signature));
    return made;
}

std::array<Signed, falcon::kAlgorithmCount> sign_with_each() {
    OQS_randombytes_custom_algorithm(
        [](std::uint8_t* bytes, std::size_t size) { randomness().fill({bytes, size}); });
    std::array<Signed, falcon::kAlgorithmCount> made;
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = sign_with(falcon::kAlgorithms[i]);
    return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto made = sign_with_each();
    const fuzz::Input input(data, size);
    const Signed& original = made[input.choice % made.size()];
    Buffer message = original.message;
    Buffer signature = original.signature;
    for (ByteView rest = input.rest; rest.size() >= fuzz::Edit::kSize;
         rest = rest.subspan(fuzz::Edit::kSize)) {
        const fuzz::Edit edit(rest);
        edit.apply(edit.what % 8 < 4 ? signature : message);
    }
    const bool is_unchanged = message == original.message && signature == original.signature;
    fuzz::require(original.key->verify(message, signature) == is_unchanged);
    return 0;
}
