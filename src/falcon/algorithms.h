// The signature algorithms of the provider, in one table: names, numbers, sizes, and what is below.
//
// Names, object identifiers and TLS code points are those of oqs-provider, because that is what
// there is to interoperate with. They are private ones; when FN-DSA has its own, it becomes further
// rows beside these.
#pragma once

#include <oqs/oqs.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace stoq::falcon {

// One parameter set and encoding of Falcon, round 3 of NIST's competition (version 20211101).
struct Scheme {
    std::size_t public_key_size;
    std::size_t secret_key_size;
    std::size_t max_signature_size;
    std::uint8_t log_degree;  // 9 for Falcon-512, 10 for Falcon-1024
    bool is_padded;           // every signature has max_signature_size bytes
    // liboqs.
    OQS_STATUS (*generate)(std::uint8_t* public_key, std::uint8_t* secret_key);
    OQS_STATUS (*sign)(std::uint8_t* signature, std::size_t* size, const std::uint8_t* message,
                       std::size_t message_size, const std::uint8_t* secret_key);
    OQS_STATUS (*verify)(const std::uint8_t* message, std::size_t message_size,
                         const std::uint8_t* signature, std::size_t size,
                         const std::uint8_t* public_key);
};

// The elliptic curve that signs beside Falcon in a hybrid: ECDSA, both signatures must hold.
struct Curve {
    const char* name;                  // "P-256"
    const char* digest;                // what ECDSA signs
    std::size_t public_key_size;       // uncompressed point
    std::size_t max_private_key_size;  // ECPrivateKey with parameters and public key (RFC 5915)
    std::size_t max_signature_size;    // Ecdsa-Sig-Value (RFC 3279), DER
};

struct Algorithm {
    const char* name;       // also the key type, the signature and the TLS scheme
    const char* title;      // for people
    const char* names;      // what OpenSSL finds it by: "falcon1024:1.3.9999.3.14"
    const char* oid;        // "1.3.9999.3.14"
    std::uint8_t oid_last;  // the last arc of it; the others are the same for all
    std::uint16_t tls_code_point;
    unsigned security_bits;
    const Scheme* scheme;
    const Curve* curve;  // null: Falcon alone
};

// A hybrid's keys and signatures begin with the length of the classical part in four bytes,
// big-endian, and that part; Falcon's part follows.
inline constexpr std::size_t kLengthSize = 4;

inline constexpr std::size_t kAlgorithmCount = 8;
extern const std::array<Algorithm, kAlgorithmCount> kAlgorithms;

// As they stand in a certificate.
std::size_t public_key_size(const Algorithm& algorithm);
std::size_t max_signature_size(const Algorithm& algorithm);

// The AlgorithmIdentifier of keys and signatures alike, DER, without parameters (RFC 5280 section
// 4.1.1.2).
inline constexpr std::size_t kAlgorithmIdentifierSize = 9;
std::array<std::uint8_t, kAlgorithmIdentifierSize> algorithm_identifier(const Algorithm& algorithm);

}  // namespace stoq::falcon
