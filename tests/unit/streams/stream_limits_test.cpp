#include "streams/stream_limits.h"

#include <gtest/gtest.h>

#include "wire/frame.h"

namespace stoq::streams {
namespace {

TEST(PeerStreamLimit, RisesWithClosedStreamsOnceItIsWorthAFrame) {
    PeerStreamLimit limit(80);
    limit.on_opened_up_to(40);
    for (int i = 0; i < 9; ++i) limit.on_closed();
    EXPECT_FALSE(limit.renewal_due());
    limit.on_closed();
    EXPECT_TRUE(limit.renewal_due());
    EXPECT_EQ(limit.renew(), 90u);
    EXPECT_FALSE(limit.renewal_due());
    EXPECT_TRUE(limit.allows(89));
    EXPECT_FALSE(limit.allows(90));
}

TEST(PeerStreamLimit, PeerThatUsedUpItsLimitGetsEverySingleStream) {
    PeerStreamLimit limit(80);
    limit.on_opened_up_to(80);
    EXPECT_FALSE(limit.renewal_due());
    limit.on_closed();
    //= test 9000-4.6-6
    EXPECT_TRUE(limit.renewal_due());
    EXPECT_EQ(limit.renew(), 81u);
}

TEST(PeerStreamLimit, NeverExceedsWhatCanBeNumbered) {
    PeerStreamLimit limit(wire::kMaxStreamCount);
    limit.on_opened_up_to(10);
    for (int i = 0; i < 10; ++i) limit.on_closed();
    EXPECT_FALSE(limit.renewal_due());
    EXPECT_EQ(limit.next_limit(), wire::kMaxStreamCount);
}

TEST(PeerStreamLimit, ZeroAllowsNothing) {
    PeerStreamLimit limit(0);
    EXPECT_FALSE(limit.allows(0));
    EXPECT_FALSE(limit.renewal_due());
}

TEST(OwnStreamLimit, OpensUpToThePeersLimit) {
    OwnStreamLimit limit;
    EXPECT_FALSE(limit.may_open());
    EXPECT_FALSE(limit.raise(2));
    EXPECT_EQ(limit.open(), 0u);
    EXPECT_EQ(limit.open(), 1u);
    //= test 9000-4.6-2
    //= test 9000-19.11-3
    EXPECT_FALSE(limit.may_open());
}

TEST(OwnStreamLimit, RefusalIsReportedOncePerLimit) {
    OwnStreamLimit limit;
    EXPECT_TRUE(limit.on_refused());
    EXPECT_FALSE(limit.on_refused());
    EXPECT_TRUE(limit.on_report_lost(0));
    EXPECT_TRUE(limit.raise(1));
    EXPECT_FALSE(limit.on_report_lost(0));
    limit.open();
    EXPECT_TRUE(limit.on_refused());
}

TEST(OwnStreamLimit, RaiseMattersOnlyWhenItRaisesAndSomebodyWaits) {
    OwnStreamLimit limit;
    limit.raise(1);
    limit.open();
    limit.on_refused();
    //= test 9000-4.6-4
    //= test 9000-19.11-2
    EXPECT_FALSE(limit.raise(1));
    EXPECT_FALSE(limit.raise(0));
    EXPECT_EQ(limit.limit(), 1u);
    EXPECT_TRUE(limit.raise(3));
    EXPECT_FALSE(limit.raise(4));
}

}  // namespace
}  // namespace stoq::streams
