// Coroutines over the runtime: connections and streams that are awaited instead of called back.
//
// The third of three floors: runtime.h is below. Header-only over the library. An echo server:
//
//     stoq::Task<> echo(stoq::Stream stream) {
//         for (;;) {
//             auto bytes = co_await stream.read();           // borrowed; see Stream::read()
//             if (!bytes || bytes->empty()) break;           // an error, or the end
//             if (!co_await stream.write(*bytes)) break;
//         }
//         (void)stream.finish();
//     }
//     stoq::Task<> serve(stoq::Connection connection) {
//         while (auto stream = co_await connection.accept_stream()) stoq::spawn(echo(*stream));
//     }
// examples/async_echo_server.cpp is the whole of it.
//
// Every await ends: with a value, or with an ApiError once the connection is closed (kClosed) or
// the stream was reset (kStreamReset). What is awaited is a Result<T, ApiError>, and what connect()
// answers a RuntimeResult; nothing throws. One coroutine at a time may wait for the same thing (the
// reading of one stream, the writing of one stream, the next stream of one connection ...); a
// second is answered kNotReady.
//
// Ownership: Connection and Stream are small values that may be copied; all copies name the same
// thing. An AsyncRuntime that is destroyed resumes everybody who waits, with kClosed; a Connection
// or Stream may be used after that, and answers kClosed too. Threads: those of runtime.h.
// Coroutines run inside of run(), run_once() and the calls that complete them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "stoq/async_detail.h"
#include "stoq/runtime.h"
#include "stoq/task.h"

namespace stoq {

// --- Streams and connections ---------------------------------------------------------------------

// A stream of a connection. When the last copy goes, a sending side that is open is finished and a
// receiving side that is open is stopped with code 0.
class Stream {
public:
    StreamId id() const { return state_->id; }

    // The next bytes, in order; none at the end of the stream. They are borrowed until the next
    // co_await other than write() of them.
    // @error kStreamReset when the peer gave it up, or after stop_sending(); kWrongDirection,
    // kClosed
    auto read() {
        state_->release_borrowed();
        return async_detail::await_answer<ApiResult<ByteView>>(
            state_, state_->readable, [stream = state_.get()] { return stream->try_read(); });
    }
    // Waits until all of `bytes` were taken into the send buffer. With an error, the first of them
    // may have been taken as well; finish() delivers those.
    // @error kStreamReset when the peer does not want more, kStreamFinished after finish() or
    // reset(), also one that comes while this waits; kWrongDirection, kClosed
    auto write(ByteView bytes) {
        return async_detail::await_answer<ApiResult<void>>(
            state_, state_->writable, async_detail::WriteAttempt{state_.get(), bytes});
    }
    // Waits until the peer has acknowledged everything, and the end: call finish() before.
    // @error kStreamReset when the peer does not want it, or the sending side was abandoned;
    // kClosed
    auto delivered() {
        using Answer = std::optional<ApiResult<void>>;
        return async_detail::await_answer<ApiResult<void>>(
            state_, state_->delivery, [stream = state_.get()]() -> Answer {
                if (stream->fate.delivered) return ApiResult<void>();
                if (stream->fate.stopped || stream->fate.abandoned) {
                    return std::unexpected(ApiError::kStreamReset);
                }
                if (stream->connection->endpoint != nullptr) return std::nullopt;
                return std::unexpected(ApiError::kClosed);
            });
    }
    // Ends the sending side; what was written is still delivered.
    // @error as write()
    ApiResult<void> finish() {
        const auto done = call([&](Endpoint& e, ConnectionHandle c) { return e.finish(c, id()); });
        if (!done) return std::unexpected(state_->writing_refused(done.error()));
        const std::shared_ptr<async_detail::StreamState> state = state_;
        state->fate.finished = true;
        // There will be no room for who waits for it. It may drop this object.
        state->writable.notify();
        return done;
    }
    // Abandons the sending side.
    ApiResult<void> reset(std::uint64_t code) {
        return abandon(
            call([&](Endpoint& e, ConnectionHandle c) { return e.reset(c, id(), code); }));
    }
    // The same behind the first `reliable_size` bytes; see Endpoint::reset_at().
    ApiResult<void> reset_at(std::uint64_t code, std::uint64_t reliable_size) {
        return abandon(call([&](Endpoint& e, ConnectionHandle c) {
            return e.reset_at(c, id(), code, reliable_size);
        }));
    }
    // Asks the peer to stop sending.
    ApiResult<void> stop_sending(std::uint64_t code) {
        const auto stopped =
            call([&](Endpoint& e, ConnectionHandle c) { return e.stop_sending(c, id(), code); });
        const std::shared_ptr<async_detail::StreamState> state = state_;
        if (stopped) {
            state->fate.reset = true;
            state->readable.notify();
        }
        return stopped;
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

    // Those who wait may drop this object.
    ApiResult<void> abandon(ApiResult<void> done) {
        const std::shared_ptr<async_detail::StreamState> state = state_;
        if (done) {
            state->fate.abandoned = true;
            state->notify_senders();
        }
        return done;
    }

    std::shared_ptr<async_detail::StreamState> state_;
};

// A connection whose handshake is complete, or that sends early data until then. It lives until it
// is closed, by whichever side, or idle: dropping all copies does not close it.
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
                const async_detail::IncomingStream next = state->accepted.front();
                state->accepted.pop_front();
                return Stream(async_detail::use_stream(state, next.id, next.fate));
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
    // Waits for the handshake, where connect() did not: what is written before can be replayed by
    // an attacker, and what a server reads before may have been. Whether the server took early data
    // is in info() then.
    // @error kClosed
    auto established() {
        using Answer = std::optional<ApiResult<void>>;
        return async_detail::await_answer<ApiResult<void>>(
            state_, state_->handshake, [state = state_]() -> Answer {
                if (state->endpoint == nullptr) return std::unexpected(ApiError::kClosed);
                if (state->established) return ApiResult<void>();
                return std::nullopt;
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
    // Waits for the handshake; or, with a ticket and Credentials::early_data, until early data may
    // be sent, which is at once.
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
                if (!state->usable) return std::nullopt;
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
    StatePtr accept(ConnectionHandle handle, bool established) {
        const auto accepted = std::make_shared<async_detail::ConnectionState>();
        accepted->established = accepted->usable = established;
        add(accepted, handle);
        if (serve_) spawn(serve_(Connection(accepted)));
        return accepted;
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
    void end_incoming(ConnectionHandle handle, StreamId id, bool async_detail::StreamFate::* side) {
        if (const StatePtr connection = find(handle)) connection->end_incoming(id, side);
    }

    void on(const ConnectionEstablished& event) {
        if (const StatePtr known = find(event.connection)) {
            known->established = known->usable = true;
            known->establishment.notify();
            return known->handshake.notify();
        }
        accept(event.connection, true);
    }
    void on(const EarlyDataReady& event) {
        const StatePtr connection = find(event.connection);
        if (!connection) return;
        connection->usable = true;
        connection->establishment.notify();
    }
    void on(const EarlyDataRejected&) {}
    void on(const ConnectionMigrated&) {}
    void on(const MigrationFailed&) {}
    void on(const ConnectionClosed& event) { on_closed(event.connection, event.info); }
    void on(const StreamOpened& event) {
        StatePtr connection = find(event.connection);
        // Early data comes before the handshake is complete.
        if (!connection) connection = accept(event.connection, false);
        connection->accepted.push_back(async_detail::IncomingStream{.id = event.stream});
        connection->incoming.notify();
    }
    void on(const StreamReadable& event) { on_readable(event.connection, event.stream); }
    // The end of a side is told once. It may be before the stream is accepted, and it may be the
    // last that the library knows of the stream: it is noted before anybody goes on.
    void on(const StreamReset& event) {
        if (const auto stream = find(event.connection, event.stream)) {
            stream->fate.reset = true;
            stream->readable.notify();
        } else {
            end_incoming(event.connection, event.stream, &async_detail::StreamFate::reset);
        }
    }
    void on(const StreamWritable& event) { on_writable(event.connection, event.stream); }
    void on(const StreamStopped& event) {
        if (const auto stream = find(event.connection, event.stream)) {
            stream->fate.stopped = true;
            stream->notify_senders();
        } else {
            end_incoming(event.connection, event.stream, &async_detail::StreamFate::stopped);
        }
    }
    // Only who has accepted a stream can have finished it: there is nothing to keep for later.
    void on(const StreamDelivered& event) {
        const auto stream = find(event.connection, event.stream);
        if (!stream) return;
        stream->fate.delivered = true;
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
        connection->handshake.notify();
        connection->ticket.notify();
        connection->incoming.notify();
        connection->bidirectional.notify();
        connection->unidirectional.notify();
        connection->datagram.notify();
        connection->datagram_room.notify();
        connection->end.notify();
    }

    std::unique_ptr<Runtime> runtime_;
    Serve serve_;
    std::map<std::uint32_t, StatePtr> connections_;
    bool destroying_ = false;
};

}  // namespace stoq
