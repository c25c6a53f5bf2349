#include "falcon/algorithms.h"

#include <algorithm>

namespace stoq::falcon {
namespace {

constexpr Scheme kFalcon512{OQS_SIG_falcon_512_length_public_key,
                            OQS_SIG_falcon_512_length_secret_key,
                            OQS_SIG_falcon_512_length_signature,
                            /*log_degree=*/9,
                            /*is_padded=*/false,
                            &OQS_SIG_falcon_512_keypair,
                            &OQS_SIG_falcon_512_sign,
                            &OQS_SIG_falcon_512_verify};
constexpr Scheme kFalconPadded512{OQS_SIG_falcon_padded_512_length_public_key,
                                  OQS_SIG_falcon_padded_512_length_secret_key,
                                  OQS_SIG_falcon_padded_512_length_signature,
                                  /*log_degree=*/9,
                                  /*is_padded=*/true,
                                  &OQS_SIG_falcon_padded_512_keypair,
                                  &OQS_SIG_falcon_padded_512_sign,
                                  &OQS_SIG_falcon_padded_512_verify};
constexpr Scheme kFalcon1024{OQS_SIG_falcon_1024_length_public_key,
                             OQS_SIG_falcon_1024_length_secret_key,
                             OQS_SIG_falcon_1024_length_signature,
                             /*log_degree=*/10,
                             /*is_padded=*/false,
                             &OQS_SIG_falcon_1024_keypair,
                             &OQS_SIG_falcon_1024_sign,
                             &OQS_SIG_falcon_1024_verify};
constexpr Scheme kFalconPadded1024{OQS_SIG_falcon_padded_1024_length_public_key,
                                   OQS_SIG_falcon_padded_1024_length_secret_key,
                                   OQS_SIG_falcon_padded_1024_length_signature,
                                   /*log_degree=*/10,
                                   /*is_padded=*/true,
                                   &OQS_SIG_falcon_padded_1024_keypair,
                                   &OQS_SIG_falcon_padded_1024_sign,
                                   &OQS_SIG_falcon_padded_1024_verify};

constexpr Curve kP256{"P-256", "SHA256", 65, 121, 72};
constexpr Curve kP521{"P-521", "SHA512", 133, 223, 139};

// 1.3.9999.3, the arc that Open Quantum Safe uses.
constexpr std::array<std::uint8_t, kAlgorithmIdentifierSize - 1> kIdentifierPrefix = {
    0x30, 0x07, 0x06, 0x05, 0x2b, 0xce, 0x0f, 0x03};

}  // namespace

constexpr std::array<Algorithm, kAlgorithmCount> kAlgorithms = {{
    {"falcon512", "Falcon-512", "falcon512:1.3.9999.3.11", "1.3.9999.3.11", 11, 0xfed7, 128,
     &kFalcon512, nullptr},
    {"p256_falcon512", "P-256 with Falcon-512", "p256_falcon512:1.3.9999.3.12", "1.3.9999.3.12", 12,
     0xfed8, 128, &kFalcon512, &kP256},
    {"falconpadded512", "Falcon-padded-512", "falconpadded512:1.3.9999.3.16", "1.3.9999.3.16", 16,
     0xfedc, 128, &kFalconPadded512, nullptr},
    {"p256_falconpadded512", "P-256 with Falcon-padded-512", "p256_falconpadded512:1.3.9999.3.17",
     "1.3.9999.3.17", 17, 0xfedd, 128, &kFalconPadded512, &kP256},
    {"falcon1024", "Falcon-1024", "falcon1024:1.3.9999.3.14", "1.3.9999.3.14", 14, 0xfeda, 256,
     &kFalcon1024, nullptr},
    {"p521_falcon1024", "P-521 with Falcon-1024", "p521_falcon1024:1.3.9999.3.15", "1.3.9999.3.15",
     15, 0xfedb, 256, &kFalcon1024, &kP521},
    {"falconpadded1024", "Falcon-padded-1024", "falconpadded1024:1.3.9999.3.19", "1.3.9999.3.19",
     19, 0xfedf, 256, &kFalconPadded1024, nullptr},
    {"p521_falconpadded1024", "P-521 with Falcon-padded-1024",
     "p521_falconpadded1024:1.3.9999.3.20", "1.3.9999.3.20", 20, 0xfee0, 256, &kFalconPadded1024,
     &kP521},
}};

std::size_t public_key_size(const Algorithm& algorithm) {
    const Curve* curve = algorithm.curve;
    return algorithm.scheme->public_key_size + (curve ? kLengthSize + curve->public_key_size : 0);
}

std::size_t max_signature_size(const Algorithm& algorithm) {
    const Curve* curve = algorithm.curve;
    return algorithm.scheme->max_signature_size +
           (curve ? kLengthSize + curve->max_signature_size : 0);
}

std::array<std::uint8_t, kAlgorithmIdentifierSize> algorithm_identifier(
    const Algorithm& algorithm) {
    std::array<std::uint8_t, kAlgorithmIdentifierSize> der{};
    std::copy(kIdentifierPrefix.begin(), kIdentifierPrefix.end(), der.begin());
    der.back() = algorithm.oid_last;
    return der;
}

}  // namespace stoq::falcon
