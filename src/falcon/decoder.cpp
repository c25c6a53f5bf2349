// Keys from DER (provider-decoder(7)). OpenSSL itself unwraps PEM and decrypts.
#include <algorithm>
#include <array>
#include <utility>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>

#include "falcon/der.h"
#include "falcon/provider_parts.h"

namespace stoq::falcon {
namespace {

enum class Structure : std::uint8_t { kPublicKeyInfo, kPrivateKeyInfo };

struct FreeBio {
    void operator()(BIO* bio) const { BIO_free(bio); }
};

void* new_context(void* provider) {
    return provider;
}

void free_context(void*) {}

template <Structure kStructure>
int does_selection(void*, int selection) {
    const int offered = kStructure == Structure::kPublicKeyInfo ? OSSL_KEYMGMT_SELECT_PUBLIC_KEY
                                                                : OSSL_KEYMGMT_SELECT_PRIVATE_KEY;
    return selection == 0 || (selection & offered) != 0;
}

// All there is to read, or nothing when it is more than a key can be.
SecretBytes read_all(const Provider& provider, OSSL_CORE_BIO* input) {
    const std::unique_ptr<BIO, FreeBio> bio(BIO_new_from_core_bio(provider.library, input));
    SecretBytes buffer(kMaxKeyDer + 1);
    std::size_t size = 0;
    std::size_t count = 0;
    while (bio && size < buffer.size() &&
           BIO_read_ex(bio.get(), buffer.writable().data() + size, buffer.size() - size, &count) ==
               1) {
        size += count;
    }
    if (size > kMaxKeyDer) return {};
    SecretBytes bytes(size);
    if (!bytes.empty()) std::copy_n(buffer.view().begin(), size, bytes.writable().begin());
    return bytes;
}

template <Structure kStructure>
std::shared_ptr<const Key> decode_key(const Provider& provider, const Algorithm& algorithm,
                                      ByteView der) {
    if constexpr (kStructure == Structure::kPublicKeyInfo) {
        const auto bytes = decode_public_key_info(algorithm, der);
        return bytes ? Key::from_public(algorithm, provider.library, *bytes) : nullptr;
    } else {
        const auto bytes = decode_private_key_info(algorithm, der);
        return bytes ? Key::from_private(algorithm, provider.library, *bytes) : nullptr;
    }
}

// Hands the key to OpenSSL, which takes it with load_key() of the key management.
int hand_over(std::unique_ptr<KeyData> data, OSSL_CALLBACK* callback, void* argument) {
    int type = OSSL_OBJECT_PKEY;
    KeyData* reference = data.release();
    const std::array<OSSL_PARAM, 4> params = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE,
                                         const_cast<char*>(reference->algorithm->name), 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE,
                                          static_cast<void*>(&reference), sizeof(KeyData*)),
        OSSL_PARAM_construct_end(),
    };
    const int result = callback(params.data(), argument);
    delete reference;  // null when it was taken
    return result;
}

// What is no key of this algorithm is left to the other decoders: success, with empty hands.
template <std::size_t kIndex, Structure kStructure>
int decode(void* context, OSSL_CORE_BIO* input, int selection, OSSL_CALLBACK* callback,
           void* argument, OSSL_PASSPHRASE_CALLBACK*, void*) {
    if (!does_selection<kStructure>(context, selection)) return 1;
    const auto& provider = *static_cast<const Provider*>(context);
    const Algorithm& algorithm = kAlgorithms[kIndex];
    const SecretBytes der = read_all(provider, input);
    auto key = decode_key<kStructure>(provider, algorithm, der.view());
    if (!key) return 1;
    return hand_over(std::unique_ptr<KeyData>(new KeyData{&provider, &algorithm, std::move(key)}),
                     callback, argument);
}

template <std::size_t kIndex, Structure kStructure>
const OSSL_DISPATCH kFunctions[] = {
    row<OSSL_FUNC_decoder_newctx_fn>(OSSL_FUNC_DECODER_NEWCTX, new_context),
    row<OSSL_FUNC_decoder_freectx_fn>(OSSL_FUNC_DECODER_FREECTX, free_context),
    row<OSSL_FUNC_decoder_does_selection_fn>(OSSL_FUNC_DECODER_DOES_SELECTION,
                                             does_selection<kStructure>),
    row<OSSL_FUNC_decoder_decode_fn>(OSSL_FUNC_DECODER_DECODE, decode<kIndex, kStructure>),
    kLastRow,
};

constexpr const char* kPublicProperty =
    "provider=stoq-falcon,input=der,structure=SubjectPublicKeyInfo";
constexpr const char* kPrivateProperty = "provider=stoq-falcon,input=der,structure=PrivateKeyInfo";

template <std::size_t... kIndices>
std::array<OSSL_ALGORITHM, 2 * kAlgorithmCount + 1> make_table(std::index_sequence<kIndices...>) {
    return {OSSL_ALGORITHM{kAlgorithms[kIndices].names, kPublicProperty,
                           kFunctions<kIndices, Structure::kPublicKeyInfo>, nullptr}...,
            OSSL_ALGORITHM{kAlgorithms[kIndices].names, kPrivateProperty,
                           kFunctions<kIndices, Structure::kPrivateKeyInfo>, nullptr}...,
            kLastAlgorithm};
}

}  // namespace

const OSSL_ALGORITHM* decoders() {
    static const auto table = make_table(std::make_index_sequence<kAlgorithmCount>());
    return table.data();
}

}  // namespace stoq::falcon
