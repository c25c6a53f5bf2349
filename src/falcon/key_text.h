// A key for people, in the form in which OpenSSL prints others.
#pragma once

#include <openssl/bio.h>

#include "falcon/key.h"

namespace stoq::falcon {

// The private key too, if `with_private`; false when there is none, or when `out` takes no more.
bool write_text(BIO& out, const Key& key, bool with_private);

}  // namespace stoq::falcon
