// Certificates that were tampered with: below the authority that signed the right one, no other is
// accepted.
//
// The input says what to change. Its first byte chooses the kind of key; then come edits of four
// bytes (edits.h).
#include <oqs/oqs.h>

#include <array>
#include <vector>

#include <openssl/x509_vfy.h>

#include "edits.h"
#include "fuzz_input.h"
#include "support/nist_drbg.h"
#include "support/test_credentials.h"
#include "tls/certificates.h"

namespace {

using namespace stoq;

using StoreHandle = std::unique_ptr<X509_STORE, tls::Freeing<X509_STORE_free>>;
using StoreContextHandle = std::unique_ptr<X509_STORE_CTX, tls::Freeing<X509_STORE_CTX_free>>;

// The same Falcon keys in every run; serial numbers and ECDSA's keys are other ones each time.
test::NistDrbg& randomness() {
    static test::NistDrbg drbg({3, 2, 1});
    return drbg;
}

const tls::Library& library() {
    static const tls::Library made;
    return made;
}

// What an authority has signed, and who trusts it.
struct Signed {
    StoreHandle store{X509_STORE_new()};
    tls::DerBytes leaf;
};

bool is_accepted(const Signed& by, const X509& certificate) {
    const StoreContextHandle context(X509_STORE_CTX_new_ex(library().get(), nullptr));
    fuzz::require(X509_STORE_CTX_init(context.get(), by.store.get(),
                                      const_cast<X509*>(&certificate), nullptr) == 1);
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context.get()),
                                X509_V_FLAG_NO_CHECK_TIME);
    return X509_verify_cert(context.get()) == 1;
}

tls::CertificateHandle first_of(const PemIdentity& pem) {
    return std::move(tls::read_certificates(library(), pem.certificate()).value().front());
}

Signed sign_with(KeyType type) {
    IdentityRequest request{
        .key_type = type, .names = {"Root"}, .not_before = test::kTestNotBefore, .is_ca = true};
    const PemIdentity root = generate_identity(request).value();
    request.issuer = Identity::from_pem(root.certificate(), root.key()).value();
    request.is_ca = false;
    request.names = {"localhost"};
    Signed made;
    fuzz::require(X509_STORE_add_cert(made.store.get(), first_of(root).get()) == 1);
    const auto leaf = first_of(generate_identity(request).value());
    made.leaf = tls::der_of(*leaf);
    fuzz::require(is_accepted(made, *leaf));
    return made;
}

constexpr std::array kTypes{KeyType::kFalcon1024, KeyType::kFalcon512, KeyType::kFalconPadded1024,
                            KeyType::kP256FalconPadded512, KeyType::kP521Falcon1024};

std::array<Signed, kTypes.size()> sign_with_each() {
    OQS_randombytes_custom_algorithm(
        [](std::uint8_t* bytes, std::size_t size) { randomness().fill({bytes, size}); });
    std::array<Signed, kTypes.size()> made;
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = sign_with(kTypes[i]);
    return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto made = sign_with_each();
    const fuzz::Input input(data, size);
    const Signed& original = made[input.choice % made.size()];
    tls::DerBytes der = original.leaf;
    for (ByteView rest = input.rest; rest.size() >= fuzz::Edit::kSize;
         rest = rest.subspan(fuzz::Edit::kSize)) {
        fuzz::Edit(rest).apply(der);
    }
    const auto certificate = tls::certificate_from(library(), der);
    const bool is_right = certificate && is_accepted(original, *certificate);
    if (der == original.leaf) fuzz::require(is_right);
    // A length in more bytes than it needs is the same certificate, spelled otherwise.
    if (is_right) fuzz::require(tls::der_of(*certificate) == original.leaf);
    return 0;
}
