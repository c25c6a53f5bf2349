// STOQ_CHECK: an invariant of our own code. It is on in every build and does not return.
#pragma once

#include <source_location>

namespace stoq {

[[noreturn]] void check_failed(const char* condition, std::source_location where);

}  // namespace stoq

#define STOQ_CHECK(condition)     \
    (static_cast<bool>(condition) \
         ? static_cast<void>(0)   \
         : ::stoq::check_failed(#condition, ::std::source_location::current()))
