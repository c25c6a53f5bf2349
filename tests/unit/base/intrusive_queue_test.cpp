#include "base/intrusive_queue.h"

#include <vector>

#include <gtest/gtest.h>

namespace stoq {
namespace {

struct Item {
    int value = 0;
    QueueLink<Item> link;
    QueueLink<Item> other_link;
};

using Queue = IntrusiveQueue<Item, &Item::link>;

std::vector<int> values_of(const Queue& queue) {
    std::vector<int> values;
    for (const Item* item = queue.front(); item != nullptr; item = Queue::next(item)) {
        values.push_back(item->value);
    }
    return values;
}

class IntrusiveQueueTest : public testing::Test {
protected:
    IntrusiveQueueTest() {
        for (Item& item : items) queue.push_back(&item);
    }

    Item items[3] = {{1, {}, {}}, {2, {}, {}}, {3, {}, {}}};
    Queue queue;
};

TEST_F(IntrusiveQueueTest, KeepsTheOrder) {
    EXPECT_EQ(values_of(queue), (std::vector{1, 2, 3}));
    EXPECT_EQ(queue.pop_front()->value, 1);
    EXPECT_EQ(queue.pop_front()->value, 2);
    EXPECT_EQ(queue.pop_front()->value, 3);
    EXPECT_TRUE(queue.empty());
}

TEST_F(IntrusiveQueueTest, QueuedElementIsNotQueuedTwice) {
    queue.push_back(&items[0]);
    EXPECT_EQ(values_of(queue), (std::vector{1, 2, 3}));
    EXPECT_TRUE(Queue::contains(&items[0]));
}

TEST_F(IntrusiveQueueTest, AnyElementCanLeave) {
    queue.erase(&items[1]);
    EXPECT_EQ(values_of(queue), (std::vector{1, 3}));
    queue.erase(&items[2]);
    EXPECT_EQ(values_of(queue), std::vector{1});
    queue.erase(&items[0]);
    EXPECT_TRUE(queue.empty());
    queue.erase(&items[0]);
    EXPECT_FALSE(Queue::contains(&items[0]));
    queue.push_back(&items[2]);
    EXPECT_EQ(values_of(queue), std::vector{3});
}

TEST_F(IntrusiveQueueTest, RotateMovesTheFirstToTheEnd) {
    queue.rotate();
    EXPECT_EQ(values_of(queue), (std::vector{2, 3, 1}));
    Queue one;
    one.rotate();
    EXPECT_TRUE(one.empty());
}

TEST_F(IntrusiveQueueTest, LinksAreIndependent) {
    IntrusiveQueue<Item, &Item::other_link> other;
    other.push_back(&items[2]);
    other.push_back(&items[0]);
    EXPECT_EQ(values_of(queue), (std::vector{1, 2, 3}));
    EXPECT_EQ(other.front()->value, 3);
}

}  // namespace
}  // namespace stoq
