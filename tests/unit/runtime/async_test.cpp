// Coroutines over one runtime that is server and client at once, with a socket for each.
#include "stoq/async.h"

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

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
    std::optional<ApiError> finish;
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

// What one coroutine of a test tells another one.
class Signal {
public:
    bool await_ready() const { return given_; }
    void await_suspend(std::coroutine_handle<> caller) { waiting_ = caller; }
    void await_resume() const {}
    void give() {
        given_ = true;
        if (waiting_) std::exchange(waiting_, {}).resume();
    }

private:
    std::coroutine_handle<> waiting_{};
    bool given_ = false;
};

// Of a client and its server.
struct Meeting {
    Signal ready;
    Signal done;
    Ends ends;
    bool other_delivered = false;
    std::optional<StreamId> accepted;
};

// When the end has been delivered, the peer has heard of what was done to other streams before.
Task<bool> deliver_a_byte(Stream stream) {
    const std::uint8_t byte = 1;
    const auto written = co_await stream.write({&byte, 1});
    if (!written || !stream.finish()) co_return false;
    const auto delivered = co_await stream.delivered();
    co_return delivered.has_value();
}

Task<> accept_and_finish_late(Connection connection, Meeting& meeting) {
    co_await meeting.ready;
    auto stopped = co_await connection.accept_stream();
    auto other = co_await connection.accept_stream();
    if (!stopped || !other) co_return;
    const auto finished = stopped->finish();
    if (!finished) meeting.ends.finish = finished.error();
    co_await wait_for_delivery(*stopped, meeting.ends);
    meeting.other_delivered = co_await deliver_a_byte(*other);
    meeting.done.give();
}

// Lets the server begin when it has received the byte, and waits until it is done.
Task<> deliver_a_byte_and_wait(Stream stream, Meeting& meeting) {
    const bool heard = co_await deliver_a_byte(stream);
    if (!heard) co_return;
    meeting.ready.give();
    co_await meeting.done;
}

Task<> end_the_first_of_two(AsyncRuntime& runtime, ConnectConfig config, Meeting& meeting,
                            Directionality directionality, ApiResult<void> (*end)(Stream&)) {
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    auto ended = co_await connection->open_stream(directionality);
    auto other = co_await connection->open_stream(directionality);
    if (!ended || !other || !end(*ended)) co_return;
    co_await deliver_a_byte_and_wait(*other, meeting);
}

ApiResult<void> reset_it(Stream& stream) {
    return stream.reset(7);
}

ApiResult<void> stop_it(Stream& stream) {
    return stream.stop_sending(3);
}

TEST_F(AsyncTest, AStreamThatWasStoppedBeforeItIsAcceptedIsNotWaitedFor) {
    Meeting meeting;
    listen([&meeting](Connection connection) {
        return accept_and_finish_late(std::move(connection), meeting);
    });
    runtime->run(end_the_first_of_two(*runtime, to_server(), meeting,
                                      Directionality::kBidirectional, stop_it));
    EXPECT_EQ(meeting.ends.finish, ApiError::kStreamReset);
    EXPECT_EQ(meeting.ends.delivered, ApiError::kStreamReset);
    EXPECT_TRUE(meeting.other_delivered);
    runtime.reset();  // before what its coroutines refer to
}

Task<> accept_and_read_late(Connection connection, Meeting& meeting) {
    co_await meeting.ready;
    auto stream = co_await connection.accept_stream();
    if (!stream) co_return;
    meeting.accepted = stream->id();
    co_await wait_to_read(*stream, meeting.ends);
    meeting.done.give();
}

TEST_F(AsyncTest, AStreamThatWasResetBeforeItIsAcceptedSaysSo) {
    Meeting meeting;
    listen([&meeting](Connection connection) {
        return accept_and_read_late(std::move(connection), meeting);
    });
    runtime->run(end_the_first_of_two(*runtime, to_server(), meeting,
                                      Directionality::kBidirectional, reset_it));
    EXPECT_EQ(meeting.accepted, StreamId(0));
    EXPECT_EQ(meeting.ends.read, ApiError::kStreamReset);
    runtime.reset();  // before what its coroutines refer to
}

// A peer could go on like that for ever, where nobody accepts.
TEST_F(AsyncTest, AOneWayStreamThatWasResetBeforeItIsAcceptedDoesNotWaitForThat) {
    Meeting meeting;
    listen([&meeting](Connection connection) {
        return accept_and_read_late(std::move(connection), meeting);
    });
    runtime->run(end_the_first_of_two(*runtime, to_server(), meeting,
                                      Directionality::kUnidirectional, reset_it));
    EXPECT_EQ(meeting.accepted, StreamId(6));
    EXPECT_EQ(meeting.ends.read, std::nullopt);
    runtime.reset();  // before what its coroutines refer to
}

Task<> read_until_it_is_reset(Connection connection, Meeting& meeting, Ends& afterwards) {
    auto stream = co_await connection.accept_stream();
    if (!stream) co_return;
    const auto byte = co_await stream->read();
    if (!byte) co_return;
    meeting.ready.give();
    co_await wait_to_read(*stream, meeting.ends);
    co_await wait_to_read(*stream, afterwards);
    meeting.done.give();
}

Task<> reset_what_is_read(AsyncRuntime& runtime, ConnectConfig config, Meeting& meeting) {
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    auto stream = co_await connection->open_stream(Directionality::kUnidirectional);
    if (!stream) co_return;
    const std::uint8_t byte = 1;
    const auto written = co_await stream->write({&byte, 1});
    if (!written) co_return;
    co_await meeting.ready;
    (void)stream->reset(7);
    co_await meeting.done;
}

// The library forgets it with the event.
TEST_F(AsyncTest, WhoReadsAOneWayStreamIsToldOfItsReset) {
    Meeting meeting;
    Ends afterwards;
    listen([&meeting, &afterwards](Connection connection) {
        return read_until_it_is_reset(std::move(connection), meeting, afterwards);
    });
    runtime->run(reset_what_is_read(*runtime, to_server(), meeting));
    EXPECT_EQ(meeting.ends.read, ApiError::kStreamReset);
    EXPECT_EQ(afterwards.read, ApiError::kStreamReset);
    runtime.reset();  // before what its coroutines refer to
}

Task<> reset_the_answer(Connection connection, Meeting& meeting) {
    auto stream = co_await connection.accept_stream();
    if (!stream) co_return;
    co_await meeting.ready;
    (void)stream->reset(5);
}

Task<> ask_in_vain(AsyncRuntime& runtime, ConnectConfig config, Meeting& meeting) {
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    auto stream = co_await connection->open_stream();
    if (!stream) co_return;
    const bool heard = co_await deliver_a_byte(*stream);
    if (!heard) co_return;
    meeting.ready.give();
    co_await wait_to_read(*stream, meeting.ends);
}

TEST_F(AsyncTest, WhoHasSentAllOfAStreamIsToldOfTheResetOfTheAnswer) {
    Meeting meeting;
    listen([&meeting](Connection connection) {
        return reset_the_answer(std::move(connection), meeting);
    });
    runtime->run(ask_in_vain(*runtime, to_server(), meeting));
    EXPECT_EQ(meeting.ends.read, ApiError::kStreamReset);
    runtime.reset();  // before what its coroutines refer to
}

Task<> stop_what_has_come(Connection connection, Meeting& meeting) {
    co_await meeting.ready;
    auto stream = co_await connection.accept_stream();
    if (!stream || !stream->stop_sending(2)) co_return;
    co_await wait_to_read(*stream, meeting.ends);
    meeting.done.give();
}

Task<> send_a_byte(AsyncRuntime& runtime, ConnectConfig config, Meeting& meeting) {
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    auto stream = co_await connection->open_stream(Directionality::kUnidirectional);
    if (!stream) co_return;
    co_await deliver_a_byte_and_wait(*stream, meeting);
}

TEST_F(AsyncTest, AStreamThatHasCompletelyComeAndIsStoppedReadsAsReset) {
    Meeting meeting;
    listen([&meeting](Connection connection) {
        return stop_what_has_come(std::move(connection), meeting);
    });
    runtime->run(send_a_byte(*runtime, to_server(), meeting));
    EXPECT_EQ(meeting.ends.read, ApiError::kStreamReset);
    runtime.reset();  // before what its coroutines refer to
}

Task<> stop_the_first(Connection connection) {
    std::vector<Stream> held;
    while (auto stream = co_await connection.accept_stream()) {
        if (held.empty()) (void)stream->stop_sending(3);
        held.push_back(*stream);
    }
}

// What the streams that ended in three ways answer.
struct WriteEnds {
    std::optional<ApiError> stopped;
    std::optional<ApiError> given_up;
    std::optional<ApiError> finished;
    std::optional<ApiError> finished_again;
};

Task<> try_to_write(Stream stream, std::optional<ApiError>& told) {
    const std::uint8_t byte = 1;
    const auto written = co_await stream.write({&byte, 1});
    if (!written) told = written.error();
}

Task<> write_to_what_has_ended(AsyncRuntime& runtime, ConnectConfig config, WriteEnds& ends) {
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    auto stopped = co_await connection->open_stream(Directionality::kUnidirectional);
    auto given_up = co_await connection->open_stream(Directionality::kUnidirectional);
    auto finished = co_await connection->open_stream(Directionality::kUnidirectional);
    if (!stopped || !given_up || !finished) co_return;
    co_await try_to_write(*stopped, ends.stopped);
    if (ends.stopped) co_return;
    Ends refusal;
    co_await wait_for_delivery(*stopped, refusal);
    if (refusal.delivered != ApiError::kStreamReset || !given_up->reset(1)) co_return;
    // Both resets go before it, and are acknowledged with it.
    const bool heard = co_await deliver_a_byte(*finished);
    if (!heard) co_return;
    co_await try_to_write(*stopped, ends.stopped);
    co_await try_to_write(*given_up, ends.given_up);
    co_await try_to_write(*finished, ends.finished);
    const auto again = finished->finish();
    if (!again) ends.finished_again = again.error();
}

TEST_F(AsyncTest, AStreamThatIsForgottenSaysWhyItIsNotWritten) {
    listen(stop_the_first);
    WriteEnds ends;
    runtime->run(write_to_what_has_ended(*runtime, to_server(), ends));
    EXPECT_EQ(ends.stopped, ApiError::kStreamReset);
    EXPECT_EQ(ends.given_up, ApiError::kStreamFinished);
    EXPECT_EQ(ends.finished, ApiError::kStreamFinished);
    EXPECT_EQ(ends.finished_again, ApiError::kStreamFinished);
    runtime.reset();  // before what its coroutines refer to
}

struct CutShort {
    std::unique_ptr<Stream> stream;
    Signal done;
    std::optional<ApiError> write;
    bool finished = false;
    std::size_t received = 0;
    bool ended = false;
};

Task<> write_and_drop(CutShort& outcome) {
    const std::vector<std::uint8_t> bytes(100'000);
    const auto written = co_await outcome.stream->write(bytes);
    if (!written) outcome.write = written.error();
    outcome.stream.reset();
}

Task<> finish_during_write(AsyncRuntime& runtime, ConnectConfig config, CutShort& outcome) {
    auto connection = co_await runtime.connect(config);
    if (!connection) co_return;
    {
        const auto opened = co_await connection->open_stream();
        if (!opened) co_return;
        outcome.stream = std::make_unique<Stream>(*opened);
    }
    spawn(write_and_drop(outcome));
    outcome.finished = outcome.stream->finish().has_value();
    co_await outcome.done;
}

Task<> count_bytes(Connection connection, CutShort& outcome) {
    const auto accepted = co_await connection.accept_stream();
    if (!accepted) co_return;
    Stream stream = *accepted;
    while (!outcome.ended) {
        const auto bytes = co_await stream.read();
        if (!bytes) break;
        outcome.received += bytes->size();
        outcome.ended = bytes->empty();
    }
    outcome.done.give();
}

// Who writes may drop the very object that is finished.
TEST_F(AsyncTest, FinishingAStreamEndsTheWriteThatWaits) {
    Settings small;
    small.initial_send_buffer_per_stream = small.max_send_buffer_per_stream = 20'000;
    CutShort outcome;
    listen(
        [&outcome](Connection connection) { return count_bytes(std::move(connection), outcome); });
    runtime->run(finish_during_write(*runtime, to_server(small), outcome));
    EXPECT_TRUE(outcome.finished);
    EXPECT_EQ(outcome.write, ApiError::kStreamFinished);
    EXPECT_EQ(outcome.received, 20'000u);
    EXPECT_TRUE(outcome.ended);
    runtime.reset();  // before what its coroutines refer to
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
