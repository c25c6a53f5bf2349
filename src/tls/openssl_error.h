// OpenSSL's error queue belongs to the thread, not to a connection: it is emptied before and after
// each use, so that nobody reads another's errors.
#pragma once

#include <string>

namespace stoq::tls {

struct OpensslError {
    int library = 0;  // ERR_LIB_*; 0 for no error
    int reason = 0;   // within that library
    // "certificate verify failed"; with the data that OpenSSL attached, if any.
    std::string text;

    // Whether it is libssl's SSL_R_... `wanted`. The numbers of other libraries mean other things.
    bool is_ssl(int wanted) const;
};

// The oldest error of the queue, which is the cause of the others. Empties the queue.
OpensslError take_openssl_error();

}  // namespace stoq::tls
