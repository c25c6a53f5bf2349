// Coroutines over one runtime that is server and client at once, with a socket for each.
#include "stoq/async.h"

#include <gtest/gtest.h>

#include "support/test_credentials.h"

namespace stoq {
namespace {

using namespace std::chrono_literals;

Task<> echo(Stream stream) {
    while (true) {
        const auto bytes = co_await stream.read();
        if (!bytes || bytes->empty()) break;
        const auto written = co_await stream.write(*bytes);
        if (!written) break;
    }
    (void)stream.finish();
}

Task<> serve_echo(Connection connection) {
    while (true) {
        const auto stream = co_await connection.accept_stream();
        if (!stream) break;
        spawn(echo(*stream));
    }
}

struct AsyncTest : testing::Test {
    AsyncTest() {
        auto made = AsyncRuntime::create();
        EXPECT_TRUE(made.has_value());
        runtime = std::move(*made);
        // A test that has not ended by then has failed, rather than the whole program.
        runtime->runtime().after(20s, [this] {
            late = true;
            runtime->runtime().stop();
        });
    }
    ~AsyncTest() override { EXPECT_FALSE(late); }

    void listen(AsyncRuntime::Serve serve, const Settings& settings = {}) {
        const auto bound = runtime->listen({.address = "127.0.0.1:0",
                                            .credentials = test::server_credentials(),
                                            .settings = settings},
                                           std::move(serve));
        ASSERT_TRUE(bound.has_value()) << bound.error().message();
        server = *bound;
    }
    ConnectConfig to_server(const Settings& settings = {}) const {
        return {.remote = server,
                .server_name = "localhost",
                .credentials = std::make_shared<Credentials>(test::client_credentials()),
                .settings = settings};
    }

    std::unique_ptr<AsyncRuntime> runtime;
    Address server;
    bool late = false;
};

Task<> send_all(Stream stream, std::vector<std::uint8_t> bytes, bool& sent) {
    const auto written = co_await stream.write(bytes);
    sent = written.has_value() && stream.finish().has_value();
}

Task<> read_all(Stream stream, std::vector<std::uint8_t>& out) {
    while (true) {
        const auto bytes = co_await stream.read();
        if (!bytes || bytes->empty()) break;
        out.insert(out.end(), bytes->begin(), bytes->end());
    }
}

struct EchoOutcome {
    std::vector<std::uint8_t> received;
    bool sent = false;
    bool delivered = false;
};

Task<> exchange(AsyncRuntime& runtime, ConnectConfig config, std::vector<std::uint8_t> bytes,
                EchoOutcome& outcome) {
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    auto stream = co_await connection->open_stream();
    if (!stream) co_return;
    spawn(send_all(*stream, std::move(bytes), outcome.sent));
    co_await read_all(*stream, outcome.received);
    const auto delivered = co_await stream->delivered();
    outcome.delivered = delivered.has_value();
}

TEST_F(AsyncTest, EchoesAMegabyteThroughSmallSendBuffers) {
    Settings small;
    small.initial_send_buffer_per_stream = small.max_send_buffer_per_stream = 20'000;
    listen(serve_echo, small);
    std::vector<std::uint8_t> bytes(1'000'000);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 / 3);
    EchoOutcome outcome;
    runtime->run(exchange(*runtime, to_server(small), bytes, outcome));
    EXPECT_TRUE(outcome.sent);
    EXPECT_TRUE(outcome.delivered);
    EXPECT_TRUE(outcome.received == bytes);
}

Task<> echo_datagrams(Connection connection) {
    while (true) {
        const auto bytes = co_await connection.receive_datagram();
        if (!bytes) break;
        if (!co_await connection.send_datagram(*bytes)) break;
    }
}

Task<> send_datagrams(Connection connection, std::size_t count, std::size_t& sent) {
    for (; sent < count; ++sent) {
        const std::vector<std::uint8_t> bytes(1000, static_cast<std::uint8_t>(sent));
        if (!co_await connection.send_datagram(bytes)) break;
    }
}

Task<> exchange_datagrams(AsyncRuntime& runtime, ConnectConfig config, std::size_t& sent,
                          std::size_t& received) {
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    constexpr std::size_t kCount = 200;
    spawn(send_datagrams(*connection, kCount, sent));
    // Loopback may drop some: the first half has to come.
    while (received < kCount / 2) {
        const auto bytes = co_await connection->receive_datagram();
        if (!bytes) break;
        if (bytes->size() == 1000) ++received;
    }
}

TEST_F(AsyncTest, DatagramsComeBackAlthoughTheQueueTakesFewAtATime) {
    Settings settings;
    settings.max_datagram_frame_size = 65535;
    settings.datagram_send_queue = 5'000;
    listen(echo_datagrams, settings);
    std::size_t sent = 0;
    std::size_t received = 0;
    runtime->run(exchange_datagrams(*runtime, to_server(settings), sent, received));
    EXPECT_GE(sent, 100u);
    EXPECT_EQ(received, 100u);
}

// What each of the coroutines that waited was told.
struct Ends {
    std::optional<ApiError> read;
    std::optional<ApiError> accept;
    std::optional<ApiError> delivered;
    std::optional<CloseInfo> close;
};

Task<> wait_to_read(Stream stream, Ends& ends) {
    const auto bytes = co_await stream.read();
    if (!bytes) ends.read = bytes.error();
}

Task<> wait_to_accept(Connection connection, Ends& ends) {
    const auto stream = co_await connection.accept_stream();
    if (!stream) ends.accept = stream.error();
}

Task<> wait_for_delivery(Stream stream, Ends& ends) {
    const auto delivered = co_await stream.delivered();
    if (!delivered) ends.delivered = delivered.error();
}

Task<> wait_for_everything(AsyncRuntime& runtime, ConnectConfig config, Ends& ends) {
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    {
        auto stream = co_await connection->open_stream();
        if (!stream) co_return;
        const std::uint8_t byte = 1;
        const auto written = co_await stream->write({&byte, 1});
        if (!written) co_return;
        spawn(wait_to_read(*stream, ends));
        spawn(wait_for_delivery(*stream, ends));
    }
    spawn(wait_to_accept(*connection, ends));
    const auto closed = co_await connection->closed();
    if (closed) ends.close = *closed;
}

Task<> serve_and_close(Connection connection) {
    auto stream = co_await connection.accept_stream();
    if (!stream) co_return;
    const auto bytes = co_await stream->read();
    (void)connection.close(9, bytes ? "seen" : "not seen");
}

TEST_F(AsyncTest, ThePeersCloseEndsEveryWait) {
    listen(serve_and_close);
    Ends ends;
    runtime->run(wait_for_everything(*runtime, to_server(), ends));
    EXPECT_EQ(ends.read, ApiError::kClosed);
    EXPECT_EQ(ends.accept, ApiError::kClosed);
    EXPECT_EQ(ends.delivered, ApiError::kClosed);
    ASSERT_TRUE(ends.close.has_value());
    EXPECT_EQ(ends.close->kind, CloseKind::kPeerApplication);
    EXPECT_EQ(ends.close->code, 9u);
    EXPECT_EQ(ends.close->phrase, "seen");
}

TEST_F(AsyncTest, TheEndOfTheRuntimeEndsEveryWait) {
    listen(serve_echo);
    Ends ends;
    spawn(wait_for_everything(*runtime, to_server(), ends));
    runtime->runtime().drain(200ms);
    EXPECT_FALSE(ends.read.has_value());  // it got its byte back
    EXPECT_FALSE(ends.accept.has_value());
    EXPECT_FALSE(ends.close.has_value());
    runtime.reset();
    EXPECT_EQ(ends.accept, ApiError::kClosed);
    EXPECT_EQ(ends.delivered, ApiError::kClosed);
    EXPECT_TRUE(ends.close.has_value());
}

Task<> try_to_connect(AsyncRuntime& runtime, ConnectConfig config, std::optional<ApiError>& told) {
    const auto connection = co_await runtime.connect(config);
    if (!connection) told = connection.error().api;
}

TEST_F(AsyncTest, AConnectionThatFailsIsAnAnswer) {
    std::optional<ApiError> told;
    runtime->run(try_to_connect(*runtime, {.address = "127.0.0.1:1"}, told));
    EXPECT_EQ(told, ApiError::kCredentials);

    {
        auto gone = Runtime::create();
        ASSERT_TRUE(gone.has_value());
        const auto address =
            (*gone)->listen({.address = "127.0.0.1:0", .credentials = test::server_credentials()});
        ASSERT_TRUE(address.has_value());
        server = *address;
    }
    runtime->run(try_to_connect(*runtime, to_server(), told));
    EXPECT_EQ(told, ApiError::kClosed);
}

Task<> read_twice(AsyncRuntime& runtime, ConnectConfig config, Ends& first, Ends& second) {
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    auto stream = co_await connection->open_stream();
    if (!stream) co_return;
    spawn(wait_to_read(*stream, first));
    spawn(wait_to_read(*stream, second));
    (void)connection->close();
    (void)co_await connection->closed();
}

TEST_F(AsyncTest, OnlyOneCoroutineWaitsForTheSameThing) {
    listen(serve_echo);
    Ends first;
    Ends second;
    runtime->run(read_twice(*runtime, to_server(), first, second));
    EXPECT_EQ(first.read, ApiError::kClosed);
    EXPECT_EQ(second.read, ApiError::kNotReady);
}

Task<> open_after_another(AsyncRuntime& runtime, ConnectConfig config, std::size_t& opened) {
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    for (int i = 0; i < 5; ++i) {
        auto stream = co_await connection->open_stream();
        if (!stream) break;
        ++opened;
        const std::uint8_t byte = 1;
        const auto written = co_await stream->write({&byte, 1});
        if (!written || !stream->finish()) break;
        std::vector<std::uint8_t> echoed;
        co_await read_all(*stream, echoed);
        if (echoed.size() != 1) break;
    }
}

TEST_F(AsyncTest, OpeningAStreamWaitsForThePeersLimit) {
    Settings one;
    one.max_bidirectional_streams = 1;
    listen(serve_echo, one);
    std::size_t opened = 0;
    runtime->run(open_after_another(*runtime, to_server(), opened));
    EXPECT_EQ(opened, 5u);
}

Task<> drop_streams(Connection connection) {
    while (true) {
        const auto stream = co_await connection.accept_stream();
        if (!stream) break;
    }
}

Task<> write_until_refused(AsyncRuntime& runtime, ConnectConfig config,
                           std::optional<ApiError>& write_error, bool& ended) {
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    auto stream = co_await connection->open_stream();
    if (!stream) co_return;
    const std::vector<std::uint8_t> bytes(100'000);
    while (!write_error) {
        const auto written = co_await stream->write(bytes);
        if (!written) write_error = written.error();
    }
    const auto end = co_await stream->read();
    ended = end.has_value() && end->empty();
}

TEST_F(AsyncTest, AStreamThatIsDroppedIsStoppedAndFinished) {
    listen(drop_streams);
    std::optional<ApiError> write_error;
    bool ended = false;
    runtime->run(write_until_refused(*runtime, to_server(), write_error, ended));
    EXPECT_EQ(write_error, ApiError::kStreamReset);
    EXPECT_TRUE(ended);
}

Task<> wait_to_write(Stream stream, std::optional<ApiError>& told) {
    const std::vector<std::uint8_t> bytes(100'000'000);
    const auto written = co_await stream.write(bytes);
    if (!written) told = written.error();
}

Task<> stop_everything(Connection connection) {
    while (auto stream = co_await connection.accept_stream()) (void)stream->stop_sending(3);
}

// The peer stops the stream and then nothing else happens to it.
Task<> wait_for_delivery_alone(AsyncRuntime& runtime, ConnectConfig config, Ends& ends) {
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    auto stream = co_await connection->open_stream();
    if (!stream) co_return;
    const std::vector<std::uint8_t> bytes(10);
    (void)co_await stream->write(bytes);
    co_await wait_for_delivery(*stream, ends);
}

TEST_F(AsyncTest, WhoWaitsForTheDeliveryOfAStreamIsToldThatThePeerDoesNotWantIt) {
    listen(stop_everything);
    Ends ends;
    runtime->run(wait_for_delivery_alone(*runtime, to_server(), ends));
    EXPECT_EQ(ends.delivered, ApiError::kStreamReset);
}

Task<> give_up_a_stream(AsyncRuntime& runtime, ConnectConfig config, Ends& ends,
                        std::optional<ApiError>& write_error) {
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    auto stream = co_await connection->open_stream();
    if (!stream) co_return;
    spawn(wait_to_read(*stream, ends));
    spawn(wait_to_write(*stream, write_error));
    spawn(wait_for_delivery(*stream, ends));
    (void)stream->reset(1);
    (void)stream->stop_sending(2);
}

TEST_F(AsyncTest, WhoGivesAStreamUpEndsEveryWaitForIt) {
    listen(serve_echo);
    Ends ends;
    std::optional<ApiError> write_error;
    runtime->run(give_up_a_stream(*runtime, to_server(), ends, write_error));
    EXPECT_EQ(write_error, ApiError::kStreamFinished);
    EXPECT_EQ(ends.delivered, ApiError::kStreamReset);
    EXPECT_EQ(ends.read, ApiError::kStreamReset);
}

Task<int> add(int a, int b) {
    co_return a + b;
}

Task<> add_three(int& sum) {
    const int first = co_await add(1, 2);
    sum = co_await add(first, 3);
}

TEST_F(AsyncTest, TasksHaveValuesAndStartWhenTheyAreAwaited) {
    int sum = 0;
    {
        const auto never = add_three(sum);
    }
    EXPECT_EQ(sum, 0);
    runtime->run(add_three(sum));
    EXPECT_EQ(sum, 6);
}

struct EarlyOutcome {
    std::vector<std::uint8_t> ticket;
    bool established_when_connected = true;
    EarlyDataState early_data = EarlyDataState::kNone;
    std::string answer;
};

Task<> say_early(AsyncRuntime& runtime, ConnectConfig config, EarlyOutcome& outcome) {
    auto first = co_await runtime.connect(config);
    if (!first) co_return;
    const auto ticket = co_await first->next_ticket();
    if (!ticket) co_return;
    outcome.ticket = config.ticket = *ticket;
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    const Endpoint& endpoint = runtime.runtime().endpoint();
    outcome.established_when_connected = endpoint.info(connection->handle())->established;
    auto stream = co_await connection->open_stream(Directionality::kBidirectional);
    if (!stream) co_return;
    const std::string_view words = "early";
    const auto written =
        co_await stream->write({reinterpret_cast<const std::uint8_t*>(words.data()), words.size()});
    if (!written || !stream->finish()) co_return;
    std::vector<std::uint8_t> answer;
    co_await read_all(*stream, answer);
    outcome.answer.assign(answer.begin(), answer.end());
    if (!co_await connection->established()) co_return;
    outcome.early_data = endpoint.info(connection->handle())->early_data;
    runtime.runtime().stop();
}

TEST_F(AsyncTest, ATicketLetsWordsGoBeforeTheHandshake) {
    Credentials server_credentials = test::server_credentials();
    server_credentials.early_data = true;
    const auto bound =
        runtime->listen({.address = "127.0.0.1:0", .credentials = server_credentials}, serve_echo);
    ASSERT_TRUE(bound.has_value());
    server = *bound;
    Credentials client_credentials = test::client_credentials();
    client_credentials.early_data = true;
    ConnectConfig config = to_server();
    config.credentials = std::make_shared<Credentials>(client_credentials);
    EarlyOutcome outcome;
    spawn(say_early(*runtime, config, outcome));
    runtime->run();
    EXPECT_FALSE(outcome.ticket.empty());
    EXPECT_FALSE(outcome.established_when_connected);
    EXPECT_EQ(outcome.answer, "early");
    EXPECT_EQ(outcome.early_data, EarlyDataState::kAccepted);
}

}  // namespace
}  // namespace stoq
