// Whether the settings of a connection are in the ranges that include/stoq/settings.h documents.
#pragma once

#include "stoq/settings.h"

namespace stoq::connection {

bool are_valid(const Settings& settings);

}  // namespace stoq::connection
