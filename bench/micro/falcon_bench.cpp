// What Falcon costs: keys, signatures and verifications of each algorithm of the provider, as a
// handshake uses them, and what it is compared with.
//
//   falcon_bench [SECONDS]     microseconds of CPU time, the median; 0.2 seconds for each by
//   default
//
// The last line is RESULT name=value ..., for Falcon-1024.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include <openssl/evp.h>

#include "falcon/key.h"
#include "falcon/scheme.h"

namespace {

using namespace stoq;
using falcon::Algorithm;
using falcon::Key;

// As long as what a CertificateVerify signs with SHA-384 (RFC 8446 section 4.4.3).
const std::vector<std::uint8_t> kMessage(64 + 34 + 48, 0x20);

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Median of the calls that fit into `seconds`, in microseconds. At least five.
template <typename Call>
double measure(double seconds, Call&& call) {
    std::vector<double> samples;
    const double begin = cpu_seconds();
    for (double last = begin; last - begin < seconds || samples.size() < 5;) {
        call();
        const double now = cpu_seconds();
        samples.push_back(1e6 * (now - last));
        last = now;
    }
    std::ranges::nth_element(samples, samples.begin() + static_cast<long>(samples.size() / 2));
    return samples[samples.size() / 2];
}

void check(bool works) {
    if (works) return;
    std::fputs("falcon_bench: a call failed\n", stderr);
    std::exit(1);
}

struct Costs {
    double generate;
    double sign;
    double verify;
};

Costs costs_of(const Algorithm& algorithm, double seconds) {
    std::vector<std::uint8_t> signature(max_signature_size(algorithm));
    const auto key = Key::generate(algorithm, nullptr);
    check(key != nullptr);
    const std::size_t size = key->sign(kMessage, signature).value_or(0);
    const ByteView made = ByteView(signature).first(size);
    std::vector<std::uint8_t> other(signature.size());
    return {
        measure(seconds, [&] { check(Key::generate(algorithm, nullptr) != nullptr); }),
        measure(seconds, [&] { check(key->sign(kMessage, other).has_value()); }),
        measure(seconds, [&] { check(key->verify(kMessage, made)); }),
    };
}

void print(const char* name, const Costs& costs) {
    std::printf("%-22s %10.0f %10.1f %10.1f\n", name, costs.generate, costs.sign, costs.verify);
}

// The same of a key that OpenSSL has itself.
Costs costs_of(const char* type, const char* group, const char* digest, double seconds) {
    const auto make = [&] {
        EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr);
        EVP_PKEY* made = nullptr;
        check(EVP_PKEY_keygen_init(context) == 1 &&
              (!group || EVP_PKEY_CTX_set_group_name(context, group) == 1) &&
              EVP_PKEY_generate(context, &made) == 1);
        EVP_PKEY_CTX_free(context);
        return made;
    };
    EVP_PKEY* key = make();
    std::vector<std::uint8_t> signature(static_cast<std::size_t>(EVP_PKEY_get_size(key)));
    std::size_t size = 0;
    const auto sign = [&] {
        EVP_MD_CTX* context = EVP_MD_CTX_new();
        size = signature.size();
        check(EVP_DigestSignInit_ex(context, nullptr, digest, nullptr, nullptr, key, nullptr) ==
                  1 &&
              EVP_DigestSign(context, signature.data(), &size, kMessage.data(), kMessage.size()) ==
                  1);
        EVP_MD_CTX_free(context);
    };
    const auto verify = [&] {
        EVP_MD_CTX* context = EVP_MD_CTX_new();
        check(EVP_DigestVerifyInit_ex(context, nullptr, digest, nullptr, nullptr, key, nullptr) ==
                  1 &&
              EVP_DigestVerify(context, signature.data(), size, kMessage.data(), kMessage.size()) ==
                  1);
        EVP_MD_CTX_free(context);
    };
    const Costs costs = {measure(seconds, [&] { EVP_PKEY_free(make()); }), measure(seconds, sign),
                         measure(seconds, verify)};
    EVP_PKEY_free(key);
    return costs;
}

}  // namespace

int main(int argc, char** argv) {
    const double seconds = argc > 1 ? std::atof(argv[1]) : 0.2;
    std::printf("%-22s %10s %10s %10s   microseconds\n", "", "generate", "sign", "verify");
    std::map<std::string, Costs> costs;
    for (const Algorithm& algorithm : falcon::kAlgorithms) {
        costs[algorithm.name] = costs_of(algorithm, seconds);
        print(algorithm.name, costs[algorithm.name]);
    }
    print("P-256", costs_of("EC", "P-256", "SHA256", seconds));
    print("Ed25519", costs_of("ED25519", nullptr, nullptr, seconds));
    print("ML-DSA-65", costs_of("ML-DSA-65", nullptr, nullptr, seconds));
    const Costs& falcon = costs["falcon1024"];
    std::printf(
        "RESULT implementation=%s falcon1024_generate_us=%.0f falcon1024_sign_us=%.1f "
        "falcon1024_verify_us=%.1f\n",
        stoq::falcon::implementation(), falcon.generate, falcon.sign, falcon.verify);
}
