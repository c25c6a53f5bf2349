#include "runtime/worker_inbox.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include <gtest/gtest.h>

namespace stoq::runtime {
namespace {

ReceivedDatagram datagram_of(std::vector<std::uint8_t>& bytes) {
    ReceivedDatagram datagram;
    datagram.data = bytes;
    return datagram;
}

TEST(WorkerInbox, TakesNothingBeforeItIsOpenAndAfterItIsClosed) {
    const auto waker = io::Waker::create();
    ASSERT_TRUE(waker);
    WorkerInbox inbox;
    std::vector<std::uint8_t> bytes{1};
    EXPECT_FALSE(inbox.push(datagram_of(bytes)));
    EXPECT_TRUE(inbox.open(*waker));
    EXPECT_FALSE(inbox.open(*waker));
    EXPECT_TRUE(inbox.push(datagram_of(bytes)));
    inbox.close();
    EXPECT_FALSE(inbox.push(datagram_of(bytes)));
    EXPECT_EQ(inbox.take().size(), 1u);
    EXPECT_TRUE(inbox.take().empty());
}

TEST(WorkerInbox, HoldsNoMoreThanItsBounds) {
    const auto waker = io::Waker::create();
    WorkerInbox inbox;
    ASSERT_TRUE(inbox.open(*waker));
    std::vector<std::uint8_t> small(1);
    for (std::size_t i = 0; i < WorkerInbox::kMaxDatagrams; ++i) {
        ASSERT_TRUE(inbox.push(datagram_of(small)));
    }
    EXPECT_FALSE(inbox.push(datagram_of(small)));
    EXPECT_EQ(inbox.take().size(), WorkerInbox::kMaxDatagrams);
    std::vector<std::uint8_t> large(65'000);
    std::size_t taken = 0;
    while (inbox.push(datagram_of(large))) ++taken;
    EXPECT_EQ(taken, WorkerInbox::kMaxBytes / large.size());
    EXPECT_EQ(inbox.take().size(), taken);
}

TEST(WorkerInbox, GivesWhatOtherThreadsPutInWholeAndInOrder) {
    const auto waker = io::Waker::create();
    WorkerInbox inbox;
    ASSERT_TRUE(inbox.open(*waker));
    constexpr std::uint32_t kEach = 20'000;
    const auto put = [&](std::uint8_t who) {
        std::vector<std::uint8_t> bytes(100, who);
        for (std::uint32_t i = 0; i < kEach; ++i) {
            std::memcpy(bytes.data(), &i, sizeof i);
            while (!inbox.push(datagram_of(bytes))) std::this_thread::yield();
        }
    };
    std::thread one(put, std::uint8_t{1});
    std::thread two(put, std::uint8_t{2});
    std::array<std::uint32_t, 3> next{};
    while (next[1] + next[2] < 2 * kEach) {
        for (const ReceivedDatagram& datagram : inbox.take()) {
            const std::uint8_t who = datagram.data.back();
            std::uint32_t number = 0;
            std::memcpy(&number, datagram.data.data(), sizeof number);
            ASSERT_EQ(datagram.data.size(), 100u);
            ASSERT_EQ(number, next[who]++);
            ASSERT_TRUE(std::ranges::all_of(datagram.data.subspan(sizeof number),
                                            [&](std::uint8_t byte) { return byte == who; }));
        }
    }
    one.join();
    two.join();
    EXPECT_TRUE(waker->reset());
}

}  // namespace
}  // namespace stoq::runtime
