#include "tls/key_text.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

namespace stoq::tls {
namespace {

using KeyInfoHandle = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freeing<PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedKeyHandle = std::unique_ptr<X509_SIG, Freeing<X509_SIG_free>>;
using AlgorithmHandle = std::unique_ptr<X509_ALGOR, Freeing<X509_ALGOR_free>>;

// 16 MiB and five passes: what a guess costs, and what OpenSSL accepts when it reads.
constexpr std::uint64_t kScryptCost = 1 << 14;
constexpr std::uint64_t kScryptBlockSize = 8;
constexpr std::uint64_t kScryptParallelism = 5;

std::string contents_of(BIO& bio) {
    char* data = nullptr;
    const long length = BIO_get_mem_data(&bio, &data);
    return {data, static_cast<std::size_t>(length)};
}

EncryptedKeyHandle encrypt(PKCS8_PRIV_KEY_INFO& info, std::string_view pass_phrase) {
    AlgorithmHandle algorithm(PKCS5_pbe2_set_scrypt(
        EVP_aes_256_cbc(), nullptr, 0, nullptr, kScryptCost, kScryptBlockSize, kScryptParallelism));
    if (!algorithm) return nullptr;
    EncryptedKeyHandle encrypted(PKCS8_set0_pbe(
        pass_phrase.data(), static_cast<int>(pass_phrase.size()), &info, algorithm.get()));
    // It is in there now.
    if (encrypted) {
        [[maybe_unused]] auto* const given = algorithm.release();
    }
    return encrypted;
}

}  // namespace

std::string pem_of(const X509& certificate) {
    const BioHandle text(BIO_new(BIO_s_mem()));
    return PEM_write_bio_X509(text.get(), &certificate) == 1 ? contents_of(*text) : std::string();
}

std::string pem_of(const EVP_PKEY& key, std::string_view pass_phrase) {
    const BioHandle text(BIO_new(BIO_s_secmem()));  // wiped when it is freed
    const KeyInfoHandle info(EVP_PKEY2PKCS8(&key));
    if (!info) return {};
    if (pass_phrase.empty()) {
        const bool written = PEM_write_bio_PKCS8_PRIV_KEY_INFO(text.get(), info.get()) == 1;
        return written ? contents_of(*text) : std::string();
    }
    const EncryptedKeyHandle encrypted = encrypt(*info, pass_phrase);
    const bool written = encrypted && PEM_write_bio_PKCS8(text.get(), encrypted.get()) == 1;
    return written ? contents_of(*text) : std::string();
}

}  // namespace stoq::tls
