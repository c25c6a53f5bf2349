// Falcon itself: liboqs behind functions that check what it does not.
#pragma once

#include <optional>

#include "falcon/algorithms.h"
#include "stoq/types.h"

namespace stoq::falcon {

// Which code of liboqs signs on this machine: "AVX2", "NEON" or "portable". What each promises
// about timing is in SECURITY.md.
const char* implementation();

// Whether the bytes are of the right length and form: the header, and for a public key every
// coefficient below Falcon's modulus. (What a private key is worth, only signing shows.)
bool is_public_key(const Scheme& scheme, ByteView bytes);
bool is_secret_key(const Scheme& scheme, ByteView bytes);

// Fills buffers of exactly scheme.public_key_size and scheme.secret_key_size bytes. False when no
// key came out; then both are wiped.
bool generate_key(const Scheme& scheme, Bytes public_key, Bytes secret_key);

// Signs into `signature`, which has room for scheme.max_signature_size bytes, and returns how many
// were used. What the computation left on the stack is wiped.
std::optional<std::size_t> sign(const Scheme& scheme, ByteView secret_key, ByteView message,
                                Bytes signature);

// Whether the signature is right and is the only encoding of itself: padded ones have exactly their
// size, the others end with a byte that is not padding. liboqs accepts either form for both.
bool verify(const Scheme& scheme, ByteView public_key, ByteView message, ByteView signature);

}  // namespace stoq::falcon
