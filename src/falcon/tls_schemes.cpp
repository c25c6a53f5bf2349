// The signature schemes that libssl may negotiate (provider-base(7), RFC 8446 section 4.2.3).
#include <array>

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/prov_ssl.h>

#include "falcon/provider_parts.h"

namespace stoq::falcon {
namespace {

OSSL_PARAM text(const char* name, const char* value) {
    return OSSL_PARAM_construct_utf8_string(name, const_cast<char*>(value), 0);
}

int tell(const Algorithm& algorithm, OSSL_CALLBACK* callback, void* argument) {
    unsigned code_point = algorithm.tls_code_point;
    unsigned security_bits = algorithm.security_bits;
    int least_version = TLS1_3_VERSION;
    int greatest_version = 0;  // no limit
    int never = -1;
    const std::array<OSSL_PARAM, 10> params = {
        text(OSSL_CAPABILITY_TLS_SIGALG_IANA_NAME, algorithm.name),
        text(OSSL_CAPABILITY_TLS_SIGALG_NAME, algorithm.name),
        text(OSSL_CAPABILITY_TLS_SIGALG_OID, algorithm.oid),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_SIGALG_CODE_POINT, &code_point),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_SIGALG_SECURITY_BITS, &security_bits),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_SIGALG_MIN_TLS, &least_version),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_SIGALG_MAX_TLS, &greatest_version),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_SIGALG_MIN_DTLS, &never),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_SIGALG_MAX_DTLS, &never),
        OSSL_PARAM_construct_end(),
    };
    return callback(params.data(), argument);
}

}  // namespace

int tell_tls_schemes(OSSL_CALLBACK* callback, void* argument) {
    for (const Algorithm& algorithm : kAlgorithms) {
        if (!tell(algorithm, callback, argument)) return 0;
    }
    return 1;
}

}  // namespace stoq::falcon
