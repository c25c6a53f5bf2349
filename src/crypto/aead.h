// Authenticated encryption and header-protection masks, many packets a call.
//
// One object holds one key at a time and serves one direction. It may be used by one thread at a
// time. Keys are wiped when they are replaced and when it is destroyed.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "crypto/cipher_suite.h"
#include "stoq/types.h"

namespace stoq::crypto {

using Nonce = std::array<std::uint8_t, kNonceSize>;
using HeaderMask = std::array<std::uint8_t, kMaskSize>;

struct SealRequest {
    ByteView associated_data;
    ByteView plaintext;
    // plaintext.size() + tail.size() + kTagSize bytes; plaintext.data() or disjoint from it.
    std::uint8_t* output;
    Nonce nonce;      // never twice under one key
    ByteView tail{};  // more plaintext, from elsewhere: disjoint from the output
};

struct OpenRequest {
    ByteView associated_data;
    Bytes ciphertext;  // with the tag at its end, at least kTagSize bytes; becomes the plaintext
    Nonce nonce;
    bool authentic;  // out. If false, the content of `ciphertext` before its tag is undefined.
};

class Aead {
public:
    virtual ~Aead() = default;
    // The tag at the end of each ciphertext is left as it came by open().
    virtual void seal(std::span<const SealRequest> requests) = 0;
    virtual void open(std::span<OpenRequest> requests) = 0;

    // `key` has the size of the one before (checked). Allocates nothing.
    virtual void replace_key(ByteView key) = 0;
    // Until the key is replaced, neither seal() nor open() may be called.
    virtual void wipe_key() = 0;
};

class HeaderMasker {
public:
    virtual ~HeaderMasker() = default;
    // masks[i] is made from the kSampleSize bytes at samples[i] (RFC 9001 section 5.4.3, 5.4.4).
    virtual void masks(std::span<const std::uint8_t* const> samples,
                       std::span<HeaderMask> masks) = 0;
};

// Who does the work. Both give the same bytes.
enum class Backend : std::uint8_t {
    kAutomatic,  // what is faster here: measured when a suite is first used
    kOpenssl,
    kIpsecMb,  // intel-ipsec-mb: x86-64 with AES-NI and PCLMULQDQ
};

// Sealing and opening keep different state in OpenSSL: an object is made for one of them, and using
// it for the other is a bug (checked).
enum class Direction : std::uint8_t { kSeal, kOpen };

// Whether this build has the backend and this machine the instructions it needs.
bool is_available(Backend backend);

// What kAutomatic means with a suite.
Backend automatic_backend(CipherSuite suite);

// `key` has properties_of(suite).key_size bytes (checked); an unavailable backend is a bug
// (checked).
std::unique_ptr<Aead> make_aead(CipherSuite suite, Direction direction, ByteView key,
                                Backend backend = Backend::kAutomatic);
std::unique_ptr<HeaderMasker> make_header_masker(CipherSuite suite, ByteView key,
                                                 Backend backend = Backend::kAutomatic);

}  // namespace stoq::crypto
