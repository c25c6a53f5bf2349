// What comes back from the network, and what this host refuses by itself.
#include "io/wakeup.h"
#include "unit/io/udp_test_support.h"

namespace stoq::io {
namespace {

using namespace test;

// A port of the loopback interface where nobody listens.
Address closed_port(std::string_view local) {
    const auto datapath = open(local);
    return datapath == nullptr ? Address{} : datapath->local_address();
}

struct Refusal {
    const char* name;
    const char* sender;
    const char* closed;
};

class RefusedPort : public testing::TestWithParam<Refusal> {
protected:
    void SetUp() override {
        const bool ipv4 = std::string_view(GetParam().sender).front() != '[';
        if (!ipv4 && !host_has_ipv6()) GTEST_SKIP() << "this host has no IPv6";
        sender_ = open(GetParam().sender);
        closed_ = closed_port(GetParam().closed);
        ASSERT_NE(sender_, nullptr);
    }

    std::unique_ptr<UdpDatapath> sender_;
    Address closed_;
};

TEST_P(RefusedPort, IsReportedWithItsAddress) {
    queue(*sender_, pattern(50), {.remote = closed_});
    EXPECT_EQ(sender_->flush().sent_datagrams, 1u);
    const auto reports = await_path_errors(*sender_);
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].error, std::errc::connection_refused);
    EXPECT_EQ(reports[0].remote, closed_);
    EXPECT_TRUE(reports[0].from_network);
    EXPECT_EQ(sender_->counters().path_errors, 1u);
    EXPECT_TRUE(sender_->path_errors().empty()) << "told once";
}

TEST_P(RefusedPort, DoesNotCostADatagramToAnotherPeer) {
    const auto receiver = open(GetParam().closed);
    for (unsigned i = 0; i < 10; ++i) {
        // The error is there before the next datagram goes; nobody has asked for it yet.
        queue(*sender_, pattern(50), {.remote = closed_});
        sender_->flush();
        std::array<WaitSource, 1> source;
        source[0].descriptor = sender_->native_handle();
        ASSERT_EQ(wait_for(source, kPatience), 1u);
        queue(*sender_, pattern(60, i), {.remote = receiver->local_address()});
        const FlushOutcome outcome = sender_->flush();
        EXPECT_EQ(outcome.sent_datagrams, 1u);
        EXPECT_TRUE(outcome.failures.empty());
        const auto arrived = receive(*receiver, 1);
        ASSERT_EQ(arrived.size(), 1u);
        EXPECT_EQ(arrived[0].data, pattern(60, i));
        EXPECT_FALSE(await_path_errors(*sender_).empty());
    }
}

TEST_P(RefusedPort, DoesNotHideWhatArrives) {
    const auto other = open(GetParam().closed);
    queue(*sender_, pattern(50), {.remote = other->local_address()});
    sender_->flush();
    const auto there = receive(*other, 1);
    ASSERT_EQ(there.size(), 1u);
    queue(*sender_, pattern(50), {.remote = closed_});
    sender_->flush();
    queue(*other, pattern(70), {.remote = there[0].remote});
    other->flush();
    std::array<WaitSource, 1> source;
    source[0].descriptor = sender_->native_handle();
    const Instant end = now() + kPatience;
    while (!(source[0].readable && source[0].error) && now() < end) {
        wait_for(source, end - now());
    }
    // One look brings both, although the system tells the error first.
    const auto batch = sender_->receive_batch();
    ASSERT_EQ(batch.size(), 1u);
    EXPECT_EQ(Payload(batch[0].data.begin(), batch[0].data.end()), pattern(70));
    const auto reports = sender_->path_errors();
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].error, std::errc::connection_refused);
}

INSTANTIATE_TEST_SUITE_P(Families, RefusedPort,
                         testing::Values(Refusal{"Ipv4", "127.0.0.1:0", "127.0.0.1:0"},
                                         Refusal{"Ipv6", "[::1]:0", "[::1]:0"},
                                         Refusal{"Ipv4OnDualStack", "[::]:0", "127.0.0.1:0"},
                                         Refusal{"Ipv6OnDualStack", "[::]:0", "[::1]:0"}),
                         [](const auto& test) { return test.param.name; });

// 65,507 bytes and IPv6's 48 bytes of headers do not fit the 65,536 of the loopback interface.
TEST(OversizeDatagram, IsReportedWithTheMtuAndTheNextOneGoes) {
    if (!host_has_ipv6()) GTEST_SKIP() << "this host has no IPv6";
    const auto receiver = open("[::1]:0");
    const auto sender = open("[::1]:0");
    queue(*sender, pattern(kMaxDatagramBytes), {.remote = receiver->local_address()});
    queue(*sender, pattern(1200), {.remote = receiver->local_address()});
    const FlushOutcome outcome = sender->flush();
    EXPECT_EQ(outcome.sent_datagrams, 1u);
    EXPECT_EQ(outcome.block, SendBlock::kNone);
    ASSERT_EQ(outcome.failures.size(), 1u);
    EXPECT_EQ(outcome.failures[0].error, std::errc::message_size);
    EXPECT_EQ(outcome.failures[0].datagram_length, kMaxDatagramBytes);
    EXPECT_EQ(outcome.failures[0].remote, receiver->local_address());
    EXPECT_EQ(sender->counters().too_big, 1u);
    EXPECT_EQ(concatenated(receive(*receiver, 1)), pattern(1200));
    const auto reports = await_path_errors(*sender);
    ASSERT_FALSE(reports.empty());
    EXPECT_EQ(reports[0].error, std::errc::message_size);
    EXPECT_EQ(reports[0].mtu, 65'536u);
    EXPECT_FALSE(reports[0].from_network);
}

TEST(UnreachableFamily, IsAFailureOfThatTrainOnly) {
    const auto receiver = open("127.0.0.1:0");
    const auto sender = open("127.0.0.1:0");
    queue(*sender, pattern(3000),
          {.remote = address("[2001:db8::1]:443"), .datagram_length = 1000});
    queue(*sender, pattern(100), {.remote = receiver->local_address()});
    const FlushOutcome outcome = sender->flush();
    EXPECT_EQ(outcome.sent_datagrams, 1u);
    ASSERT_EQ(outcome.failures.size(), 1u);
    EXPECT_EQ(outcome.failures[0].datagrams, 3u);
    EXPECT_EQ(sender->counters().send_errors, 3u);
    EXPECT_EQ(sender->counters().segmentation_fallbacks, 0u);
    EXPECT_EQ(receive(*receiver, 1).size(), 1u);
}

}  // namespace
}  // namespace stoq::io
