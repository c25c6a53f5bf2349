#include <cstring>

#include "stoq/settings.h"

namespace stoq {

PersistentKey::~PersistentKey() {
    ::explicit_bzero(data(), size());
}

}  // namespace stoq
