#include "io/wakeup.h"

#include <thread>

#include "unit/io/udp_test_support.h"

namespace stoq::io {
namespace {

using namespace test;

Waker make_waker() {
    auto waker = Waker::create();
    EXPECT_TRUE(waker.has_value());
    return std::move(*waker);
}

TEST(Waker, RingsAreForgottenByOneReset) {
    const Waker waker = make_waker();
    EXPECT_FALSE(waker.reset());
    waker.wake();
    waker.wake();
    EXPECT_TRUE(waker.reset());
    EXPECT_FALSE(waker.reset());
}

TEST(Waker, MovingTakesTheDescriptorAlong) {
    Waker first = make_waker();
    Waker second = make_waker();
    const int descriptor = first.native_handle();
    second = std::move(first);
    const Waker third(std::move(second));
    EXPECT_EQ(third.native_handle(), descriptor);
    third.wake();
    EXPECT_TRUE(third.reset());
}

TEST(Waker, AnotherThreadEndsAnEndlessWait) {
    const auto datapath = open("127.0.0.1:0");
    Waker waker = make_waker();
    std::thread other([&] { waker.wake(); });
    const WaitOutcome outcome = datapath->wait(Duration::max(), &waker);
    other.join();
    EXPECT_TRUE(outcome.woken);
    EXPECT_FALSE(outcome.readable);
    EXPECT_FALSE(waker.reset()) << "wait() resets the waker";
}

TEST(Wait, ATimeoutThatIsOverOnlyLooks) {
    const auto datapath = open("127.0.0.1:0");
    for (const Duration timeout : {Duration(0), Duration(-1), Duration::min(), Duration(1)}) {
        const WaitOutcome outcome = datapath->wait(timeout, nullptr);
        EXPECT_FALSE(outcome.readable || outcome.writable || outcome.woken);
    }
}

TEST(Wait, TellsWhichSourceIsReady) {
    const Waker quiet = make_waker();
    const Waker rung = make_waker();
    rung.wake();
    std::array<WaitSource, 2> sources;
    sources[0].descriptor = quiet.native_handle();
    sources[1].descriptor = rung.native_handle();
    EXPECT_EQ(wait_for(sources, kPatience), 1u);
    EXPECT_FALSE(sources[0].readable);
    EXPECT_TRUE(sources[1].readable);
    EXPECT_FALSE(sources[1].writable) << "nobody asked for that";
    rung.reset();
    sources[0].want_write = true;
    EXPECT_EQ(wait_for(sources, kPatience), 1u);
    EXPECT_TRUE(sources[0].writable);
    EXPECT_FALSE(sources[1].readable);
}

}  // namespace
}  // namespace stoq::io
