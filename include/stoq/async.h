// Coroutines over the runtime: connections and streams that are awaited instead of called back.
//
// The third of three floors: runtime.h is below. Header-only, C++20 coroutines. An echo server:
//
//     stoq::Task<> echo(stoq::Stream stream) {
//         for (;;) {
//             auto bytes = co_await stream.read();           // borrowed; see Stream::read()
//             if (!bytes || bytes->empty()) break;           // an error, or the end
//             if (!co_await stream.write(*bytes)) break;
//         }
//         stream.finish();
//     }
//     stoq::Task<> serve(stoq::Connection connection) {
//         while (auto stream = co_await connection.accept_stream()) stoq::spawn(echo(*stream));
//     }
// examples/async_echo_server.cpp is the whole of it.
//
// Every await ends: with a value, or with an ApiError once the connection is closed (kClosed) or
// the stream was reset (kStreamReset). Values that are awaited are Result<T, ApiError>; nothing
// throws. One coroutine at a time may wait for the same thing (the reading of one stream, the
// writing of one stream, the next stream of one connection ...); a second is answered kNotReady.
//
// Ownership: Connection and Stream are small values that may be copied; all copies name the same
// thing. An AsyncRuntime that is destroyed resumes everybody who waits, with kClosed; a Connection
// or Stream may be used after that, and answers kClosed too. Threads: those of runtime.h.
// Coroutines run inside of run(), run_once() and the calls that complete them.
#pragma once

#include <coroutine>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "stoq/runtime.h"
#include "stoq/task.h"

namespace stoq {

// --- What coroutines wait for --------------------------------------------------------------------

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

// Shared by the AsyncRuntime, until the connection is closed, and by those who use it.
struct ConnectionState {
    Endpoint* endpoint = nullptr;  // null when the connection is closed
    ConnectionHandle handle{};
    bool established = false;
    std::optional<CloseInfo> close_info{};
    // Received and not fetched; the oldest give way to the newest.
    std::deque<std::vector<std::uint8_t>> datagrams{};
    std::deque<std::vector<std::uint8_t>> tickets{};
    std::deque<StreamId> accepted{};  // opened by the peer and not fetched; it may open so many
    std::map<std::uint64_t, std::weak_ptr<StreamState>> streams{};  // those in use
    Waiter establishment;
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
};

struct StreamState {
    std::shared_ptr<ConnectionState> connection;
    StreamId id;
    std::size_t borrowed = 0;    // bytes that read() showed last
    bool borrowed_last = false;  // nothing comes behind them
    bool ended = false;          // the end was read
    bool delivered = false;
    Waiter readable{};
    Waiter writable{};
    Waiter delivery{};

    StreamState(std::shared_ptr<ConnectionState> of, StreamId stream)
        : connection(std::move(of)), id(stream) {}
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
        if (!view) return std::unexpected(view.error());
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
        if (!taken) return std::unexpected(taken.error());
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
                                               StreamId id) {
    auto state = std::make_shared<StreamState>(connection, id);
    connection->streams[id.value()] = state;
    return state;
}

}  // namespace async_detail

// --- Streams and connections ---------------------------------------------------------------------

// A stream of a connection. When the last copy goes, a sending side that is open is finished and a
// receiving side that is open is stopped with code 0.
class Stream {
public:
    StreamId id() const { return state_->id; }

    // The next bytes, in order; none at the end of the stream. They are borrowed until the next
    // co_await other than write() of them.
    // @error kStreamReset, kWrongDirection, kClosed
    auto read() {
        state_->release_borrowed();
        return async_detail::await_answer<ApiResult<ByteView>>(
            state_, state_->readable, [stream = state_.get()] { return stream->try_read(); });
    }
    // Waits until all of `bytes` were taken into the send buffer.
    // @error kStreamReset when the peer does not want more, kStreamFinished, kWrongDirection,
    // kClosed
    auto write(ByteView bytes) {
        return async_detail::await_answer<ApiResult<void>>(
            state_, state_->writable, async_detail::WriteAttempt{state_.get(), bytes});
    }
    // Waits until the peer has acknowledged everything, and the end: call finish() before.
    auto delivered() {
        using Answer = std::optional<ApiResult<void>>;
        return async_detail::await_answer<ApiResult<void>>(
            state_, state_->delivery, [stream = state_.get()]() -> Answer {
                if (stream->delivered) return ApiResult<void>();
                if (stream->connection->endpoint != nullptr) return std::nullopt;
                return std::unexpected(ApiError::kClosed);
            });
    }
    // Ends the sending side; what was written is still delivered.
    ApiResult<void> finish() {
        return call([&](Endpoint& e, ConnectionHandle c) { return e.finish(c, id()); });
    }
    // Abandons the sending side.
    ApiResult<void> reset(std::uint64_t code) {
        return call([&](Endpoint& e, ConnectionHandle c) { return e.reset(c, id(), code); });
    }
    // Asks the peer to stop sending.
    ApiResult<void> stop_sending(std::uint64_t code) {
        return call([&](Endpoint& e, ConnectionHandle c) { return e.stop_sending(c, id(), code); });
    }

private:
    friend class Connection;
    explicit Stream(std::shared_ptr<async_detail::StreamState> state) : state_(std::move(state)) {}

    template <typename Call>
    ApiResult<void> call(Call make_call) {
        async_detail::ConnectionState& connection = *state_->connection;
        if (connection.endpoint == nullptr) return std::unexpected(ApiError::kClosed);
        return make_call(*connection.endpoint, connection.handle);
    }

    std::shared_ptr<async_detail::StreamState> state_;
};

// A connection whose handshake is complete. It lives until it is closed, by whichever side, or
// idle: dropping all copies does not close it.
class Connection {
public:
    // For calls of endpoint.h about this connection.
    ConnectionHandle handle() const { return state_->handle; }

    // The next stream that the peer opens.
    // @error kClosed
    auto accept_stream() {
        using Answer = std::optional<ApiResult<Stream>>;
        return async_detail::await_answer<ApiResult<Stream>>(
            state_, state_->incoming, [state = state_]() -> Answer {
                if (state->endpoint == nullptr) return std::unexpected(ApiError::kClosed);
                if (state->accepted.empty()) return std::nullopt;
                const StreamId id = state->accepted.front();
                state->accepted.pop_front();
                return Stream(async_detail::use_stream(state, id));
            });
    }
    // Opens a stream; waits while the peer's limit is used up.
    // @error kClosed
    auto open_stream(Directionality directionality = Directionality::kBidirectional) {
        using Answer = std::optional<ApiResult<Stream>>;
        return async_detail::await_answer<ApiResult<Stream>>(
            state_, state_->available(directionality),
            [state = state_, directionality]() -> Answer {
                if (state->endpoint == nullptr) return std::unexpected(ApiError::kClosed);
                const auto id = state->endpoint->open_stream(state->handle, directionality);
                if (id) return Stream(async_detail::use_stream(state, *id));
                if (id.error() == ApiError::kStreamLimit) return std::nullopt;
                return std::unexpected(id.error());
            });
    }
    // Sends a datagram (RFC 9221); waits while too many are queued. Settings::
    // max_datagram_frame_size of the peer decides whether it takes any.
    // @error kNotSupported, kTooLarge, kInvalidArgument, kClosed
    auto send_datagram(ByteView bytes, const DatagramOptions& options = {}) {
        return async_detail::await_answer<ApiResult<void>>(
            state_, state_->datagram_room,
            async_detail::SendDatagramAttempt{state_, bytes, options});
    }
    // The next datagram of the peer. Of those that nobody fetches, the last kMaxDatagrams are kept.
    // @error kClosed
    auto receive_datagram() {
        using Payload = std::vector<std::uint8_t>;
        using Answer = std::optional<ApiResult<Payload>>;
        return async_detail::await_answer<ApiResult<Payload>>(
            state_, state_->datagram, [state = state_]() -> Answer {
                if (!state->datagrams.empty()) {
                    Payload payload = std::move(state->datagrams.front());
                    state->datagrams.pop_front();
                    return payload;
                }
                if (state->endpoint == nullptr) return std::unexpected(ApiError::kClosed);
                return std::nullopt;
            });
    }
    static constexpr std::size_t kMaxDatagrams = 1024;
    // Client: the next ticket that the server sends, for ConnectConfig::ticket. @error kClosed
    auto next_ticket() {
        using Ticket = std::vector<std::uint8_t>;
        using Answer = std::optional<ApiResult<Ticket>>;
        return async_detail::await_answer<ApiResult<Ticket>>(
            state_, state_->ticket, [state = state_]() -> Answer {
                if (!state->tickets.empty()) {
                    Ticket ticket = std::move(state->tickets.front());
                    state->tickets.pop_front();
                    return ticket;
                }
                if (state->endpoint == nullptr) return std::unexpected(ApiError::kClosed);
                return std::nullopt;
            });
    }
    // Waits for the end of the connection and tells how it came.
    auto closed() {
        using Answer = std::optional<ApiResult<CloseInfo>>;
        return async_detail::await_answer<ApiResult<CloseInfo>>(state_, state_->end,
                                                                [state = state_]() -> Answer {
                                                                    if (!state->close_info)
                                                                        return std::nullopt;
                                                                    return *state->close_info;
                                                                });
    }
    // Closes with an application error code. Unsent data is discarded: wait for delivered() first
    // where that matters.
    ApiResult<void> close(std::uint64_t code = 0, std::string_view reason = {}) {
        if (state_->endpoint == nullptr) return std::unexpected(ApiError::kClosed);
        return state_->endpoint->close(state_->handle, code, reason);
    }
    ApiResult<ConnectionInfo> info() const {
        if (state_->endpoint == nullptr) return std::unexpected(ApiError::kClosed);
        return state_->endpoint->info(state_->handle);
    }

private:
    friend class AsyncRuntime;
    explicit Connection(std::shared_ptr<async_detail::ConnectionState> state)
        : state_(std::move(state)) {}

    std::shared_ptr<async_detail::ConnectionState> state_;
};

// --- The runtime ---------------------------------------------------------------------------------

class AsyncRuntime {
public:
    // Makes the task of each connection that is accepted. It is kept until the next listen(): a
    // coroutine that is a lambda with captures must have ended, or use none of them, by then.
    using Serve = std::function<Task<>(Connection)>;

    static RuntimeResult<std::unique_ptr<AsyncRuntime>> create(
        const RuntimeSettings& settings = {}) {
        auto runtime = Runtime::create(settings);
        if (!runtime) return std::unexpected(runtime.error());
        return std::unique_ptr<AsyncRuntime>(new AsyncRuntime(std::move(*runtime)));
    }
    ~AsyncRuntime() {
        destroying_ = true;
        while (!connections_.empty()) on_closed(connections_.begin()->second->handle, {});
    }
    AsyncRuntime(const AsyncRuntime&) = delete;
    AsyncRuntime& operator=(const AsyncRuntime&) = delete;

    // Runtime::listen, and a task for every connection. A later call changes the task for all.
    RuntimeResult<Address> listen(const ListenConfig& config, Serve serve) {
        serve_ = std::move(serve);
        return runtime_->listen(config);
    }
    // Runtime::replace_credentials.
    RuntimeResult<void> replace_credentials(const Credentials& credentials) {
        return runtime_->replace_credentials(credentials);
    }
    // Waits for the handshake.
    // @error what Runtime::connect says, or how the connection ended (kClosed and the text).
    auto connect(const ConnectConfig& config) {
        using Answer = std::optional<RuntimeResult<Connection>>;
        auto state = std::make_shared<async_detail::ConnectionState>();
        auto failure = std::make_shared<std::optional<RuntimeError>>(start(config, state));
        return async_detail::await_answer<RuntimeResult<Connection>>(
            state, state->establishment, [state, failure]() -> Answer {
                if (*failure) return std::unexpected(**failure);
                if (state->close_info) {
                    return std::unexpected(RuntimeError{.api = ApiError::kClosed,
                                                        .text = to_string(*state->close_info)});
                }
                if (!state->established) return std::nullopt;
                return Connection(state);
            });
    }

    // Turns until stop().
    void run() { runtime_->run(); }
    // Turns until `task` has ended, or stop().
    void run(Task<> task) {
        spawn(run_and_stop(std::move(task)));
        runtime_->run();
    }
    // The floor below, for everything else: timers, post(), stop(), drain(), run_once() ... Its
    // event handler belongs to this class.
    Runtime& runtime() { return *runtime_; }

private:
    using StatePtr = std::shared_ptr<async_detail::ConnectionState>;

    explicit AsyncRuntime(std::unique_ptr<Runtime> runtime) : runtime_(std::move(runtime)) {
        runtime_->set_event_handler([this](const Event& event) {
            std::visit([this](const auto& happened) { on(happened); }, event);
        });
    }

    Task<> run_and_stop(Task<> task) {
        co_await task;
        runtime_->stop();
    }

    std::optional<RuntimeError> start(const ConnectConfig& config, const StatePtr& state) {
        if (destroying_) return RuntimeError{.api = ApiError::kClosed, .text = "cannot connect"};
        const auto handle = runtime_->connect(config);
        if (!handle) return handle.error();
        add(state, *handle);
        return std::nullopt;
    }
    void add(const StatePtr& state, ConnectionHandle handle) {
        state->endpoint = &runtime_->endpoint();
        state->handle = handle;
        connections_[handle.index] = state;
    }
    StatePtr find(ConnectionHandle handle) const {
        const auto found = connections_.find(handle.index);
        return found != connections_.end() && found->second->handle == handle ? found->second
                                                                              : nullptr;
    }
    std::shared_ptr<async_detail::StreamState> find(ConnectionHandle handle, StreamId id) const {
        const StatePtr connection = find(handle);
        if (!connection) return nullptr;
        const auto found = connection->streams.find(id.value());
        return found != connection->streams.end() ? found->second.lock() : nullptr;
    }

    void on(const ConnectionEstablished& event) {
        if (const StatePtr known = find(event.connection)) {
            known->established = true;
            return known->establishment.notify();
        }
        const auto accepted = std::make_shared<async_detail::ConnectionState>();
        accepted->established = true;
        add(accepted, event.connection);
        if (serve_) spawn(serve_(Connection(accepted)));
    }
    void on(const ConnectionClosed& event) { on_closed(event.connection, event.info); }
    void on(const StreamOpened& event) {
        const StatePtr connection = find(event.connection);
        if (!connection) return;
        connection->accepted.push_back(event.stream);
        connection->incoming.notify();
    }
    void on(const StreamReadable& event) { on_readable(event.connection, event.stream); }
    void on(const StreamReset& event) { on_readable(event.connection, event.stream); }
    void on(const StreamWritable& event) { on_writable(event.connection, event.stream); }
    void on(const StreamStopped& event) { on_writable(event.connection, event.stream); }
    void on(const StreamDelivered& event) {
        const auto stream = find(event.connection, event.stream);
        if (!stream) return;
        stream->delivered = true;
        stream->delivery.notify();
    }
    void on(const StreamsAvailable& event) {
        const StatePtr connection = find(event.connection);
        if (connection) connection->available(event.directionality).notify();
    }

    void on(const DatagramReceived& event) {
        const StatePtr connection = find(event.connection);
        if (!connection) return;
        if (connection->datagrams.size() == Connection::kMaxDatagrams) {
            connection->datagrams.pop_front();
        }
        connection->datagrams.emplace_back(event.bytes.begin(), event.bytes.end());
        connection->datagram.notify();
    }
    void on(const TicketReceived& event) {
        const StatePtr connection = find(event.connection);
        if (!connection) return;
        connection->tickets.push_back(event.ticket);
        connection->ticket.notify();
    }
    void on(const DatagramWritable& event) {
        if (const StatePtr connection = find(event.connection)) connection->datagram_room.notify();
    }

    void on_readable(ConnectionHandle connection, StreamId id) {
        if (const auto stream = find(connection, id)) stream->readable.notify();
    }
    void on_writable(ConnectionHandle connection, StreamId id) {
        if (const auto stream = find(connection, id)) stream->writable.notify();
    }
    // Everybody who waits for anything of the connection goes on.
    void on_closed(ConnectionHandle handle, const CloseInfo& info) {
        const StatePtr connection = find(handle);
        if (!connection) return;
        connections_.erase(handle.index);
        connection->endpoint = nullptr;
        connection->close_info = info;
        std::vector<std::shared_ptr<async_detail::StreamState>> streams;
        for (const auto& [id, stream] : connection->streams) streams.push_back(stream.lock());
        for (const auto& stream : streams) {
            if (!stream) continue;
            stream->readable.notify();
            stream->writable.notify();
            stream->delivery.notify();
        }
        connection->establishment.notify();
        connection->incoming.notify();
        connection->bidirectional.notify();
        connection->unidirectional.notify();
        connection->datagram.notify();
        connection->datagram_room.notify();
        connection->ticket.notify();
        connection->end.notify();
    }

    std::unique_ptr<Runtime> runtime_;
    Serve serve_;
    std::map<std::uint32_t, StatePtr> connections_;
    bool destroying_ = false;
};

}  // namespace stoq
