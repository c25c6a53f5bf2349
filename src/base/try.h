// STOQ_TRY(expression): the value of a Result, or a return of its error from the caller.
#pragma once

#include <expected>
#include <type_traits>
#include <utility>

namespace stoq::detail {

template <typename R>
constexpr auto take_value(R&& result) {
    if constexpr (!std::is_void_v<typename std::remove_cvref_t<R>::value_type>) {
        return *std::forward<R>(result);
    }
}

}  // namespace stoq::detail

#define STOQ_TRY(expression)                                             \
    __extension__({                                                      \
        auto stoq_result_ = (expression);                                \
        if (!stoq_result_) [[unlikely]] {                                \
            return ::std::unexpected(::std::move(stoq_result_).error()); \
        }                                                                \
        ::stoq::detail::take_value(::std::move(stoq_result_));           \
    })
