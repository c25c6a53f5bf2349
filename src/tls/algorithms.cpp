#include "tls/algorithms.h"

#include <algorithm>
#include <array>
#include <utility>

namespace stoq::tls {
namespace {

constexpr auto kSignatureAlgorithms = std::to_array<SignatureAlgorithm>({
    {"p521_falconpadded1024", "p521_falconpadded1024", true},
    {"p521_falcon1024", "p521_falcon1024", true},
    {"falconpadded1024", "falconpadded1024", true},
    {"falcon1024", "falcon1024", true},
    {"p256_falconpadded512", "p256_falconpadded512", true},
    {"p256_falcon512", "p256_falcon512", true},
    {"falconpadded512", "falconpadded512", true},
    {"falcon512", "falcon512", true},
    {"mldsa65", "ML-DSA-65", true},
    {"mldsa87", "ML-DSA-87", true},
    {"mldsa44", "ML-DSA-44", true},
    {"ecdsa_secp256r1_sha256", "EC", false},
    {"ed25519", "ED25519", false},
    {"ecdsa_secp384r1_sha384", "EC", false},
    {"ecdsa_secp521r1_sha512", "EC", false},
    {"ed448", "ED448", false},
    {"rsa_pss_rsae_sha256", "RSA", false},
    {"rsa_pss_rsae_sha384", "RSA", false},
    {"rsa_pss_rsae_sha512", "RSA", false},
    {"rsa_pss_pss_sha256", "RSA-PSS", false},
    {"rsa_pss_pss_sha384", "RSA-PSS", false},
    {"rsa_pss_pss_sha512", "RSA-PSS", false},
    // In certificates only (RFC 8446 section 4.2.3).
    {"rsa_pkcs1_sha256", "RSA", false},
    {"rsa_pkcs1_sha384", "RSA", false},
    {"rsa_pkcs1_sha512", "RSA", false},
});

constexpr auto kPostQuantumGroups = std::to_array<std::string_view>({
    "X25519MLKEM768",
    "SecP256r1MLKEM768",
    "SecP384r1MLKEM1024",
    "MLKEM512",
    "MLKEM768",
    "MLKEM1024",
});

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace

std::span<const SignatureAlgorithm> signature_algorithms() {
    return kSignatureAlgorithms;
}

bool is_post_quantum_group(std::string_view name) {
    return std::ranges::any_of(kPostQuantumGroups, [name](std::string_view known) {
        return equal_ignoring_case(known, name);
    });
}

bool is_post_quantum_scheme(std::string_view name) {
    return std::ranges::any_of(kSignatureAlgorithms, [name](const SignatureAlgorithm& known) {
        return known.post_quantum && known.scheme == name;
    });
}

bool is_post_quantum_key(std::string_view type_name) {
    return std::ranges::any_of(kSignatureAlgorithms, [type_name](const SignatureAlgorithm& known) {
        return known.post_quantum && known.key == type_name;
    });
}

bool has_only_post_quantum_groups(std::string_view list) {
    while (!list.empty()) {
        const std::size_t end = std::min(list.find_first_of(":/"), list.size());
        std::string_view name = list.substr(0, end);
        list.remove_prefix(std::min(end + 1, list.size()));
        // `*` asks for a key share, `?` tolerates that the group is unknown.
        name.remove_prefix(std::min(name.find_first_not_of(" *?"), name.size()));
        while (name.ends_with(' ')) name.remove_suffix(1);
        if (!name.empty() && !is_post_quantum_group(name)) return false;
    }
    return true;
}

std::string_view default_groups(PostQuantum key_exchange) {
    switch (key_exchange) {
        case PostQuantum::kOff: return "*X25519:P-256:P-384";
        // With a classical key share sent along, so that servers without the hybrid still answer in
        // one round trip.
        case PostQuantum::kPrefer:
            return "*X25519MLKEM768:SecP384r1MLKEM1024:MLKEM1024 / *X25519:P-256:P-384";
        case PostQuantum::kRequire: return "*X25519MLKEM768:SecP384r1MLKEM1024:MLKEM1024";
    }
    std::unreachable();
}

std::string signature_list(PostQuantum authentication) {
    std::string list;
    for (const SignatureAlgorithm& algorithm : kSignatureAlgorithms) {
        if (algorithm.post_quantum && authentication == PostQuantum::kOff) continue;
        if (!algorithm.post_quantum && authentication == PostQuantum::kRequire) continue;
        if (!list.empty()) list += ':';
        // Left out where no provider has it.
        list.append("?").append(algorithm.scheme);
    }
    return list;
}

const char* key_algorithm(KeyType type) {
    switch (type) {
        case KeyType::kP256: return "EC";
        case KeyType::kEd25519: return "ED25519";
        case KeyType::kMlDsa65: return "ML-DSA-65";
        case KeyType::kMlDsa87: return "ML-DSA-87";
        case KeyType::kFalcon512: return "falcon512";
        case KeyType::kFalcon1024: return "falcon1024";
        case KeyType::kFalconPadded512: return "falconpadded512";
        case KeyType::kFalconPadded1024: return "falconpadded1024";
        case KeyType::kP256Falcon512: return "p256_falcon512";
        case KeyType::kP521Falcon1024: return "p521_falcon1024";
        case KeyType::kP256FalconPadded512: return "p256_falconpadded512";
        case KeyType::kP521FalconPadded1024: return "p521_falconpadded1024";
    }
    std::unreachable();
}

}  // namespace stoq::tls
