// Task: a coroutine that somebody awaits, or that goes on by itself.
//
// What the coroutines of async.h are made of; of use without them as well. Nothing throws: an
// exception that leaves a coroutine ends the program.
#pragma once

#include <coroutine>
#include <cstdlib>
#include <optional>
#include <utility>

namespace stoq {

namespace async_detail {

// Resumes whoever awaits the task that has come to its end.
struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
        auto continuation = self.promise().continuation;
        return continuation ? continuation : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
};

struct PromiseBase {
    std::coroutine_handle<> continuation{};

    std::suspend_always initial_suspend() const noexcept { return {}; }
    FinalAwaiter final_suspend() const noexcept { return {}; }
    // An exception has nobody to go to.
    [[noreturn]] void unhandled_exception() const noexcept { std::abort(); }
};

template <typename T>
struct Promise : PromiseBase {
    std::optional<T> value{};

    template <typename U>
    void return_value(U&& result) {
        value.emplace(std::forward<U>(result));
    }
    T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
    void return_void() const noexcept {}
    void take() const noexcept {}
};

}  // namespace async_detail

// A coroutine that starts when it is awaited, once, or given to spawn().
template <typename T = void>
class [[nodiscard]] Task {
public:
    struct promise_type : async_detail::Promise<T> {
        Task get_return_object() {
            return Task(std::coroutine_handle<promise_type>::from_promise(*this));
        }
    };

    Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, {})) {}
    Task& operator=(Task&& other) noexcept {
        std::swap(coroutine_, other.coroutine_);
        return *this;
    }
    ~Task() {
        if (coroutine_) coroutine_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
        coroutine_.promise().continuation = caller;
        return coroutine_;
    }
    T await_resume() { return coroutine_.promise().take(); }

private:
    explicit Task(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}

    std::coroutine_handle<promise_type> coroutine_;
};

namespace async_detail {

// Runs at once and frees itself at its end.
struct Detached {
    struct promise_type {
        Detached get_return_object() const noexcept { return {}; }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        [[noreturn]] void unhandled_exception() const noexcept { std::abort(); }
    };
};

inline Detached detach(Task<> task) {
    co_await task;
}

}  // namespace async_detail

// Starts `task` now; it goes on by itself, and frees itself when it ends.
inline void spawn(Task<> task) {
    async_detail::detach(std::move(task));
}

}  // namespace stoq
