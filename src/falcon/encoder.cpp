// Keys to DER, PEM and text (provider-encoder(7)).
#include <array>
#include <string>
#include <utility>
#include <vector>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "falcon/der.h"
#include "falcon/key_text.h"
#include "falcon/provider_parts.h"

namespace stoq::falcon {
namespace {

enum class Structure : std::uint8_t { kPublicKeyInfo, kPrivateKeyInfo, kEncrypted, kText };
enum class Format : std::uint8_t { kDer, kPem };

template <auto kFree>
struct Freeing {
    template <typename T>
    void operator()(T* object) const {
        kFree(object);
    }
};
using BioHandle = std::unique_ptr<BIO, Freeing<BIO_free>>;
using CipherHandle = std::unique_ptr<EVP_CIPHER, Freeing<EVP_CIPHER_free>>;
using KeyInfoHandle = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freeing<PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedHandle = std::unique_ptr<X509_SIG, Freeing<X509_SIG_free>>;

// Rounds of HMAC in PBKDF2 (RFC 8018) between a pass phrase and a key: some tenths of a second.
constexpr int kDerivationRounds = 600'000;

struct Context {
    const Provider* provider;
    CipherHandle cipher;  // for private keys; null: in the clear
};

Context& context_of(void* context) {
    return *static_cast<Context*>(context);
}

void* new_context(void* provider) {
    return new Context{static_cast<Provider*>(provider), nullptr};
}

void free_context(void* context) {
    delete static_cast<Context*>(context);
}

const OSSL_PARAM* settable_params(void*) {
    static const OSSL_PARAM kParams[] = {
        OSSL_PARAM_utf8_string(OSSL_ENCODER_PARAM_CIPHER, nullptr, 0),
        OSSL_PARAM_utf8_string(OSSL_ENCODER_PARAM_PROPERTIES, nullptr, 0),
        OSSL_PARAM_END,
    };
    return kParams;
}

int set_params(void* context, const OSSL_PARAM params[]) {
    Context& self = context_of(context);
    const OSSL_PARAM* cipher = OSSL_PARAM_locate_const(params, OSSL_ENCODER_PARAM_CIPHER);
    if (!cipher) return 1;
    const OSSL_PARAM* properties = OSSL_PARAM_locate_const(params, OSSL_ENCODER_PARAM_PROPERTIES);
    const char* name = nullptr;
    const char* query = nullptr;
    if (OSSL_PARAM_get_utf8_string_ptr(cipher, &name) != 1) return 0;
    if (properties && OSSL_PARAM_get_utf8_string_ptr(properties, &query) != 1) return 0;
    self.cipher.reset(name && *name ? EVP_CIPHER_fetch(self.provider->library, name, query)
                                    : nullptr);
    return !name || !*name || self.cipher != nullptr;
}

// Of a key pair that is asked for as a whole, the private key is what has to be written.
template <Structure kStructure>
int does_selection(void*, int selection) {
    if (selection == 0 || kStructure == Structure::kText) return 1;
    const bool wants_private = (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
    const bool wants_public = (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0;
    return kStructure == Structure::kPublicKeyInfo ? wants_public && !wants_private : wants_private;
}

bool write(BIO& out, Format format, const char* title, ByteView der) {
    const int size = static_cast<int>(der.size());
    if (format == Format::kPem) return PEM_write_bio(&out, title, "", der.data(), size) > 0;
    return BIO_write(&out, der.data(), size) == size;
}

// EncryptedPrivateKeyInfo (RFC 5958 section 3), PBES2 with what `cipher` says.
std::vector<std::uint8_t> encrypt(const Context& self, ByteView der, ByteView pass_phrase) {
    const unsigned char* at = der.data();
    const KeyInfoHandle info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())));
    if (!info) return {};
    constexpr int kByCipher = -1;
    const EncryptedHandle sealed(PKCS8_encrypt_ex(
        kByCipher, self.cipher.get(), reinterpret_cast<const char*>(pass_phrase.data()),
        static_cast<int>(pass_phrase.size()), nullptr, 0, kDerivationRounds, info.get(),
        self.provider->library, nullptr));
    const int size = sealed ? i2d_X509_SIG(sealed.get(), nullptr) : 0;
    if (size <= 0) return {};
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
    unsigned char* to = bytes.data();
    return i2d_X509_SIG(sealed.get(), &to) == size ? bytes : std::vector<std::uint8_t>();
}

bool write_encrypted(const Context& self, BIO& out, Format format, ByteView der,
                     OSSL_PASSPHRASE_CALLBACK* ask, void* argument) {
    SecretBytes pass_phrase(PEM_BUFSIZE);
    std::size_t size = 0;
    if (!self.cipher || pass_phrase.empty() ||
        ask(reinterpret_cast<char*>(pass_phrase.writable().data()), pass_phrase.size(), &size,
            nullptr, argument) != 1) {
        return false;
    }
    const auto sealed = encrypt(self, der, pass_phrase.view().first(size));
    return !sealed.empty() && write(out, format, PEM_STRING_PKCS8, sealed);
}

template <Structure kStructure, Format kFormat>
int encode(void* context, OSSL_CORE_BIO* output, const void* key, const OSSL_PARAM abstract[],
           int selection, OSSL_PASSPHRASE_CALLBACK* ask, void* argument) {
    const Context& self = context_of(context);
    const auto& data = *static_cast<const KeyData*>(key);
    if (abstract || !data.key) return 0;
    const BioHandle out(BIO_new_from_core_bio(self.provider->library, output));
    if (!out) return 0;
    if constexpr (kStructure == Structure::kText) {
        return write_text(*out, *data.key, (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0);
    } else if constexpr (kStructure == Structure::kPublicKeyInfo) {
        return write(*out, kFormat, PEM_STRING_PUBLIC,
                     encode_public_key_info(*data.algorithm, data.key->public_bytes()));
    } else {
        const SecretBytes bytes = data.key->private_bytes();
        if (bytes.empty()) return 0;
        const SecretBytes der = encode_private_key_info(*data.algorithm, bytes.view());
        if (der.empty()) return 0;
        if (kStructure == Structure::kEncrypted || self.cipher) {
            return write_encrypted(self, *out, kFormat, der.view(), ask, argument);
        }
        return write(*out, kFormat, PEM_STRING_PKCS8INF, der.view());
    }
}

template <Structure kStructure, Format kFormat>
const OSSL_DISPATCH kFunctions[] = {
    row<OSSL_FUNC_encoder_newctx_fn>(OSSL_FUNC_ENCODER_NEWCTX, new_context),
    row<OSSL_FUNC_encoder_freectx_fn>(OSSL_FUNC_ENCODER_FREECTX, free_context),
    row<OSSL_FUNC_encoder_settable_ctx_params_fn>(OSSL_FUNC_ENCODER_SETTABLE_CTX_PARAMS,
                                                  settable_params),
    row<OSSL_FUNC_encoder_set_ctx_params_fn>(OSSL_FUNC_ENCODER_SET_CTX_PARAMS, set_params),
    row<OSSL_FUNC_encoder_does_selection_fn>(OSSL_FUNC_ENCODER_DOES_SELECTION,
                                             does_selection<kStructure>),
    row<OSSL_FUNC_encoder_encode_fn>(OSSL_FUNC_ENCODER_ENCODE, encode<kStructure, kFormat>),
    kLastRow,
};

struct Output {
    const char* property;
    const OSSL_DISPATCH* functions;
};

const Output kOutputs[] = {
    {"provider=stoq-falcon,output=der,structure=SubjectPublicKeyInfo",
     kFunctions<Structure::kPublicKeyInfo, Format::kDer>},
    {"provider=stoq-falcon,output=pem,structure=SubjectPublicKeyInfo",
     kFunctions<Structure::kPublicKeyInfo, Format::kPem>},
    {"provider=stoq-falcon,output=der,structure=PrivateKeyInfo",
     kFunctions<Structure::kPrivateKeyInfo, Format::kDer>},
    {"provider=stoq-falcon,output=pem,structure=PrivateKeyInfo",
     kFunctions<Structure::kPrivateKeyInfo, Format::kPem>},
    {"provider=stoq-falcon,output=der,structure=EncryptedPrivateKeyInfo",
     kFunctions<Structure::kEncrypted, Format::kDer>},
    {"provider=stoq-falcon,output=pem,structure=EncryptedPrivateKeyInfo",
     kFunctions<Structure::kEncrypted, Format::kPem>},
    {"provider=stoq-falcon,output=text", kFunctions<Structure::kText, Format::kDer>},
};

std::vector<OSSL_ALGORITHM> make_table() {
    std::vector<OSSL_ALGORITHM> table;
    for (const Algorithm& algorithm : kAlgorithms) {
        for (const Output& output : kOutputs) {
            table.push_back({algorithm.names, output.property, output.functions, nullptr});
        }
    }
    table.push_back(kLastAlgorithm);
    return table;
}

}  // namespace

const OSSL_ALGORITHM* encoders() {
    static const std::vector<OSSL_ALGORITHM> table = make_table();
    return table.data();
}

}  // namespace stoq::falcon
