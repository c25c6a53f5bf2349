#include "falcon/provider.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "falcon/provider_parts.h"

namespace stoq::falcon {
namespace {

constexpr const char* kTitle = "STOQ Falcon provider";
constexpr const char* kVersion = "1";

void tear_down(void* context) {
    auto* provider = static_cast<Provider*>(context);
    OSSL_LIB_CTX_free(provider->library);
    delete provider;
}

const OSSL_PARAM* gettable_params(void*) {
    static const OSSL_PARAM kParams[] = {
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, nullptr, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, nullptr, 0),
        OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, nullptr),
        OSSL_PARAM_END,
    };
    return kParams;
}

int get_params(void*, OSSL_PARAM params[]) {
    OSSL_PARAM* name = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_NAME);
    OSSL_PARAM* version = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_VERSION);
    OSSL_PARAM* status = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);
    return (!name || OSSL_PARAM_set_utf8_ptr(name, kTitle) == 1) &&
           (!version || OSSL_PARAM_set_utf8_ptr(version, kVersion) == 1) &&
           (!status || OSSL_PARAM_set_int(status, 1) == 1);
}

const OSSL_ALGORITHM* query(void*, int operation, int* no_cache) {
    *no_cache = 0;
    switch (operation) {
        case OSSL_OP_KEYMGMT: return key_managements();
        case OSSL_OP_SIGNATURE: return signatures();
        case OSSL_OP_ENCODER: return encoders();
        case OSSL_OP_DECODER: return decoders();
        default: return nullptr;
    }
}

int get_capabilities(void*, const char* capability, OSSL_CALLBACK* callback, void* argument) {
    // Of others there are none to tell, which is no failure: libssl gives up on one.
    const bool asks_for_schemes = OPENSSL_strcasecmp(capability, "TLS-SIGALG") == 0;
    return !asks_for_schemes || tell_tls_schemes(callback, argument);
}

template <typename Function>
Function* find(const OSSL_DISPATCH* table, int id) {
    for (; table->function_id != 0; ++table) {
        if (table->function_id == id) return reinterpret_cast<Function*>(table->function);
    }
    return nullptr;
}

// Certificates name algorithms by object identifier, which OpenSSL must know as signatures.
bool register_identifiers(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH* from_core) {
    auto* create = find<OSSL_FUNC_core_obj_create_fn>(from_core, OSSL_FUNC_CORE_OBJ_CREATE);
    auto* add = find<OSSL_FUNC_core_obj_add_sigid_fn>(from_core, OSSL_FUNC_CORE_OBJ_ADD_SIGID);
    if (!create || !add) return false;
    for (const Algorithm& algorithm : kAlgorithms) {
        // Tried again, it is known already, should another thread have come in between.
        bool is_known = false;
        for (int attempt = 0; attempt < 2 && !is_known; ++attempt) {
            is_known = create(handle, algorithm.oid, algorithm.name, algorithm.name) == 1 &&
                       add(handle, algorithm.name, "", algorithm.name) == 1;
        }
        if (!is_known) return false;
    }
    return true;
}

}  // namespace

int initialize_provider(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH* from_core,
                        const OSSL_DISPATCH** to_core, void** context) {
    static const OSSL_DISPATCH kFunctions[] = {
        row<OSSL_FUNC_provider_teardown_fn>(OSSL_FUNC_PROVIDER_TEARDOWN, tear_down),
        row<OSSL_FUNC_provider_gettable_params_fn>(OSSL_FUNC_PROVIDER_GETTABLE_PARAMS,
                                                   gettable_params),
        row<OSSL_FUNC_provider_get_params_fn>(OSSL_FUNC_PROVIDER_GET_PARAMS, get_params),
        row<OSSL_FUNC_provider_query_operation_fn>(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
        row<OSSL_FUNC_provider_get_capabilities_fn>(OSSL_FUNC_PROVIDER_GET_CAPABILITIES,
                                                    get_capabilities),
        kLastRow,
    };
    if (!register_identifiers(handle, from_core)) return 0;
    OSSL_LIB_CTX* library = OSSL_LIB_CTX_new_child(handle, from_core);
    if (!library) return 0;
    *context = new Provider{library};
    *to_core = kFunctions;
    return 1;
}

}  // namespace stoq::falcon
