#include "tls/message_queue.h"

#include <gtest/gtest.h>

namespace stoq::tls {
namespace {

using Message = std::vector<std::uint8_t>;

Message message(std::uint8_t type, std::size_t body) {
    Message bytes = {type, static_cast<std::uint8_t>(body >> 16),
                     static_cast<std::uint8_t>(body >> 8), static_cast<std::uint8_t>(body)};
    bytes.resize(bytes.size() + body, type);
    return bytes;
}

Message lent(MessageQueue& queue) {
    const ByteView view = queue.lend();
    return {view.begin(), view.end()};
}

TEST(MessageQueue, LendsNothingUntilTheMessageIsWhole) {
    const Message whole = message(1, 10);
    for (std::size_t length = 0; length < whole.size(); ++length) {
        MessageQueue queue;
        ASSERT_TRUE(queue.append(ByteView(whole).first(length)));
        EXPECT_TRUE(lent(queue).empty()) << length;
        ASSERT_TRUE(queue.append(ByteView(whole).subspan(length)));
        EXPECT_EQ(lent(queue), whole) << length;
    }
}

TEST(MessageQueue, LendsOneMessageAtATime) {
    Message both = message(1, 3);
    const Message second = message(2, 0);
    both.insert(both.end(), second.begin(), second.end());
    MessageQueue queue;
    ASSERT_TRUE(queue.append(both));
    EXPECT_EQ(lent(queue), message(1, 3));
    EXPECT_TRUE(queue.has_waiting());
    EXPECT_TRUE(lent(queue).empty()) << "the first is not given back yet";
    queue.release();
    EXPECT_EQ(lent(queue), second);
    EXPECT_FALSE(queue.has_waiting());
    EXPECT_FALSE(queue.empty());
    queue.release();
    EXPECT_TRUE(queue.empty());
}

TEST(MessageQueue, KeepsALentMessageInPlaceWhileMoreIsAppended) {
    MessageQueue queue;
    ASSERT_TRUE(queue.append(message(1, 100)));
    const ByteView first = queue.lend();
    ASSERT_TRUE(queue.append(message(2, 30'000)));
    EXPECT_EQ(Message(first.begin(), first.end()), message(1, 100));
}

TEST(MessageQueue, RefusesAMessageThatClaimsToBeTooLong) {
    MessageQueue queue;
    const Message header = {1, 0xff, 0xff, 0xff};
    EXPECT_TRUE(queue.append(ByteView(header).first(3)));
    EXPECT_FALSE(queue.append(ByteView(header).subspan(3)));
}

TEST(MessageQueue, RefusesToHoldMoreThanItsLimit) {
    MessageQueue queue;
    const Message largest = message(1, MessageQueue::kMaxLength - MessageQueue::kHeaderLength);
    ASSERT_TRUE(queue.append(largest));
    EXPECT_FALSE(queue.append(ByteView(largest).first(1)));
    ASSERT_EQ(queue.lend().size(), MessageQueue::kMaxLength);
    EXPECT_FALSE(queue.append(ByteView(largest).first(1))) << "lent bytes count too";
    queue.release();
    EXPECT_TRUE(queue.append(ByteView(largest).first(1)));
}

}  // namespace
}  // namespace stoq::tls
