#include "tls/openssl_error.h"

#include <openssl/err.h>

namespace stoq::tls {

bool OpensslError::is_ssl(int wanted) const {
    return library == ERR_LIB_SSL && reason == wanted;
}

OpensslError take_openssl_error() {
    const char* data = nullptr;
    int flags = 0;
    const unsigned long code = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags);
    OpensslError error;
    if (code != 0) {
        error.library = ERR_GET_LIB(code);
        error.reason = ERR_GET_REASON(code);
        const char* reason = ERR_reason_error_string(code);
        error.text = reason != nullptr ? reason : "unknown error";
        if ((flags & ERR_TXT_STRING) != 0 && data != nullptr && *data != '\0') {
            error.text.append(" (").append(data).append(")");
        }
    }
    ERR_clear_error();
    return error;
}

}  // namespace stoq::tls
