#include "tls/algorithms.h"

#include <set>

#include <gtest/gtest.h>

#include "tls/policy.h"

namespace stoq::tls {
namespace {

TEST(TlsAlgorithms, KnowsWhichGroupsArePostQuantumWhateverTheirCase) {
    for (const char* name : {"X25519MLKEM768", "x25519mlkem768", "SecP384r1MLKEM1024", "MLKEM1024"})
        EXPECT_TRUE(is_post_quantum_group(name)) << name;
    for (const char* name : {"", "x25519", "secp256r1", "X25519MLKEM7680", "MLKEM", "ffdhe2048"})
        EXPECT_FALSE(is_post_quantum_group(name)) << name;
}

TEST(TlsAlgorithms, AnUnknownSchemeCountsAsClassical) {
    EXPECT_TRUE(is_post_quantum_scheme("falconpadded1024"));
    EXPECT_TRUE(is_post_quantum_scheme("mldsa65"));
    EXPECT_FALSE(is_post_quantum_scheme("ed25519"));
    EXPECT_FALSE(is_post_quantum_scheme("falcon2048"));
    EXPECT_FALSE(is_post_quantum_scheme(""));
    EXPECT_TRUE(is_post_quantum_key("ML-DSA-65"));
    EXPECT_FALSE(is_post_quantum_key("EC"));
    EXPECT_FALSE(is_post_quantum_key("unknown"));
}

TEST(TlsAlgorithms, ReadsListsOfGroups) {
    for (const char* list :
         {"X25519MLKEM768", "*X25519MLKEM768:MLKEM1024", "?*MLKEM768 / MLKEM1024"})
        EXPECT_TRUE(has_only_post_quantum_groups(list)) << list;
    for (const char* list : {"X25519", "*X25519MLKEM768 / *X25519", "X25519MLKEM768:P-256",
                             "DEFAULT", "X25519MLKEM768:-X25519"})
        EXPECT_FALSE(has_only_post_quantum_groups(list)) << list;
}

TEST(TlsAlgorithms, TheDefaultListsAreWhatTheirPolicySays) {
    EXPECT_TRUE(has_only_post_quantum_groups(default_groups(PostQuantum::kRequire)));
    EXPECT_TRUE(default_groups(PostQuantum::kPrefer).starts_with("*X25519MLKEM768"));
    EXPECT_EQ(default_groups(PostQuantum::kOff).find("MLKEM"), std::string_view::npos);
    EXPECT_EQ(signature_list(PostQuantum::kRequire).find("ecdsa"), std::string::npos);
    EXPECT_EQ(signature_list(PostQuantum::kOff).find("falcon"), std::string::npos);
    const std::string preferred = signature_list(PostQuantum::kPrefer);
    EXPECT_LT(preferred.find("falcon1024"), preferred.find("ed25519"));
    EXPECT_LT(preferred.find("mldsa65"), preferred.find("ecdsa_secp256r1_sha256"));
}

TEST(TlsAlgorithms, NoSchemeIsListedTwice) {
    std::set<std::string_view> seen;
    for (const SignatureAlgorithm& one : signature_algorithms()) {
        EXPECT_TRUE(seen.insert(one.scheme).second) << one.scheme;
    }
}

TEST(TlsPolicy, KnowsTheProtocolsOfStoq) {
    for (const char* name : {"stoq", "stoq-file/1", "stoq-perf/1", "stoq/2"})
        EXPECT_TRUE(is_own_protocol(name)) << name;
    for (const char* name : {"", "h3", "sto", "stoqish", "xstoq", "hq-interop"})
        EXPECT_FALSE(is_own_protocol(name)) << name;
}

}  // namespace
}  // namespace stoq::tls
