// Certificates that were damaged, cut, signed by another key or labelled with another algorithm.
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "support/tls_pair.h"
#include "tls/certificates.h"
#include "tls/key_text.h"
#include "tls/library.h"

namespace stoq::tls {
namespace {

using test::make_identity;
using test::TestIdentity;
using test::TlsPair;

std::vector<KeyType> kinds() {
    std::vector<KeyType> all = {KeyType::kP256, KeyType::kEd25519, KeyType::kMlDsa65};
    if (kHasFalcon) {
        all.insert(all.end(), {KeyType::kFalcon1024, KeyType::kFalconPadded1024,
                               KeyType::kP256FalconPadded512});
    }
    return all;
}

struct Issued {
    TestIdentity root;
    TestIdentity leaf;
};

Issued issue(KeyType type, const char* name = "Root") {
    TestIdentity root = make_identity(
        generate_identity(
            {.key_type = type, .names = {name}, .not_before = test::kTestNotBefore, .is_ca = true})
            .value());
    TestIdentity leaf = make_identity(
        generate_identity(
            {.key_type = type, .not_before = test::kTestNotBefore, .issuer = root.identity})
            .value());
    return {std::move(root), std::move(leaf)};
}

CertificateHandle parse(const std::string& pem) {
    const BioHandle text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return CertificateHandle(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
}

// Whether a client that trusts `root` takes a server with this certificate.
TlsPair meet(const std::string& root, const Identity& identity) {
    Credentials server = test::server_credentials();
    server.identities = {identity};
    Credentials client = test::client_credentials();
    client.trust = Trust::ca_pem(root).value();
    TlsPair pair;
    pair.start(client, server);
    pair.run();
    return pair;
}

// The certificate's signature, to be spoilt; what was signed keeps its encoding.
ASN1_BIT_STRING& signature_of(X509& certificate) {
    const ASN1_BIT_STRING* signature = nullptr;
    X509_get0_signature(&signature, nullptr, &certificate);
    return const_cast<ASN1_BIT_STRING&>(*signature);
}

TEST(TlsBadCertificate, AnUntouchedOneIsTaken) {
    for (const KeyType type : kinds()) {
        const Issued issued = issue(type);
        const TlsPair pair = meet(issued.root.pem.certificate(), issued.leaf.identity);
        EXPECT_TRUE(pair.is_complete()) << pair.client.session->info().failure;
    }
}

TEST(TlsBadCertificate, AChangedByteOfTheSignatureIsRefused) {
    for (const KeyType type : kinds()) {
        const Issued issued = issue(type);
        const CertificateHandle certificate = parse(issued.leaf.pem.certificate());
        ASN1_BIT_STRING& signature = signature_of(*certificate);
        for (const int at : {0, 1, signature.length / 2, signature.length - 1}) {
            signature.data[at] ^= 0x10;
            const auto spoilt =
                Identity::from_pem(pem_of(*certificate), issued.leaf.pem.key()).value();
            const TlsPair pair = meet(issued.root.pem.certificate(), spoilt);
            EXPECT_FALSE(pair.is_complete()) << "byte " << at;
            EXPECT_NE(pair.client.session->info().certificate_problem, CertificateProblem::kNone);
            signature.data[at] ^= 0x10;
        }
    }
}

TEST(TlsBadCertificate, ACutSignatureIsRefused) {
    for (const KeyType type : kinds()) {
        const Issued issued = issue(type);
        for (const int cut : {1, 40}) {
            const CertificateHandle certificate = parse(issued.leaf.pem.certificate());
            signature_of(*certificate).length -= cut;
            const auto spoilt =
                Identity::from_pem(pem_of(*certificate), issued.leaf.pem.key()).value();
            EXPECT_FALSE(meet(issued.root.pem.certificate(), spoilt).is_complete()) << cut;
        }
    }
}

TEST(TlsBadCertificate, ACutCertificateDoesNotLoad) {
    for (const KeyType type : kinds()) {
        const Issued issued = issue(type);
        unsigned char* der = nullptr;
        const int length = i2d_X509(parse(issued.leaf.pem.certificate()).get(), &der);
        const ByteView whole(der, static_cast<std::size_t>(length));
        const Library library;
        EXPECT_TRUE(certificate_from(library, whole));
        for (std::size_t kept = 0; kept < whole.size(); kept += 37) {
            EXPECT_FALSE(certificate_from(library, whole.first(kept))) << kept;
        }
        OPENSSL_free(der);
    }
}

TEST(TlsBadCertificate, AnAuthorityOfTheSameNameAndAnotherKeyIsRefused) {
    for (const KeyType type : kinds()) {
        const Issued mine = issue(type);
        const Issued others = issue(type);
        const TlsPair pair = meet(others.root.pem.certificate(), mine.leaf.identity);
        EXPECT_FALSE(pair.is_complete());
        EXPECT_NE(pair.client.session->info().certificate_problem, CertificateProblem::kNone);
    }
}

TEST(TlsBadCertificate, AnotherAlgorithmThanTheKeysIsRefused) {
    const Issued other = issue(KeyType::kMlDsa87);
    const CertificateHandle donor = parse(other.leaf.pem.certificate());
    const X509_ALGOR* label = nullptr;
    X509_get0_signature(nullptr, &label, donor.get());
    for (const KeyType type : kinds()) {
        const Issued issued = issue(type);
        const CertificateHandle certificate = parse(issued.leaf.pem.certificate());
        const X509_ALGOR* own = nullptr;
        X509_get0_signature(nullptr, &own, certificate.get());
        ASSERT_EQ(X509_ALGOR_copy(const_cast<X509_ALGOR*>(own), label), 1);
        const auto relabelled =
            Identity::from_pem(pem_of(*certificate), issued.leaf.pem.key()).value();
        EXPECT_FALSE(meet(issued.root.pem.certificate(), relabelled).is_complete());
    }
}

}  // namespace
}  // namespace stoq::tls
