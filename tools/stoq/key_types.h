// The kinds of key by the names that openssl and TLS give them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stoq/identity.h"

namespace stoq::tool {

// Post-quantum in any build: Falcon-1024, or ML-DSA-65 where there is no liboqs.
extern const std::string_view kDefaultKeyType;

// "falcon1024", "p521_falcon1024", ..., most recommended first.
std::vector<std::string> key_type_list();
// The same in one line for people.
std::string key_type_names();
// `name` is one of the list.
KeyType key_type_of(std::string_view name);

}  // namespace stoq::tool
