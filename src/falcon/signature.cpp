// Signing and verifying (provider-signature(7)): whole messages in one call, without a digest, as
// with Ed25519.
#include <array>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "falcon/provider_parts.h"

namespace stoq::falcon {
namespace {

struct Context {
    const Algorithm* algorithm;
    std::shared_ptr<const Key> key;
};

Context& context_of(void* context) {
    return *static_cast<Context*>(context);
}

template <std::size_t kIndex>
void* new_context(void*, const char*) {
    return new Context{&kAlgorithms[kIndex], nullptr};
}

void free_context(void* context) {
    delete static_cast<Context*>(context);
}

void* duplicate_context(void* context) {
    return new Context(context_of(context));
}

// Without a new key the one of the last time is used again. Falcon takes no parameters.
int begin(void* context, void* key, const OSSL_PARAM[]) {
    Context& self = context_of(context);
    if (!key) return self.key != nullptr;
    const auto& data = *static_cast<KeyData*>(key);
    if (data.algorithm != self.algorithm || !data.key) return 0;
    self.key = data.key;
    return 1;
}

int begin_signing(void* context, void* key, const OSSL_PARAM params[]) {
    return begin(context, key, params) && context_of(context).key->has_private();
}

int begin_verifying(void* context, void* key, const OSSL_PARAM params[]) {
    return begin(context, key, params) && context_of(context).key->has_public();
}

bool is_none(const char* digest) {
    return !digest || *digest == '\0';
}

int begin_digest_signing(void* context, const char* digest, void* key, const OSSL_PARAM params[]) {
    return is_none(digest) && begin_signing(context, key, params);
}

int begin_digest_verifying(void* context, const char* digest, void* key,
                           const OSSL_PARAM params[]) {
    return is_none(digest) && begin_verifying(context, key, params);
}

// With no `signature`: how large it may become.
int sign(void* context, unsigned char* signature, std::size_t* size, std::size_t capacity,
         const unsigned char* message, std::size_t message_size) {
    const Context& self = context_of(context);
    if (!self.key) return 0;
    if (!signature) {
        *size = max_signature_size(*self.algorithm);
        return 1;
    }
    const auto used = self.key->sign(ByteView(message, message_size), Bytes(signature, capacity));
    *size = used.value_or(0);
    return used.has_value();
}

int verify(void* context, const unsigned char* signature, std::size_t size,
           const unsigned char* message, std::size_t message_size) {
    const Context& self = context_of(context);
    return self.key && self.key->verify(ByteView(message, message_size), ByteView(signature, size));
}

const OSSL_PARAM* gettable_params(void*, void*) {
    static const OSSL_PARAM kParams[] = {
        OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, nullptr, 0),
        OSSL_PARAM_END,
    };
    return kParams;
}

int get_params(void* context, OSSL_PARAM params[]) {
    OSSL_PARAM* identifier = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
    if (!identifier) return 1;
    const auto der = algorithm_identifier(*context_of(context).algorithm);
    return OSSL_PARAM_set_octet_string(identifier, der.data(), der.size());
}

template <std::size_t kIndex>
const OSSL_DISPATCH kFunctions[] = {
    row<OSSL_FUNC_signature_newctx_fn>(OSSL_FUNC_SIGNATURE_NEWCTX, new_context<kIndex>),
    row<OSSL_FUNC_signature_freectx_fn>(OSSL_FUNC_SIGNATURE_FREECTX, free_context),
    row<OSSL_FUNC_signature_dupctx_fn>(OSSL_FUNC_SIGNATURE_DUPCTX, duplicate_context),
    row<OSSL_FUNC_signature_sign_init_fn>(OSSL_FUNC_SIGNATURE_SIGN_INIT, begin_signing),
    row<OSSL_FUNC_signature_sign_message_init_fn>(OSSL_FUNC_SIGNATURE_SIGN_MESSAGE_INIT,
                                                  begin_signing),
    row<OSSL_FUNC_signature_sign_fn>(OSSL_FUNC_SIGNATURE_SIGN, sign),
    row<OSSL_FUNC_signature_verify_init_fn>(OSSL_FUNC_SIGNATURE_VERIFY_INIT, begin_verifying),
    row<OSSL_FUNC_signature_verify_message_init_fn>(OSSL_FUNC_SIGNATURE_VERIFY_MESSAGE_INIT,
                                                    begin_verifying),
    row<OSSL_FUNC_signature_verify_fn>(OSSL_FUNC_SIGNATURE_VERIFY, verify),
    row<OSSL_FUNC_signature_digest_sign_init_fn>(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT,
                                                 begin_digest_signing),
    row<OSSL_FUNC_signature_digest_sign_fn>(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign),
    row<OSSL_FUNC_signature_digest_verify_init_fn>(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT,
                                                   begin_digest_verifying),
    row<OSSL_FUNC_signature_digest_verify_fn>(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY, verify),
    row<OSSL_FUNC_signature_get_ctx_params_fn>(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, get_params),
    row<OSSL_FUNC_signature_gettable_ctx_params_fn>(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS,
                                                    gettable_params),
    kLastRow,
};

template <std::size_t... kIndices>
std::array<OSSL_ALGORITHM, kAlgorithmCount + 1> make_table(std::index_sequence<kIndices...>) {
    return {OSSL_ALGORITHM{kAlgorithms[kIndices].names, kProviderProperty, kFunctions<kIndices>,
                           kAlgorithms[kIndices].title}...,
            kLastAlgorithm};
}

}  // namespace

const OSSL_ALGORITHM* signatures() {
    static const auto table = make_table(std::make_index_sequence<kAlgorithmCount>());
    return table.data();
}

}  // namespace stoq::falcon
