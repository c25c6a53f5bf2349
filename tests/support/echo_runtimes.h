// An echo server and a client of it, each a runtime on a loopback socket, for tests that turn them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "stoq/runtime.h"
#include "support/test_credentials.h"

namespace stoq::test {

// A test that has not got there after so many turns, of a millisecond at most, has failed.
inline constexpr int kMaxTurns = 5'000;

inline std::unique_ptr<Runtime> make_runtime(const RuntimeSettings& settings = {}) {
    auto runtime = Runtime::create(settings);
    EXPECT_TRUE(runtime.has_value()) << runtime.error().message();
    return std::move(runtime.value());
}

inline std::vector<std::uint8_t> pattern(std::size_t length) {
    std::vector<std::uint8_t> bytes(length);
    for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + i / 251);
    return bytes;
}

// Sends back what it reads, on every stream.
class EchoServer {
public:
    explicit EchoServer(const std::string& address = "127.0.0.1:0", RuntimeSettings settings = {})
        : runtime(make_runtime(settings)) {
        runtime->set_event_handler([this](const Event& event) { on_event(event); });
        Credentials credentials = server_credentials();
        credentials.early_data = true;
        const auto bound = runtime->listen({.address = address, .credentials = credentials});
        EXPECT_TRUE(bound.has_value()) << bound.error().message();
        if (bound) local = *bound;
    }

    std::unique_ptr<Runtime> runtime;
    Address local;
    std::optional<CloseInfo> closed;

private:
    void on_event(const Event& event) {
        if (const auto* readable = std::get_if<StreamReadable>(&event)) {
            echo(readable->connection, readable->stream);
        } else if (const auto* writable = std::get_if<StreamWritable>(&event)) {
            echo(writable->connection, writable->stream);
        } else if (const auto* end = std::get_if<ConnectionClosed>(&event)) {
            closed = end->info;
        }
    }

    void echo(ConnectionHandle connection, StreamId stream) {
        Endpoint& endpoint = runtime->endpoint();
        while (const auto view = endpoint.peek(connection, stream)) {
            const auto taken = endpoint.write(connection, stream, view->bytes);
            if (!taken) return;
            const bool all = *taken == view->bytes.size();
            const bool finished = all && view->finished;
            if (*taken == 0 && !finished) return;
            if (!endpoint.consume(connection, stream, *taken)) return;
            if (finished) (void)endpoint.finish(connection, stream);
            if (finished || !all) return;
        }
    }
};

// Sends bytes on one stream and gathers what comes back.
class EchoClient {
public:
    explicit EchoClient(std::size_t length, RuntimeSettings settings = {})
        : runtime(make_runtime(settings)), sent(pattern(length)) {
        runtime->set_event_handler([this](const Event& event) { on_event(event); });
    }

    // `used_ticket`: of an earlier connection; the server is asked to take early data.
    void connect(const Address& remote, const std::vector<std::uint8_t>& used_ticket = {}) {
        Credentials credentials = client_credentials();
        credentials.early_data = true;
        const auto made =
            runtime->connect({.remote = remote,
                              .server_name = "localhost",
                              .credentials = std::make_shared<Credentials>(credentials),
                              .ticket = used_ticket});
        ASSERT_TRUE(made.has_value()) << made.error().message();
        connection = *made;
    }

    // Before connect(): sends nothing but what release() lets go.
    void hold_back() { released_ = 0; }
    // Once it is established.
    void release(std::size_t length) {
        released_ += length;
        write();
    }

    std::unique_ptr<Runtime> runtime;
    ConnectionHandle connection;
    StreamId stream;
    std::vector<std::uint8_t> sent;
    std::vector<std::uint8_t> received;
    std::vector<std::uint8_t> ticket;  // the last that came
    bool established = false;
    bool finished = false;
    std::optional<CloseInfo> closed;

private:
    void on_event(const Event& event) {
        if (std::holds_alternative<ConnectionEstablished>(event)) {
            established = true;
            auto opened =
                runtime->endpoint().open_stream(connection, Directionality::kBidirectional);
            ASSERT_TRUE(opened.has_value());
            stream = *opened;
            write();
        }
        if (std::holds_alternative<StreamWritable>(event)) write();
        if (std::holds_alternative<StreamReadable>(event)) read();
        if (const auto* got = std::get_if<TicketReceived>(&event)) ticket = got->ticket;
        if (const auto* end = std::get_if<ConnectionClosed>(&event)) closed = end->info;
    }

    void write() {
        const std::size_t end = std::min(sent.size(), released_);
        if (written_ == end) return;
        const auto rest = ByteView(sent).first(end).subspan(written_);
        const auto taken = runtime->endpoint().write(connection, stream, rest);
        ASSERT_TRUE(taken.has_value());
        written_ += *taken;
        if (written_ < sent.size()) return;
        EXPECT_TRUE(runtime->endpoint().finish(connection, stream).has_value());
    }

    // Until nothing is left: only then is the next byte told again.
    void read() {
        while (!finished) {
            const auto view = runtime->endpoint().peek(connection, stream);
            ASSERT_TRUE(view.has_value());
            if (view->bytes.empty() && !view->finished) return;
            const std::size_t length = view->bytes.size();
            received.insert(received.end(), view->bytes.begin(), view->bytes.end());
            finished = view->finished;
            ASSERT_TRUE(runtime->endpoint().consume(connection, stream, length).has_value());
        }
    }

    std::size_t written_ = 0;
    std::size_t released_ = SIZE_MAX;
};

template <typename Done>
bool turn_both(Runtime& one, Runtime& other, Done done) {
    for (int turn = 0; turn < kMaxTurns && !done(); ++turn) {
        const bool worked = one.run_once(Duration::zero());
        other.run_once(worked ? Duration::zero() : Duration(std::chrono::milliseconds(1)));
    }
    return done();
}

}  // namespace stoq::test
