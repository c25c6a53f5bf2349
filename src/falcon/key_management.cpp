// Keys as OpenSSL sees them (provider-keymgmt(7)).
#include <algorithm>
#include <array>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "falcon/provider_parts.h"

namespace stoq::falcon {
namespace {

struct Generation {
    const Provider* provider;
    const Algorithm* algorithm;
};

KeyData& data_of(void* key) {
    return *static_cast<KeyData*>(key);
}
const KeyData& data_of(const void* key) {
    return *static_cast<const KeyData*>(key);
}

template <std::size_t kIndex>
void* new_key(void* provider) {
    return new KeyData{static_cast<Provider*>(provider), &kAlgorithms[kIndex], nullptr};
}

void free_key(void* key) {
    delete static_cast<KeyData*>(key);
}

// A decoder hands a key over by the place of its pointer.
void* load_key(const void* reference, std::size_t size) {
    if (size != sizeof(KeyData*)) return nullptr;
    return std::exchange(*static_cast<KeyData**>(const_cast<void*>(reference)), nullptr);
}

// What `selection` asks for may be left out of the copy.
void* duplicate_key(const void* key, int selection) {
    const KeyData& from = data_of(key);
    auto* copy = new KeyData(from);
    const bool public_only =
        (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == OSSL_KEYMGMT_SELECT_PUBLIC_KEY;
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0) {
        copy->key = nullptr;
    } else if (public_only && from.key) {
        copy->key =
            Key::from_public(*from.algorithm, from.provider->library, from.key->public_bytes());
    }
    return copy;
}

template <std::size_t kIndex>
void* begin_generation(void* provider, int, const OSSL_PARAM[]) {
    return new Generation{static_cast<Provider*>(provider), &kAlgorithms[kIndex]};
}

void* generate(void* generation, OSSL_CALLBACK*, void*) {
    const auto& [provider, algorithm] = *static_cast<Generation*>(generation);
    auto key = Key::generate(*algorithm, provider->library);
    return key ? new KeyData{provider, algorithm, std::move(key)} : nullptr;
}

void end_generation(void* generation) {
    delete static_cast<Generation*>(generation);
}

int has(const void* key, int selection) {
    const auto& held = data_of(key).key;
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0) return 1;
    if (!held) return 0;
    return ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0 || held->has_public()) &&
           ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 || held->has_private());
}

int validate(const void* key, int selection, int) {
    if (!has(key, selection)) return 0;
    const bool both = (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == OSSL_KEYMGMT_SELECT_KEYPAIR;
    return !both || data_of(key).key->is_consistent();
}

bool equal(const SecretBytes& a, const SecretBytes& b) {
    return !a.empty() && a.size() == b.size() &&
           CRYPTO_memcmp(a.view().data(), b.view().data(), a.size()) == 0;
}

int match(const void* first, const void* second, int selection) {
    const auto& a = data_of(first).key;
    const auto& b = data_of(second).key;
    if (data_of(first).algorithm != data_of(second).algorithm) return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0) return 1;
    if (!a || !b) return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0) {
        return std::ranges::equal(a->public_bytes(), b->public_bytes());
    }
    return equal(a->private_bytes(), b->private_bytes());
}

std::optional<ByteView> octets(const OSSL_PARAM params[], const char* name) {
    const OSSL_PARAM* param = OSSL_PARAM_locate_const(params, name);
    if (!param || param->data_type != OSSL_PARAM_OCTET_STRING || !param->data) return std::nullopt;
    return ByteView(static_cast<const std::uint8_t*>(param->data), param->data_size);
}

int import_key(void* key, int selection, const OSSL_PARAM params[]) {
    KeyData& data = data_of(key);
    const auto public_bytes = octets(params, OSSL_PKEY_PARAM_PUB_KEY);
    const auto private_bytes = octets(params, OSSL_PKEY_PARAM_PRIV_KEY);
    std::shared_ptr<const Key> made;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && private_bytes) {
        made = Key::from_private(*data.algorithm, data.provider->library, *private_bytes);
        if (made && public_bytes && !std::ranges::equal(made->public_bytes(), *public_bytes)) {
            return 0;
        }
    } else if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 && public_bytes) {
        made = Key::from_public(*data.algorithm, data.provider->library, *public_bytes);
    }
    if (!made) return 0;
    data.key = std::move(made);
    return 1;
}

int export_key(void* key, int selection, OSSL_CALLBACK* callback, void* argument) {
    const auto& held = data_of(key).key;
    if (!held) return 0;
    SecretBytes secret;
    std::array<OSSL_PARAM, 3> params;
    std::size_t count = 0;
    if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0) {
        const ByteView bytes = held->public_bytes();
        params[count++] = OSSL_PARAM_construct_octet_string(
            OSSL_PKEY_PARAM_PUB_KEY, const_cast<std::uint8_t*>(bytes.data()), bytes.size());
    }
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && held->has_private()) {
        secret = held->private_bytes();
        if (secret.empty()) return 0;
        params[count++] = OSSL_PARAM_construct_octet_string(
            OSSL_PKEY_PARAM_PRIV_KEY, secret.writable().data(), secret.size());
    }
    params[count] = OSSL_PARAM_construct_end();
    return callback(params.data(), argument);
}

const OSSL_PARAM* exchanged_types(int selection) {
    static const OSSL_PARAM kTypes[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, nullptr, 0),
        OSSL_PARAM_END,
    };
    return (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0 ? kTypes : nullptr;
}

const OSSL_PARAM* gettable_params(void*) {
    static const OSSL_PARAM kParams[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, nullptr),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, nullptr),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, nullptr),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, nullptr, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, nullptr, 0),
        OSSL_PARAM_END,
    };
    return kParams;
}

bool set_octets(OSSL_PARAM* param, ByteView bytes) {
    return !param ||
           (!bytes.empty() && OSSL_PARAM_set_octet_string(param, bytes.data(), bytes.size()) == 1);
}

bool set_size(OSSL_PARAM* param, std::size_t size) {
    return !param || OSSL_PARAM_set_int(param, static_cast<int>(size)) == 1;
}

int get_params(void* key, OSSL_PARAM params[]) {
    const KeyData& data = data_of(key);
    const Algorithm& algorithm = *data.algorithm;
    const auto find = [params](const char* name) { return OSSL_PARAM_locate(params, name); };
    OSSL_PARAM* digest = find(OSSL_PKEY_PARAM_MANDATORY_DIGEST);
    OSSL_PARAM* private_key = find(OSSL_PKEY_PARAM_PRIV_KEY);
    const SecretBytes secret = private_key && data.key ? data.key->private_bytes() : SecretBytes();
    return set_size(find(OSSL_PKEY_PARAM_BITS), 8 * public_key_size(algorithm)) &&
           set_size(find(OSSL_PKEY_PARAM_SECURITY_BITS), algorithm.security_bits) &&
           set_size(find(OSSL_PKEY_PARAM_MAX_SIZE), max_signature_size(algorithm)) &&
           // None: the whole message is signed.
           (!digest || OSSL_PARAM_set_utf8_string(digest, "") == 1) &&
           set_octets(find(OSSL_PKEY_PARAM_PUB_KEY),
                      data.key ? data.key->public_bytes() : ByteView()) &&
           set_octets(private_key, secret.view());
}

template <std::size_t kIndex>
const OSSL_DISPATCH kFunctions[] = {
    row<OSSL_FUNC_keymgmt_new_fn>(OSSL_FUNC_KEYMGMT_NEW, new_key<kIndex>),
    row<OSSL_FUNC_keymgmt_free_fn>(OSSL_FUNC_KEYMGMT_FREE, free_key),
    row<OSSL_FUNC_keymgmt_load_fn>(OSSL_FUNC_KEYMGMT_LOAD, load_key),
    row<OSSL_FUNC_keymgmt_dup_fn>(OSSL_FUNC_KEYMGMT_DUP, duplicate_key),
    row<OSSL_FUNC_keymgmt_gen_init_fn>(OSSL_FUNC_KEYMGMT_GEN_INIT, begin_generation<kIndex>),
    row<OSSL_FUNC_keymgmt_gen_fn>(OSSL_FUNC_KEYMGMT_GEN, generate),
    row<OSSL_FUNC_keymgmt_gen_cleanup_fn>(OSSL_FUNC_KEYMGMT_GEN_CLEANUP, end_generation),
    row<OSSL_FUNC_keymgmt_has_fn>(OSSL_FUNC_KEYMGMT_HAS, has),
    row<OSSL_FUNC_keymgmt_validate_fn>(OSSL_FUNC_KEYMGMT_VALIDATE, validate),
    row<OSSL_FUNC_keymgmt_match_fn>(OSSL_FUNC_KEYMGMT_MATCH, match),
    row<OSSL_FUNC_keymgmt_import_fn>(OSSL_FUNC_KEYMGMT_IMPORT, import_key),
    row<OSSL_FUNC_keymgmt_import_types_fn>(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, exchanged_types),
    row<OSSL_FUNC_keymgmt_export_fn>(OSSL_FUNC_KEYMGMT_EXPORT, export_key),
    row<OSSL_FUNC_keymgmt_export_types_fn>(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, exchanged_types),
    row<OSSL_FUNC_keymgmt_get_params_fn>(OSSL_FUNC_KEYMGMT_GET_PARAMS, get_params),
    row<OSSL_FUNC_keymgmt_gettable_params_fn>(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, gettable_params),
    kLastRow,
};

template <std::size_t... kIndices>
std::array<OSSL_ALGORITHM, kAlgorithmCount + 1> make_table(std::index_sequence<kIndices...>) {
    return {OSSL_ALGORITHM{kAlgorithms[kIndices].names, kProviderProperty, kFunctions<kIndices>,
                           kAlgorithms[kIndices].title}...,
            kLastAlgorithm};
}

}  // namespace

const OSSL_ALGORITHM* key_managements() {
    static const auto table = make_table(std::make_index_sequence<kAlgorithmCount>());
    return table.data();
}

}  // namespace stoq::falcon
