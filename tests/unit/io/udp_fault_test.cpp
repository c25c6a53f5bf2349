// The sender against a kernel that refuses: nothing may be lost, doubled or reordered.
#include "io/udp/segmentation_table.h"
#include "unit/io/udp_test_support.h"

namespace stoq::io {
namespace {

using namespace test;

constexpr std::size_t kLength = 1452;

class UdpFault : public testing::Test {
protected:
    void SetUp() override {
        receiver_ = open("127.0.0.1:0");
        other_ = open("127.0.0.2:0");
        sender_ = open("127.0.0.1:0", kernel_.calls());
        ASSERT_TRUE(receiver_ && other_ && sender_);
        // The receiver's own calls are not of interest.
        kernel_.log.clear();
    }

    void queue_train(std::size_t datagrams, unsigned seed) {
        queue(*sender_, pattern(datagrams * kLength, seed),
              {.remote = receiver_->local_address(), .datagram_length = kLength});
    }

    void expect_trains(std::size_t datagrams, std::initializer_list<unsigned> seeds) {
        Payload expected;
        for (const unsigned seed : seeds) {
            const Payload train = pattern(datagrams * kLength, seed);
            expected.insert(expected.end(), train.begin(), train.end());
        }
        EXPECT_EQ(concatenated(receive(*receiver_, datagrams * seeds.size())), expected);
    }

    FaultyKernel kernel_;
    std::unique_ptr<UdpDatapath> receiver_;
    std::unique_ptr<UdpDatapath> other_;
    std::unique_ptr<UdpDatapath> sender_;
};

class RefusedTrain : public UdpFault, public testing::WithParamInterface<int> {};

TEST_P(RefusedTrain, GoesOneByOneWithinTheSameFlush) {
    kernel_.train_error = GetParam();
    queue_train(44, 1);
    const FlushOutcome outcome = sender_->flush();
    EXPECT_EQ(outcome.sent_datagrams, 44u);
    EXPECT_EQ(outcome.block, SendBlock::kNone);
    EXPECT_TRUE(outcome.failures.empty());
    expect_trains(44, {1});
    EXPECT_EQ(sender_->counters().segmentation_fallbacks, 1u);
    EXPECT_EQ(sender_->counters().sent_datagrams, 44u);
    // The first refusal may be an old error of the network.
    ASSERT_EQ(kernel_.log.size(), 3u);
    EXPECT_EQ(kernel_.log[0].first_segment_size, kLength);
    EXPECT_EQ(kernel_.log[1].first_segment_size, kLength);
    EXPECT_EQ(kernel_.log[2].first_segment_size, 0u);
    EXPECT_EQ(kernel_.log[2].messages, 44u);
}

TEST_P(RefusedTrain, KeepsOrderAmongTrainsQueuedTogether) {
    kernel_.train_error = GetParam();
    for (const unsigned seed : {1u, 2u, 3u}) queue_train(10, seed);
    EXPECT_EQ(sender_->flush().sent_datagrams, 30u);
    expect_trains(10, {1, 2, 3});
}

INSTANTIATE_TEST_SUITE_P(Errors, RefusedTrain, testing::Values(EIO, EINVAL, EMSGSIZE, EOPNOTSUPP),
                         [](const auto& test) { return std::string(strerrorname_np(test.param)); });

TEST_F(UdpFault, RefusalIsRememberedForThatHostAndTriedAgainLater) {
    kernel_.train_error = EIO;
    queue_train(4, 1);
    sender_->flush();
    kernel_.train_error = 0;

    kernel_.log.clear();
    queue_train(4, 2);
    sender_->flush();
    ASSERT_EQ(kernel_.log.size(), 1u);
    EXPECT_EQ(kernel_.log[0].first_segment_size, 0u) << "not tried again at once";

    kernel_.log.clear();
    queue(*sender_, pattern(4 * kLength),
          {.remote = other_->local_address(), .datagram_length = kLength});
    sender_->flush();
    ASSERT_EQ(kernel_.log.size(), 1u);
    EXPECT_EQ(kernel_.log[0].first_segment_size, kLength) << "another host is not affected";

    kernel_.log.clear();
    kernel_.now += SegmentationTable::kForbiddenFor;
    queue_train(4, 3);
    sender_->flush();
    ASSERT_EQ(kernel_.log.size(), 1u);
    EXPECT_EQ(kernel_.log[0].first_segment_size, kLength);
    expect_trains(4, {1, 2, 3});
    EXPECT_EQ(sender_->counters().segmentation_fallbacks, 1u);
}

TEST_F(UdpFault, TooBigDatagramsAreNotBlamedOnSegmentation) {
    // The train, then each of its three datagrams, twice each: a first failure may be an old error
    // of the network.
    kernel_.send_errors = {EMSGSIZE, EMSGSIZE, EMSGSIZE, EMSGSIZE,
                           EMSGSIZE, EMSGSIZE, EMSGSIZE, EMSGSIZE};
    queue_train(3, 1);
    const FlushOutcome outcome = sender_->flush();
    EXPECT_EQ(outcome.sent_datagrams, 0u);
    ASSERT_EQ(outcome.failures.size(), 1u) << "alike failures are told together";
    EXPECT_EQ(outcome.failures[0].error, std::errc::message_size);
    EXPECT_EQ(outcome.failures[0].datagrams, 3u);
    EXPECT_EQ(outcome.failures[0].datagram_length, kLength);
    EXPECT_EQ(sender_->counters().too_big, 3u);
    EXPECT_EQ(sender_->counters().segmentation_fallbacks, 0u);
    kernel_.log.clear();
    queue_train(3, 2);
    sender_->flush();
    EXPECT_EQ(kernel_.log.at(0).first_segment_size, kLength);
    expect_trains(3, {2});
}

TEST_F(UdpFault, FullSocketKeepsDataAndOrder) {
    kernel_.send_errors = {EAGAIN};
    queue_train(5, 1);
    queue_train(5, 2);
    const FlushOutcome blocked = sender_->flush();
    EXPECT_EQ(blocked.sent_datagrams, 0u);
    EXPECT_EQ(blocked.block, SendBlock::kSocketFull);
    EXPECT_TRUE(sender_->wants_writable());
    EXPECT_EQ(sender_->counters().send_blocked, 1u);
    EXPECT_TRUE(sender_->wait(kPatience, nullptr).writable);
    queue_train(5, 3);
    EXPECT_EQ(sender_->flush().sent_datagrams, 15u);
    EXPECT_FALSE(sender_->wants_writable());
    expect_trains(5, {1, 2, 3});
}

TEST_F(UdpFault, BlockInTheMiddleOfATrainSentOneByOneGoesOnWhereItStopped) {
    kernel_.train_error = EIO;
    kernel_.most_messages = 7;
    kernel_.send_errors = {0, 0, 0, EAGAIN};  // the train twice, seven datagrams
    queue_train(20, 1);
    const FlushOutcome blocked = sender_->flush();
    EXPECT_EQ(blocked.sent_datagrams, 7u);
    EXPECT_EQ(blocked.block, SendBlock::kSocketFull);
    EXPECT_EQ(sender_->flush().sent_datagrams, 13u);
    expect_trains(20, {1});
}

TEST_F(UdpFault, PartlyTakenCallsLoseNothing) {
    kernel_.most_messages = 3;
    for (const unsigned seed : {1u, 2u, 3u, 4u, 5u, 6u, 7u}) queue_train(1, seed);
    EXPECT_EQ(sender_->flush().sent_datagrams, 7u);
    expect_trains(1, {1, 2, 3, 4, 5, 6, 7});
}

TEST_F(UdpFault, FullInterfaceQueueWaitsShortlyInsteadOfPollingForWritable) {
    kernel_.send_errors = {ENOBUFS};
    queue_train(5, 1);
    EXPECT_EQ(sender_->flush().block, SendBlock::kNoBuffers);
    EXPECT_FALSE(sender_->wants_writable());
    // Returns although nothing happens and nobody wakes it.
    EXPECT_FALSE(sender_->wait(Duration::max(), nullptr).readable);
    EXPECT_EQ(sender_->flush().sent_datagrams, 5u);
    expect_trains(5, {1});
}

TEST_F(UdpFault, InterruptedCallIsRepeated) {
    kernel_.send_errors = {EINTR, EINTR};
    queue_train(5, 1);
    EXPECT_EQ(sender_->flush().sent_datagrams, 5u);
    expect_trains(5, {1});
}

TEST_F(UdpFault, ErrorOfAnEarlierDatagramCostsNothing) {
    for (const int error : {ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENETUNREACH, EPROTO}) {
        kernel_.send_errors = {error};
        queue_train(1, 1);
        const FlushOutcome outcome = sender_->flush();
        EXPECT_EQ(outcome.sent_datagrams, 1u) << error;
        EXPECT_TRUE(outcome.failures.empty()) << error;
        expect_trains(1, {1});
    }
}

// Packet too big, to anybody, says nothing about trains to this host.
TEST_F(UdpFault, ErrorOfAnEarlierDatagramIsNotBlamedOnSegmentation) {
    for (const int error : {EMSGSIZE, EOPNOTSUPP}) {
        kernel_.send_errors = {error};
        queue_train(4, 1);
        EXPECT_EQ(sender_->flush().sent_datagrams, 4u) << error;
        expect_trains(4, {1});
        kernel_.log.clear();
        queue_train(4, 2);
        sender_->flush();
        ASSERT_EQ(kernel_.log.size(), 1u);
        EXPECT_EQ(kernel_.log[0].first_segment_size, kLength) << error;
        expect_trains(4, {2});
    }
    EXPECT_EQ(sender_->counters().segmentation_fallbacks, 0u);
}

TEST_F(UdpFault, RefusalOfTheDestinationDropsItsTrainOnly) {
    kernel_.send_errors = {EPERM, EPERM};
    queue(*sender_, pattern(5 * kLength),
          {.remote = other_->local_address(), .datagram_length = kLength});
    queue_train(2, 1);
    const FlushOutcome outcome = sender_->flush();
    EXPECT_EQ(outcome.sent_datagrams, 2u);
    ASSERT_EQ(outcome.failures.size(), 1u);
    EXPECT_EQ(outcome.failures[0].error, std::errc::operation_not_permitted);
    EXPECT_EQ(outcome.failures[0].remote, other_->local_address());
    EXPECT_EQ(outcome.failures[0].datagrams, 5u);
    EXPECT_EQ(sender_->counters().send_errors, 5u);
    EXPECT_EQ(sender_->counters().too_big, 0u);
    expect_trains(2, {1});
}

TEST_F(UdpFault, FailuresToldAreBoundedAndCountedInFull) {
    for (unsigned i = 0; i < 16; ++i) {
        kernel_.send_errors.push_back(EPERM);
        kernel_.send_errors.push_back(EPERM);
        Address remote = receiver_->local_address();
        remote.port = static_cast<std::uint16_t>(1000 + i);
        queue(*sender_, pattern(10), {.remote = remote});
    }
    EXPECT_EQ(sender_->flush().failures.size(), 16u);
    EXPECT_EQ(sender_->counters().send_errors, 16u);
    EXPECT_TRUE(sender_->flush().failures.empty()) << "told once";
}

}  // namespace
}  // namespace stoq::io
