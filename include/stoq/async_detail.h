// What coroutines wait for. Not to be included by itself: see async.h.
#pragma once

#include <algorithm>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "stoq/runtime.h"

namespace stoq {

namespace async_detail {

// Something a coroutine waits for.
class Operation {
public:
    Operation() = default;
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

    // Tries again. True when there is an answer now.
    virtual bool poll() = 0;
    std::coroutine_handle<> coroutine{};

protected:
    ~Operation() = default;
};

// A place for one coroutine that waits.
class Waiter {
public:
    bool is_free() const { return operation_ == nullptr; }
    void wait(Operation* operation) { operation_ = operation; }
    void forget(const Operation* operation) {
        if (operation_ == operation) operation_ = nullptr;
    }
    // The coroutine may end the life of this waiter: nothing is touched after it was resumed.
    void notify() {
        if (operation_ == nullptr || !operation_->poll()) return;
        std::exchange(operation_, nullptr)->coroutine.resume();
    }

private:
    Operation* operation_ = nullptr;
};

// Calls `attempt` now, and again whenever the waiter is notified, until it answers.
// Attempt: std::optional<R>(), nothing meaning "not yet"; with before_wait(), that is called first.
template <typename R, typename Attempt>
class [[nodiscard]] Awaiter final : public Operation {
public:
    // `keep` owns the waiter.
    Awaiter(std::shared_ptr<void> keep, Waiter& waiter, Attempt attempt)
        : keep_(std::move(keep)), waiter_(waiter), attempt_(std::move(attempt)) {}
    ~Awaiter() { waiter_.forget(this); }

    bool poll() override {
        if (!answer_) answer_ = attempt_();
        return answer_.has_value();
    }
    bool await_ready() {
        if (!waiter_.is_free()) answer_.emplace(refusal());
        return poll();
    }
    void await_suspend(std::coroutine_handle<> caller) {
        if constexpr (requires { attempt_.before_wait(); }) attempt_.before_wait();
        coroutine = caller;
        waiter_.wait(this);
    }
    R await_resume() { return std::move(*answer_); }

private:
    static R refusal() {
        if constexpr (std::is_same_v<typename R::error_type, ApiError>) {
            return std::unexpected(ApiError::kNotReady);
        } else {
            return std::unexpected(RuntimeError{.api = ApiError::kNotReady});
        }
    }

    std::shared_ptr<void> keep_;
    Waiter& waiter_;
    Attempt attempt_;
    std::optional<R> answer_{};
};

template <typename R, typename Attempt>
Awaiter<R, Attempt> await_answer(std::shared_ptr<void> keep, Waiter& waiter, Attempt attempt) {
    return Awaiter<R, Attempt>(std::move(keep), waiter, std::move(attempt));
}

struct StreamState;

// What became of a stream's sides, as far as events and calls have told. The library forgets a
// stream when both are done, and then knows of it no more than that there is none.
struct StreamFate {
    bool reset = false;      // the receiving side, by the peer or by our stop_sending()
    bool stopped = false;    // the sending side: the peer does not want more
    bool abandoned = false;  // the sending side, by our reset() or reset_at()
    bool finished = false;   // the sending side, by our finish()
    bool delivered = false;  // all of the sending side was acknowledged
};

// A stream that the peer opened and nobody has accepted yet.
struct IncomingStream {
    StreamId id{};
    StreamFate fate{};
};

// Shared by the AsyncRuntime, until the connection is closed, and by those who use it.
struct ConnectionState {
    Endpoint* endpoint = nullptr;  // null when the connection is closed
    ConnectionHandle handle{};
    bool established = false;
    bool usable = false;  // established, or early data may be sent
    std::optional<CloseInfo> close_info{};
    // Received and not fetched; the oldest give way to the newest.
    std::deque<std::vector<std::uint8_t>> datagrams{};
    std::deque<std::vector<std::uint8_t>> tickets{};
    std::deque<IncomingStream> accepted{};  // opened by the peer and not fetched
    std::map<std::uint64_t, std::weak_ptr<StreamState>> streams{};  // those in use
    Waiter establishment;
    Waiter handshake;
    Waiter incoming;
    Waiter bidirectional;
    Waiter unidirectional;
    Waiter datagram;
    Waiter ticket;
    Waiter datagram_room;
    Waiter end;

    Waiter& available(Directionality directionality) {
        return directionality == Directionality::kBidirectional ? bidirectional : unidirectional;
    }
    // A side of a stream that is not fetched yet has ended. With nothing left to read or to write
    // it goes: the peer may open another in its place, and would fill this queue without end. The
    // newest are looked at first: most news is about them, and a peer that has many waiting does
    // not make each new one cost more.
    void end_incoming(StreamId id, bool StreamFate::* side) {
        const auto found =
            std::ranges::find(accepted.rbegin(), accepted.rend(), id, &IncomingStream::id);
        if (found == accepted.rend()) return;
        found->fate.*side = true;
        if (found->fate.reset && (found->fate.stopped || id.is_unidirectional())) {
            accepted.erase(std::next(found).base());
        }
    }
};

struct StreamState {
    std::shared_ptr<ConnectionState> connection;
    StreamId id;
    std::size_t borrowed = 0;    // bytes that read() showed last
    bool borrowed_last = false;  // nothing comes behind them
    bool ended = false;          // the end was read
    StreamFate fate;
    Waiter readable{};
    Waiter writable{};
    Waiter delivery{};

    StreamState(std::shared_ptr<ConnectionState> of, StreamId stream, const StreamFate& so_far)
        : connection(std::move(of)), id(stream), fate(so_far) {}
    StreamState(const StreamState&) = delete;
    StreamState& operator=(const StreamState&) = delete;
    // Nobody can read or write any more: what was written is still delivered.
    ~StreamState() {
        connection->streams.erase(id.value());
        if (connection->endpoint == nullptr) return;
        release_borrowed();
        if (!ended) (void)connection->endpoint->stop_sending(connection->handle, id, 0);
        (void)connection->endpoint->finish(connection->handle, id);
    }

    // The sending side has ended before its time: whoever waits for it is told.
    void notify_senders() {
        writable.notify();
        delivery.notify();
    }
    // Why reading was refused, said as of a stream that the library remembers.
    ApiError reading_refused(ApiError error) const {
        return error == ApiError::kUnknownStream && fate.reset ? ApiError::kStreamReset : error;
    }
    // The same of writing. As there, the peer's word goes before ours.
    ApiError writing_refused(ApiError error) const {
        if (error != ApiError::kUnknownStream) return error;
        if (fate.stopped) return ApiError::kStreamReset;
        return fate.finished || fate.abandoned ? ApiError::kStreamFinished : error;
    }
    // What read() showed last is done with.
    void release_borrowed() {
        const std::size_t length = std::exchange(borrowed, 0);
        ended = ended || borrowed_last;
        if (length == 0 || connection->endpoint == nullptr) return;
        (void)connection->endpoint->consume(connection->handle, id, length);
    }

    std::optional<ApiResult<ByteView>> try_read() {
        if (ended) return ByteView();
        if (connection->endpoint == nullptr) return std::unexpected(ApiError::kClosed);
        const auto view = connection->endpoint->peek(connection->handle, id);
        if (!view) return std::unexpected(reading_refused(view.error()));
        if (view->bytes.empty() && !view->finished) return std::nullopt;
        borrowed = view->bytes.size();
        borrowed_last = view->finished;
        if (borrowed != 0) return view->bytes;
        ended = true;
        (void)connection->endpoint->consume(connection->handle, id, 0);
        return ByteView();
    }
};

struct WriteAttempt {
    StreamState* stream;
    ByteView rest;
    std::vector<std::uint8_t> copy{};

    std::optional<ApiResult<void>> operator()() {
        ConnectionState& connection = *stream->connection;
        if (connection.endpoint == nullptr) return std::unexpected(ApiError::kClosed);
        const auto taken = connection.endpoint->write(connection.handle, stream->id, rest);
        if (!taken) return std::unexpected(stream->writing_refused(taken.error()));
        rest = rest.subspan(*taken);
        if (rest.empty()) return ApiResult<void>();
        return std::nullopt;
    }
    // The caller's bytes may be borrowed themselves, and not outlive the turn.
    void before_wait() {
        copy.assign(rest.begin(), rest.end());
        rest = copy;
    }
};

struct SendDatagramAttempt {
    std::shared_ptr<ConnectionState> connection;
    ByteView bytes;
    DatagramOptions options;
    std::vector<std::uint8_t> copy{};

    std::optional<ApiResult<void>> operator()() {
        if (connection->endpoint == nullptr) return std::unexpected(ApiError::kClosed);
        const auto sent = connection->endpoint->send_datagram(connection->handle, bytes, options);
        if (!sent && sent.error() == ApiError::kWouldBlock) return std::nullopt;
        return sent;
    }
    void before_wait() {
        copy.assign(bytes.begin(), bytes.end());
        bytes = copy;
    }
};

inline std::shared_ptr<StreamState> use_stream(const std::shared_ptr<ConnectionState>& connection,
                                               StreamId id, const StreamFate& so_far = {}) {
    auto state = std::make_shared<StreamState>(connection, id, so_far);
    connection->streams[id.value()] = state;
    return state;
}

}  // namespace async_detail

}  // namespace stoq
