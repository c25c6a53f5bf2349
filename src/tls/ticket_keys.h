// TicketKeys: how a server seals its session tickets (RFC 5077 section 4: AES-CBC, then HMAC).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "crypto/secret.h"
#include "tls/library.h"
#include "tls/openssl_handles.h"

namespace stoq::tls {

// Seals and opens tickets. Only its holders can resume sessions, or read them.
using TicketSecret = std::array<std::uint8_t, 32>;

class TicketKeys {
public:
    static constexpr std::size_t kNameLength = 16;

    // The first secret seals, all of them open.
    TicketKeys(const Library& library, std::span<const TicketSecret> secrets);

    // In the manner of SSL_CTX_set_tlsext_ticket_key_evp_cb: these set up the contexts and return
    // 1 for "sealed", 2 for "opened, seal a new one", 0 for an unknown key, -1 for a failure.
    int begin_seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                   EVP_MAC_CTX* mac) const;
    int begin_open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                   EVP_MAC_CTX* mac) const;

private:
    struct Key {
        std::array<std::uint8_t, kNameLength> name;  // public
        crypto::Secret encryption;
        crypto::Secret authentication;
    };
    using CipherHandle = std::unique_ptr<EVP_CIPHER, Freeing<EVP_CIPHER_free>>;

    bool set_authentication(const Key& key, EVP_MAC_CTX* mac) const;

    const Library& library_;
    CipherHandle cipher_;
    std::vector<Key> keys_;
};

}  // namespace stoq::tls
