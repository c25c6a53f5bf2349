// SHA-256 over pieces.
#pragma once

#include <memory>
#include <string>

#include <openssl/evp.h>

#include "stoq/types.h"

namespace stoq::tool {

class Sha256 {
public:
    Sha256();
    void update(ByteView bytes);
    // 64 lower-case hexadecimal digits. Ends the use of the object.
    std::string finish();

private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace stoq::tool
