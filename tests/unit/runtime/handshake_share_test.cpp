// How handshakes and data share a loop's time.
#include "runtime/handshake_share.h"

#include <gtest/gtest.h>

namespace stoq::runtime {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr auto kUnlimited = HandshakeShare::kUnlimited;

struct Loop {
    explicit Loop(double share = 0.1) : handshakes(share) { (void)handshakes.permits(now); }
    std::size_t after(Duration passed) { return handshakes.permits(now += passed); }
    // Data flows from here on.
    void flow() {
        handshakes.on_data(HandshakeShare::kFlow);
        (void)after(HandshakeShare::kWindow);
    }

    HandshakeShare handshakes;
    Instant now{std::chrono::seconds(1000)};
};

TEST(HandshakeShare, WithoutDataNothingWaits) {
    Loop loop;
    EXPECT_EQ(loop.after(milliseconds(1)), kUnlimited);
    loop.handshakes.on_data(HandshakeShare::kFlow - 1);
    EXPECT_EQ(loop.after(HandshakeShare::kWindow), kUnlimited);
}

TEST(HandshakeShare, BesideDataEachIsPaidForByItsTime) {
    Loop loop;
    loop.flow();
    EXPECT_EQ(loop.after(microseconds(1)), 1u);
    loop.handshakes.on_begun(microseconds(500));
    // A tenth of the time: five milliseconds pay for half of one.
    EXPECT_EQ(loop.after(microseconds(4999)), 0u);
    EXPECT_EQ(loop.handshakes.next(), loop.now + microseconds(1));
    EXPECT_EQ(loop.after(microseconds(1)), 1u);
}

TEST(HandshakeShare, NothingIsSavedUp) {
    Loop loop;
    loop.flow();
    EXPECT_EQ(loop.after(milliseconds(9)), 1u);
    loop.handshakes.on_begun(microseconds(500));
    EXPECT_EQ(loop.after(microseconds(10)), 0u);
}

TEST(HandshakeShare, CheapOnesCostWhatADearOneDidLately) {
    Loop loop;
    loop.flow();
    loop.handshakes.on_begun(microseconds(800));
    loop.handshakes.on_begun(microseconds(8));
    EXPECT_EQ(loop.handshakes.next(), loop.now + microseconds(8000 + 7500));
}

TEST(HandshakeShare, WhenDataNoLongerFlowsAllMayBegin) {
    Loop loop;
    loop.flow();
    loop.handshakes.on_begun(milliseconds(5));
    EXPECT_EQ(loop.after(milliseconds(1)), 0u);
    EXPECT_EQ(loop.after(HandshakeShare::kWindow), kUnlimited);
}

TEST(HandshakeShare, TheWholeShareLimitsNothing) {
    Loop loop(1.0);
    loop.flow();
    loop.handshakes.on_begun(milliseconds(5));
    EXPECT_EQ(loop.after(microseconds(1)), kUnlimited);
}

}  // namespace
}  // namespace stoq::runtime
