#include "tls/ticket_keys.h"

#include <algorithm>

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

namespace stoq::tls {

TicketKeys::TicketKeys(const Library& library, std::span<const TicketSecret> secrets)
    : library_(library), cipher_(EVP_CIPHER_fetch(library.get(), "AES-256-CBC", nullptr)) {
    for (const TicketSecret& secret : secrets) {
        const Sha256Digest name = hmac_sha256(library, secret, "stoq ticket name");
        Sha256Digest encryption = hmac_sha256(library, secret, "stoq ticket encryption");
        Sha256Digest authentication = hmac_sha256(library, secret, "stoq ticket authentication");
        Key& key = keys_.emplace_back();
        std::copy_n(name.begin(), kNameLength, key.name.begin());
        key.encryption = crypto::Secret(encryption);
        key.authentication = crypto::Secret(authentication);
        crypto::wipe(encryption);
        crypto::wipe(authentication);
    }
}

bool TicketKeys::set_authentication(const Key& key, EVP_MAC_CTX* mac) const {
    char digest[] = "SHA256";
    const std::array<OSSL_PARAM, 2> parameters = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    const ByteView secret = key.authentication.view();
    return EVP_MAC_init(mac, secret.data(), secret.size(), parameters.data()) == 1;
}

int TicketKeys::begin_seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                           EVP_MAC_CTX* mac) const {
    if (keys_.empty()) return 0;
    const Key& key = keys_.front();
    const auto iv_length = static_cast<std::size_t>(EVP_CIPHER_get_iv_length(cipher_.get()));
    std::copy(key.name.begin(), key.name.end(), name);
    const bool ready = RAND_bytes_ex(library_.get(), iv, iv_length, 0) == 1 &&
                       EVP_EncryptInit_ex2(cipher, cipher_.get(), key.encryption.view().data(), iv,
                                           nullptr) == 1 &&
                       set_authentication(key, mac);
    return ready ? 1 : -1;
}

int TicketKeys::begin_open(const unsigned char* name, const unsigned char* iv,
                           EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) const {
    const auto key = std::find_if(keys_.begin(), keys_.end(), [name](const Key& candidate) {
        return std::equal(candidate.name.begin(), candidate.name.end(), name);
    });
    if (key == keys_.end()) return 0;
    const bool ready = EVP_DecryptInit_ex2(cipher, cipher_.get(), key->encryption.view().data(), iv,
                                           nullptr) == 1 &&
                       set_authentication(*key, mac);
    // A ticket is used once (RFC 8446 appendix C.4), so each one that was good is replaced.
    return ready ? 2 : -1;
}

}  // namespace stoq::tls
