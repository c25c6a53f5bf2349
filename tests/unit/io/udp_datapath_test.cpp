#include "io/udp/udp_datapath.h"

#include "unit/io/udp_test_support.h"

namespace stoq::io {
namespace {

using namespace test;

// A receiver's address, and how a sender at `sender` writes it.
struct Route {
    const char* name;
    const char* receiver;
    const char* sender;
    const char* target;  // the receiver's host as the sender names it
};

class UdpRoute : public testing::TestWithParam<Route> {
protected:
    void SetUp() override {
        const bool ipv4 = std::string_view(GetParam().receiver).front() != '[';
        if (!ipv4 && !host_has_ipv6()) GTEST_SKIP() << "this host has no IPv6";
        receiver_ = open(GetParam().receiver);
        sender_ = open(GetParam().sender);
        ASSERT_TRUE(receiver_ && sender_);
        target_ = at_port(GetParam().target, receiver_->local_address().port);
    }

    std::unique_ptr<UdpDatapath> receiver_;
    std::unique_ptr<UdpDatapath> sender_;
    Address target_;
};

TEST_P(UdpRoute, DatagramArrivesWithBothAddressesAndTheReplyComesBack) {
    const Payload question = pattern(1200, 1);
    queue(*sender_, question, {.remote = target_});
    EXPECT_EQ(sender_->flush().sent_datagrams, 1u);
    const auto arrived = receive(*receiver_, 1);
    ASSERT_EQ(arrived.size(), 1u);
    EXPECT_EQ(arrived[0].data, question);
    EXPECT_EQ(arrived[0].local, target_);
    EXPECT_EQ(arrived[0].remote.port, sender_->local_address().port);

    const Payload reply = pattern(700, 2);
    queue(*receiver_, reply, {.remote = arrived[0].remote, .local = arrived[0].local});
    EXPECT_EQ(receiver_->flush().sent_datagrams, 1u);
    const auto returned = receive(*sender_, 1);
    ASSERT_EQ(returned.size(), 1u);
    EXPECT_EQ(returned[0].data, reply);
    EXPECT_EQ(returned[0].remote, target_) << "a reply leaves from the address it came to";
}

TEST_P(UdpRoute, EveryEcnMarkMakesTheWayThereAndBack) {
    for (const Ecn mark : {Ecn::kNotEct, Ecn::kEct0, Ecn::kEct1, Ecn::kCe}) {
        queue(*sender_, pattern(100), {.remote = target_, .ecn = mark});
        sender_->flush();
        const auto arrived = receive(*receiver_, 1);
        ASSERT_EQ(arrived.size(), 1u);
        EXPECT_EQ(arrived[0].ecn, mark);
        queue(*receiver_, pattern(100),
              {.remote = arrived[0].remote, .local = arrived[0].local, .ecn = mark});
        receiver_->flush();
        const auto returned = receive(*sender_, 1);
        ASSERT_EQ(returned.size(), 1u);
        EXPECT_EQ(returned[0].ecn, mark);
    }
}

TEST_P(UdpRoute, FullTrainArrivesCutIntoItsDatagrams) {
    const Payload train = pattern(44 * 1452 - 500);
    queue(*sender_, train, {.remote = target_, .ecn = Ecn::kEct0, .datagram_length = 1452});
    const FlushOutcome outcome = sender_->flush();
    EXPECT_EQ(outcome.sent_datagrams, 44u);
    EXPECT_EQ(outcome.block, SendBlock::kNone);
    const auto arrived = receive(*receiver_, 44);
    ASSERT_EQ(arrived.size(), 44u);
    EXPECT_EQ(concatenated(arrived), train);
    for (std::size_t i = 0; i < arrived.size(); ++i) {
        EXPECT_EQ(arrived[i].data.size(), i == 43 ? 952u : 1452u);
        EXPECT_EQ(arrived[i].ecn, Ecn::kEct0);
        EXPECT_EQ(arrived[i].local, target_);
        EXPECT_EQ(arrived[i].remote, arrived[0].remote);
    }
    EXPECT_EQ(receiver_->counters().received_bytes, train.size());
    EXPECT_EQ(sender_->counters().sent_bytes, train.size());
}

INSTANTIATE_TEST_SUITE_P(
    Routes, UdpRoute,
    testing::Values(Route{"Ipv4", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1"},
                    Route{"Ipv4SecondAddress", "0.0.0.0:0", "127.0.0.1:0", "127.0.0.2"},
                    Route{"Ipv4Wildcards", "0.0.0.0:0", "0.0.0.0:0", "127.0.0.1"},
                    Route{"Ipv6", "[::1]:0", "[::1]:0", "[::1]"},
                    Route{"Ipv6Wildcards", "[::]:0", "[::]:0", "[::1]"},
                    Route{"Ipv4ToDualStack", "[::]:0", "127.0.0.1:0", "127.0.0.2"},
                    Route{"DualStackToDualStack", "[::]:0", "[::]:0", "127.0.0.2"}),
    [](const auto& test) { return test.param.name; });

struct Offload {
    const char* name;
    bool segmentation;
    bool coalescing;
};

class UdpOffload : public testing::TestWithParam<Offload> {};

TEST_P(UdpOffload, TrainsOfAnyShapeArriveByteExactAndInOrder) {
    UdpSettings settings = settings_for("127.0.0.1:0");
    settings.segmentation_offload = GetParam().segmentation;
    settings.receive_coalescing = GetParam().coalescing;
    const auto receiver = open(settings);
    const auto sender = open(settings);
    struct Shape {
        std::size_t length;
        std::size_t datagram_length;
        std::size_t datagrams;
    };
    for (const Shape& shape :
         {Shape{1, 1, 1}, Shape{1452, 1452, 1}, Shape{1453, 1452, 2}, Shape{64 * 1000, 1000, 64},
          Shape{45 * 1452, 1452, 45}, Shape{64, 1, 64}, Shape{8 * 1452, 1452, 8}}) {
        const Payload train = pattern(shape.length);
        queue(*sender, train,
              {.remote = receiver->local_address(), .datagram_length = shape.datagram_length});
        EXPECT_EQ(sender->flush().sent_datagrams, shape.datagrams);
        const auto arrived = receive(*receiver, shape.datagrams);
        EXPECT_EQ(concatenated(arrived), train) << shape.length;
    }
    EXPECT_EQ(sender->counters().segmentation_fallbacks, 0u);
    EXPECT_EQ(sender->capabilities().segmentation_offload && !GetParam().segmentation, false);
}

INSTANTIATE_TEST_SUITE_P(Offloads, UdpOffload,
                         testing::Values(Offload{"Both", true, true},
                                         Offload{"SendOnly", true, false},
                                         Offload{"ReceiveOnly", false, true},
                                         Offload{"Neither", false, false}),
                         [](const auto& test) { return test.param.name; });

TEST(UdpDatapath, TrainCrossesLoopbackInOneCallEachWay) {
    const auto receiver = open("127.0.0.1:0");
    const auto sender = open("127.0.0.1:0");
    if (!sender->capabilities().segmentation_offload ||
        !receiver->capabilities().receive_coalescing) {
        GTEST_SKIP() << "this kernel has no UDP segmentation or coalescing";
    }
    queue(*sender, pattern(44 * 1452),
          {.remote = receiver->local_address(), .datagram_length = 1452});
    sender->flush();
    EXPECT_EQ(sender->counters().send_calls, 1u);
    receiver->wait(kPatience, nullptr);
    EXPECT_EQ(receiver->receive_batch().size(), 44u);
    EXPECT_EQ(receiver->counters().receive_calls, 1u);
}

TEST(UdpDatapath, NothingThereIsAnEmptyBatch) {
    const auto datapath = open("127.0.0.1:0");
    EXPECT_TRUE(datapath->receive_batch().empty());
    EXPECT_TRUE(datapath->path_errors().empty());
    EXPECT_EQ(datapath->flush().sent_datagrams, 0u);
    EXPECT_EQ(datapath->counters().send_calls, 0u);
}

TEST(UdpDatapath, ManySmallTrainsToManyPeersGoInOneCallAndInOrder) {
    const auto sender = open("127.0.0.1:0");
    std::array<std::unique_ptr<UdpDatapath>, 3> receivers;
    for (auto& receiver : receivers) receiver = open("127.0.0.1:0");
    for (unsigned round = 0; round < 5; ++round) {
        for (const auto& receiver : receivers) {
            queue(*sender, pattern(300, round), {.remote = receiver->local_address()});
        }
    }
    EXPECT_EQ(sender->flush().sent_datagrams, 15u);
    EXPECT_EQ(sender->counters().send_calls, 1u);
    for (const auto& receiver : receivers) {
        const auto arrived = receive(*receiver, 5);
        for (unsigned round = 0; round < arrived.size(); ++round) {
            EXPECT_EQ(arrived[round].data, pattern(300, round));
        }
    }
}

TEST(UdpDatapath, SlotsRunOutUntilTheyAreFlushed) {
    UdpSettings settings = settings_for("127.0.0.1:0");
    settings.transmit_slots = 3;
    const auto receiver = open("127.0.0.1:0");
    const auto sender = open(settings);
    for (unsigned round = 0; round < 3; ++round) {
        for (unsigned i = 0; i < 3; ++i) {
            queue(*sender, pattern(100, i), {.remote = receiver->local_address()});
        }
        EXPECT_EQ(sender->transmit_slot(), nullptr);
        EXPECT_EQ(sender->flush().sent_datagrams, 3u);
        for (unsigned i = 0; const Arrival& arrival : receive(*receiver, 3)) {
            EXPECT_EQ(arrival.data, pattern(100, i++));
        }
    }
}

TEST(UdpDatapath, SlotThatWasNotCommittedIsLentAgainAndClean) {
    const auto sender = open("127.0.0.1:0");
    TransmitSlot* slot = sender->transmit_slot();
    ASSERT_NE(slot, nullptr);
    EXPECT_EQ(slot->buffer.size(), kMaxDatagramBytes);
    EXPECT_EQ(slot->max_datagrams, kMaxTrainDatagrams);
    slot->length = 99;
    slot->ecn = Ecn::kCe;
    EXPECT_EQ(sender->transmit_slot(), slot);
    EXPECT_EQ(slot->length, 0u);
    EXPECT_EQ(slot->ecn, Ecn::kNotEct);
    EXPECT_EQ(sender->flush().sent_datagrams, 0u);
}

TEST(UdpDatapath, TooLongForTheBufferIsCountedAndTheNextOneStillArrives) {
    UdpSettings settings = settings_for("127.0.0.1:0");
    settings.receive_coalescing = false;
    settings.max_datagram = 1000;
    const auto receiver = open(settings);
    const auto sender = open("127.0.0.1:0");
    queue(*sender, pattern(1001), {.remote = receiver->local_address()});
    queue(*sender, pattern(1000), {.remote = receiver->local_address()});
    sender->flush();
    const auto arrived = receive(*receiver, 1);
    ASSERT_EQ(arrived.size(), 1u);
    EXPECT_EQ(arrived[0].data, pattern(1000));
    EXPECT_EQ(receiver->counters().truncated, 1u);
}

TEST(UdpDatapath, DropsOfAFullReceiveBufferAreToldFromLoss) {
    UdpSettings settings = settings_for("127.0.0.1:0");
    settings.receive_buffer = 4096;
    settings.receive_coalescing = false;
    const auto receiver = open(settings);
    const auto sender = open("127.0.0.1:0");
    ASSERT_TRUE(receiver->capabilities().drop_counter);
    constexpr std::uint64_t kBurst = 200;
    const DatapathCounters& counters = receiver->counters();
    std::uint64_t sent = 0;
    for (std::uint64_t round = 1; round <= 3; ++round) {
        for (std::uint64_t i = 0; i < kBurst; ++i) {
            queue(*sender, pattern(1200), {.remote = receiver->local_address()});
            sent += sender->flush().sent_datagrams;
        }
        // The kernel tells the total with the first datagram that it queues after the drops.
        const Instant end = now() + kPatience;
        while (counters.received_datagrams + counters.receive_buffer_drops < sent && now() < end) {
            while (!receiver->receive_batch().empty()) receiver->recycle();
            queue(*sender, pattern(10), {.remote = receiver->local_address()});
            sent += sender->flush().sent_datagrams;
            receiver->wait(std::chrono::milliseconds(100), nullptr);
            while (!receiver->receive_batch().empty()) receiver->recycle();
        }
        EXPECT_EQ(counters.received_datagrams + counters.receive_buffer_drops, sent);
        EXPECT_GT(counters.receive_buffer_drops, round * kBurst / 2);
    }
}

}  // namespace
}  // namespace stoq::io
