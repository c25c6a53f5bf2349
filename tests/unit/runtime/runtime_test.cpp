// Runtimes over loopback sockets. Both ends take turns in one thread unless a test says otherwise.
#include "stoq/runtime.h"

#include <poll.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "support/echo_runtimes.h"

namespace stoq {
namespace {

using namespace std::chrono_literals;
using test::EchoClient;
using test::EchoServer;
using test::kMaxTurns;
using test::make_runtime;
using test::turn_both;

TEST(Runtime, EchoesAMegabyteOverEitherFamily) {
    for (const std::string address : {"127.0.0.1:0", "[::1]:0"}) {
        SCOPED_TRACE(address);
        EchoServer server(address);
        EchoClient client(1'000'000);
        client.connect(server.local);
        ASSERT_TRUE(turn_both(*server.runtime, *client.runtime, [&] { return client.finished; }));
        EXPECT_EQ(client.received, client.sent);
        EXPECT_GE(client.runtime->datapath_report().received_bytes, 1'000'000u);
    }
}

TEST(Runtime, EchoesWithoutTrainsOfDatagrams) {
    const RuntimeSettings plain{.segmentation_offload = false, .receive_coalescing = false};
    EchoServer server("127.0.0.1:0", plain);
    EchoClient client(300'000, plain);
    client.connect(server.local);
    ASSERT_TRUE(turn_both(*server.runtime, *client.runtime, [&] { return client.finished; }));
    EXPECT_EQ(client.received, client.sent);
    EXPECT_FALSE(client.runtime->datapath_report().segmentation_offload);
}

TEST(Runtime, OneRuntimeIsServerAndClientAtOnceOverTwoSockets) {
    EchoServer server;
    EchoServer other;
    EchoClient client(100'000);
    const auto listening = client.runtime->listen(
        {.address = "127.0.0.1:0", .credentials = test::server_credentials()});
    ASSERT_TRUE(listening.has_value()) << listening.error().message();
    client.connect(server.local);
    ASSERT_TRUE(turn_both(*server.runtime, *client.runtime, [&] { return client.finished; }));
    EXPECT_EQ(client.received, client.sent);
    const auto info = client.runtime->endpoint().info(client.connection);
    ASSERT_TRUE(info.has_value());
    EXPECT_NE(info->local.port, listening->port);
}

TEST(Runtime, AnswersComeFromTheAddressThatWasAsked) {
    EchoServer server;
    Address second = server.local;  // 127.0.0.2, with the same port
    second.ip = parse_address("127.0.0.2:1").ip;
    const auto listening = server.runtime->listen(
        {.address = to_string(second), .credentials = test::server_credentials()});
    ASSERT_TRUE(listening.has_value()) << listening.error().message();
    EchoClient client(10'000);
    client.connect(*listening);
    ASSERT_TRUE(turn_both(*server.runtime, *client.runtime, [&] { return client.finished; }));
    EXPECT_EQ(client.received, client.sent);
}

// What keeps a loop busy and is no connection's does not keep it from its end.
TEST(Runtime, DrainingWaitsForConnectionsAlone) {
    const auto runtime = make_runtime();
    std::function<void()> again = [&] { runtime->post([&] { again(); }); };
    again();
    EXPECT_TRUE(runtime->drain(5s));
}

TEST(Runtime, AConnectionMovesToAnotherSocketOfTheClient) {
    for (const std::string local : {"127.0.0.1:0", "0.0.0.0:0"}) {
        for (const auto mode : {MigrationMode::kWhenValidated, MigrationMode::kAtOnce}) {
            SCOPED_TRACE(local);
            EchoServer server;
            EchoClient client(200'000);
            client.hold_back();
            client.connect(server.local);
            ASSERT_TRUE(
                turn_both(*server.runtime, *client.runtime, [&] { return client.established; }));
            client.release(100'000);
            ASSERT_TRUE(turn_both(*server.runtime, *client.runtime,
                                  [&] { return client.received.size() == 100'000; }));
            const auto before = client.runtime->endpoint().info(client.connection)->local;
            const auto moved =
                client.runtime->migrate(client.connection, parse_address(local), mode);
            ASSERT_TRUE(moved.has_value()) << moved.error().message();
            client.release(100'000);
            ASSERT_TRUE(
                turn_both(*server.runtime, *client.runtime, [&] { return client.finished; }));
            EXPECT_EQ(client.received, client.sent);
            const auto after = client.runtime->endpoint().info(client.connection)->local;
            EXPECT_NE(after.port, before.port);
            EXPECT_EQ(server.runtime->endpoint().statistics().connections_accepted, 1u);
        }
    }
}

// Each time there is a socket more, and the old ones go.
TEST(Runtime, MovesAsOftenAsItLikes) {
    EchoServer server;
    EchoClient client(50'000);
    client.hold_back();
    client.connect(server.local);
    ASSERT_TRUE(turn_both(*server.runtime, *client.runtime, [&] { return client.established; }));
    constexpr std::size_t kMoves = 50;
    for (std::size_t i = 1; i <= kMoves; ++i) {
        client.release(1'000);
        ASSERT_TRUE(turn_both(*server.runtime, *client.runtime,
                              [&] { return client.received.size() == i * 1'000; }));
        const auto moved = client.runtime->migrate(client.connection, parse_address("127.0.0.1:0"),
                                                   MigrationMode::kWhenValidated);
        ASSERT_TRUE(moved.has_value()) << "move " << i << ": " << moved.error().message();
    }
    ASSERT_TRUE(turn_both(*server.runtime, *client.runtime, [&] { return client.finished; }));
    EXPECT_EQ(client.received, client.sent);
}

// More than a turn tells: what is left lies in buffers that must not be received into meanwhile.
TEST(Runtime, EventsOfABatchMayTakeSeveralTurns) {
    constexpr std::size_t kDatagrams = 500;
    Settings settings;
    settings.max_datagram_frame_size = 65535;
    const auto payload = [](std::size_t number) {
        return std::vector<std::uint8_t>(100 + number % 7, static_cast<std::uint8_t>(number));
    };

    const auto server = make_runtime();
    std::vector<std::vector<std::uint8_t>> received;
    std::size_t most_in_a_turn = 0;
    std::size_t in_turn = 0;
    server->set_event_handler([&](const Event& event) {
        const auto* datagram = std::get_if<DatagramReceived>(&event);
        if (datagram == nullptr) return;
        received.emplace_back(datagram->bytes.begin(), datagram->bytes.end());
        most_in_a_turn = std::max(most_in_a_turn, ++in_turn);
    });
    const auto listening = server->listen({.address = "127.0.0.1:0",
                                           .credentials = test::server_credentials(),
                                           .settings = settings});
    ASSERT_TRUE(listening.has_value()) << listening.error().message();

    const auto client = make_runtime();
    std::size_t sent = 0;
    const auto send_all = [&](ConnectionHandle connection) {
        while (sent < kDatagrams &&
               client->endpoint().send_datagram(connection, payload(sent)).has_value()) {
            ++sent;
        }
    };
    client->set_event_handler([&](const Event& event) {
        if (const auto* made = std::get_if<ConnectionEstablished>(&event)) {
            send_all(made->connection);
        } else if (const auto* writable = std::get_if<DatagramWritable>(&event)) {
            send_all(writable->connection);
        }
    });
    const auto connection =
        client->connect({.remote = *listening,
                         .server_name = "localhost",
                         .credentials = std::make_shared<Credentials>(test::client_credentials()),
                         .settings = settings});
    ASSERT_TRUE(connection.has_value()) << connection.error().message();

    for (int turn = 0; turn < kMaxTurns && received.size() < kDatagrams; ++turn) {
        const bool worked = client->run_once(Duration::zero());
        in_turn = 0;
        server->run_once(worked ? Duration::zero() : Duration(1ms));
    }
    ASSERT_EQ(received.size(), kDatagrams);
    for (std::size_t i = 0; i < kDatagrams; ++i) EXPECT_EQ(received[i], payload(i)) << i;
    EXPECT_GE(most_in_a_turn, 48u);
}

TEST(Runtime, ClosingTellsThePeerAndDrains) {
    EchoServer server;
    EchoClient client(1);
    client.connect(server.local);
    ASSERT_TRUE(turn_both(*server.runtime, *client.runtime, [&] { return client.finished; }));
    client.runtime->close_all(7, "enough");
    EXPECT_TRUE(client.runtime->drain(5s));
    ASSERT_TRUE(client.closed.has_value());
    EXPECT_EQ(client.closed->kind, CloseKind::kLocalApplication);
    ASSERT_TRUE(
        turn_both(*server.runtime, *client.runtime, [&] { return server.closed.has_value(); }));
    EXPECT_EQ(server.closed->kind, CloseKind::kPeerApplication);
    EXPECT_EQ(server.closed->code, 7u);
    EXPECT_EQ(server.closed->phrase, "enough");
}

TEST(Runtime, AConnectionToAPortWhereNobodyListensIsRefused) {
    Address nobody;
    {
        const EchoServer gone;
        nobody = gone.local;
    }
    EchoClient client(1);
    client.connect(nobody);
    for (int turn = 0; turn < kMaxTurns && !client.closed; ++turn) client.runtime->run_once(1ms);
    ASSERT_TRUE(client.closed.has_value());
    EXPECT_EQ(client.closed->kind, CloseKind::kRefused);
    EXPECT_FALSE(client.established);
}

TEST(Runtime, TasksPostedFromOtherThreadsRunInTheLoopInOrder) {
    const auto runtime = make_runtime();
    std::vector<int> seen;
    bool in_loop = true;
    const auto loop = std::this_thread::get_id();
    std::thread other([&] {
        for (int i = 0; i < 100; ++i) {
            runtime->post([&, i] {
                in_loop = in_loop && std::this_thread::get_id() == loop;
                seen.push_back(i);
                if (i == 99) runtime->stop();
            });
        }
    });
    runtime->run();
    other.join();
    EXPECT_TRUE(in_loop);
    ASSERT_EQ(seen.size(), 100u);
    EXPECT_TRUE(std::ranges::is_sorted(seen));
}

TEST(Runtime, StopFromAnotherThreadEndsASleepingLoop) {
    EchoServer server;
    std::thread other([&] { server.runtime->stop(); });
    server.runtime->run();
    other.join();
}

TEST(Runtime, StopBeforeRunEndsTheNextRunOnly) {
    const auto runtime = make_runtime();
    runtime->stop();
    runtime->run();
    bool ran = false;
    runtime->after(1ms, [&] {
        ran = true;
        runtime->stop();
    });
    runtime->run();
    EXPECT_TRUE(ran);
}

TEST(Runtime, TimersRunWhenTheirTimeHasComeAndCancelledOnesDoNot) {
    const auto runtime = make_runtime();
    std::string ran;
    runtime->after(2ms, [&] {
        ran += 'b';
        runtime->stop();
    });
    runtime->after(1ms, [&] { ran += 'a'; });
    const auto cancelled = runtime->after(1ms, [&] { ran += 'x'; });
    runtime->cancel(cancelled);
    EXPECT_NE(runtime->next_timeout(), kNever);
    runtime->run();
    EXPECT_EQ(ran, "ab");
    EXPECT_EQ(runtime->next_timeout(), kNever);
}

// Sleeps in poll(), as a foreign loop would; turns only when told to.
bool turn_in_foreign_loop(Runtime& runtime, bool& stop) {
    for (int turn = 0; turn < kMaxTurns && !stop; ++turn) {
        while (runtime.run_once(Duration::zero())) {
        }
        if (stop) return true;
        pollfd watched{runtime.native_handle(), POLLIN, 0};
        const Instant next = runtime.next_timeout();
        const auto wait = next == kNever ? Duration(10s) : next - runtime.now();
        const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
        ::poll(&watched, 1, static_cast<int>(std::max<long>(milliseconds, 0)));
    }
    return stop;
}

TEST(Runtime, WorksUnderAForeignLoop) {
    EchoServer server;
    EchoClient client(200'000);
    client.connect(server.local);
    std::thread serving([&] { server.runtime->run(); });
    EXPECT_TRUE(turn_in_foreign_loop(*client.runtime, client.finished));
    EXPECT_EQ(client.received, client.sent);
    server.runtime->stop();
    serving.join();
}

TEST(Runtime, APostedTaskMakesTheNativeHandleReadableUntilItHasRun) {
    EchoServer server;
    pollfd watched{server.runtime->native_handle(), POLLIN, 0};
    while (server.runtime->run_once(Duration::zero())) {
    }
    EXPECT_EQ(::poll(&watched, 1, 0), 0);
    bool ran = false;
    server.runtime->post([&] { ran = true; });
    EXPECT_EQ(::poll(&watched, 1, 0), 1);
    while (server.runtime->run_once(Duration::zero())) {
    }
    EXPECT_TRUE(ran);
    EXPECT_EQ(::poll(&watched, 1, 0), 0);
}

TEST(Runtime, WritesATraceForEachConnectionIntoTheGivenDirectory) {
    const auto directory = std::filesystem::path(testing::TempDir()) /
                           ("stoq-runtime-qlog-" + std::to_string(::getpid()));
    std::filesystem::create_directory(directory);
    {
        EchoServer server;
        EchoClient client(1, {.qlog_directory = directory.string()});
        client.connect(server.local);
        ASSERT_TRUE(turn_both(*server.runtime, *client.runtime, [&] { return client.finished; }));
    }
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        EXPECT_GT(entry.file_size(), 0u);
        ++files;
    }
    EXPECT_EQ(files, 1u);
    std::filesystem::remove_all(directory);
}

TEST(Runtime, SaysWhatWasRefusedAndWhy) {
    EXPECT_FALSE(Runtime::create({.qlog_directory = "/nonexistent/directory"}).has_value());

    const auto runtime = make_runtime();
    const auto nowhere = runtime->listen({.address = "localhost", .credentials = {}});
    ASSERT_FALSE(nowhere.has_value());
    EXPECT_EQ(nowhere.error().api, ApiError::kInvalidArgument);

    const auto foreign = runtime->listen({.address = "192.0.2.1:0", .credentials = {}});
    ASSERT_FALSE(foreign.has_value());
    EXPECT_TRUE(foreign.error().system);
    EXPECT_NE(foreign.error().message().find("192.0.2.1:0"), std::string::npos);

    const auto nobody = runtime->listen({.address = "127.0.0.1:0", .credentials = {}});
    ASSERT_FALSE(nobody.has_value());
    EXPECT_EQ(nobody.error().api, ApiError::kCredentials);

    const auto untrusting = runtime->connect({.address = "127.0.0.1:1"});
    ASSERT_FALSE(untrusting.has_value());
    EXPECT_EQ(untrusting.error().api, ApiError::kCredentials);
}

}  // namespace
}  // namespace stoq
