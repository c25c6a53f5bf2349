// The interface is public, because users hand it in.
#pragma once

#include "stoq/random.h"
