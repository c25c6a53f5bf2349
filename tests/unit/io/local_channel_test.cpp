#include "io/local_channel.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

#include <gtest/gtest.h>

#include "io/wakeup.h"

namespace stoq::io {
namespace {

using namespace std::chrono_literals;

std::string fresh_path() {
    static int number = 0;
    return testing::TempDir() + "stoq_channel_" + std::to_string(::getpid()) + "_" +
           std::to_string(number++);
}

struct Pair {
    std::string path = fresh_path();
    Waker stop = *Waker::create();
    LocalListener listener = *LocalListener::create(path);
    LocalChannel client = *LocalChannel::connect(path);
    LocalChannel server = *listener.accept(stop.native_handle());
};

TEST(LocalChannel, CarriesMessagesWholeAndInOrder) {
    Pair pair;
    const std::vector<std::uint8_t> one{1, 2, 3};
    const std::vector<std::uint8_t> two(LocalChannel::kMaxMessage, 7);
    ASSERT_TRUE(pair.client.send(one));
    ASSERT_TRUE(pair.client.send(two));
    EXPECT_EQ(pair.server.receive(1s)->bytes, one);
    EXPECT_EQ(pair.server.receive(1s)->bytes, two);
    ASSERT_TRUE(pair.server.send(two));
    EXPECT_EQ(pair.client.receive(1s)->bytes, two);
    EXPECT_TRUE(pair.client.is_same_user());
    EXPECT_TRUE(pair.server.is_same_user());
}

TEST(LocalChannel, ASignalDoesNotEndTheWait) {
    Pair pair;
    struct sigaction action{};
    action.sa_handler = [](int) {};
    struct sigaction before{};
    ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
    std::atomic<bool> answered = false;
    const std::vector<std::uint8_t> text{9};
    std::jthread teaser([&, waiting = ::pthread_self()] {
        // Some of them come before it sleeps, and most while it does.
        for (int i = 0; i < 200 && !answered; ++i) {
            ::pthread_kill(waiting, SIGUSR1);
            std::this_thread::yield();
        }
        EXPECT_TRUE(pair.client.send(text));
    });
    const auto message = pair.server.receive(60s);
    answered = true;
    teaser.join();
    ASSERT_EQ(::sigaction(SIGUSR1, &before, nullptr), 0);
    ASSERT_TRUE(message) << message.error().message();
    EXPECT_EQ(message->bytes, text);
}

TEST(LocalChannel, CarriesDescriptors) {
    Pair pair;
    std::array<int, 2> pipe_ends{};
    ASSERT_EQ(::pipe(pipe_ends.data()), 0);
    const std::vector<std::uint8_t> text{9};
    ASSERT_TRUE(pair.client.send(text, {&pipe_ends[1], 1}));
    ::close(pipe_ends[1]);
    {
        auto message = pair.server.receive(1s);
        ASSERT_TRUE(message);
        ASSERT_EQ(message->descriptors.size(), 1u);
        const int end = message->descriptors.take(0);
        EXPECT_EQ(::write(end, "x", 1), 1);
        ::close(end);
    }
    char got = 0;
    EXPECT_EQ(::read(pipe_ends[0], &got, 1), 1);
    EXPECT_EQ(got, 'x');
    // Both copies of the other end are closed.
    EXPECT_EQ(::read(pipe_ends[0], &got, 1), 0);
    ::close(pipe_ends[0]);
}

TEST(LocalChannel, ClosesDescriptorsThatNobodyTook) {
    Pair pair;
    std::array<int, 2> pipe_ends{};
    ASSERT_EQ(::pipe(pipe_ends.data()), 0);
    ASSERT_TRUE(pair.client.send(std::vector<std::uint8_t>{1}, {&pipe_ends[1], 1}));
    ::close(pipe_ends[1]);
    ASSERT_TRUE(pair.server.receive(1s));
    char got = 0;
    EXPECT_EQ(::read(pipe_ends[0], &got, 1), 0);
    ::close(pipe_ends[0]);
}

TEST(LocalChannel, RefusesWhatIsTooLong) {
    Pair pair;
    EXPECT_FALSE(pair.client.send({}));
    EXPECT_FALSE(pair.client.send(std::vector<std::uint8_t>(LocalChannel::kMaxMessage + 1)));
    const std::array<int, LocalChannel::kMaxDescriptors + 1> many{};
    EXPECT_FALSE(pair.client.send(std::vector<std::uint8_t>{1}, many));
}

TEST(LocalChannel, TellsThatThePeerIsGoneSilentOrNobodyIsThere) {
    const std::string path = fresh_path();
    EXPECT_EQ(LocalChannel::connect(path).error(), std::errc::no_such_file_or_directory);
    EXPECT_EQ(LocalChannel::connect(std::string(200, 'x')).error(), std::errc::filename_too_long);
    Pair pair;
    EXPECT_EQ(pair.server.receive(1ms).error(), std::errc::timed_out);
    pair.stop.wake();
    EXPECT_EQ(pair.server.receive(1s, pair.stop.native_handle()).error(),
              std::errc::operation_canceled);
    EXPECT_EQ(pair.listener.accept(pair.stop.native_handle()).error(),
              std::errc::operation_canceled);
    pair.client = LocalChannel(std::move(pair.server));
    Pair other;
    {
        const LocalChannel gone = std::move(other.client);
    }
    const auto message = other.server.receive(1s);
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->bytes.empty());
    EXPECT_EQ(other.server.send(std::vector<std::uint8_t>{1}).error(), std::errc::broken_pipe);
}

TEST(LocalListener, IsForTheOwnUserAndRemovesItsName) {
    const std::string path = fresh_path();
    {
        const auto first = LocalListener::create(path);
        ASSERT_TRUE(first);
        struct stat about{};
        ASSERT_EQ(::stat(path.c_str(), &about), 0);
        EXPECT_EQ(about.st_mode & 0777, 0600u);
        auto second = LocalListener::create(path);
        ASSERT_TRUE(second) << "takes the place of the first";
        EXPECT_TRUE(LocalChannel::connect(path));
        second->forget_name();
    }
    EXPECT_EQ(LocalChannel::connect(path).error(), std::errc::no_such_file_or_directory)
        << "the first has removed the name";
    {
        auto third = LocalListener::create(path);
        ASSERT_TRUE(third);
        third->forget_name();
    }
    EXPECT_EQ(LocalChannel::connect(path).error(), std::errc::connection_refused);
    EXPECT_FALSE(LocalListener::create("/nonexistent/directory/name"));
}

}  // namespace
}  // namespace stoq::io
