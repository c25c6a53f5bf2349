#include "tls/strike_register.h"

#include <cstring>
#include <thread>

#include <gtest/gtest.h>

namespace stoq::tls {
namespace {

using std::chrono::seconds;

std::array<std::uint8_t, 32> hello(std::uint64_t number) {
    std::array<std::uint8_t, 32> random{};
    std::memcpy(random.data(), &number, sizeof number);
    return random;
}

class StrikeRegisterTest : public testing::Test {
protected:
    SeededRandom random_{1};
    Instant now_{seconds(100)};
};

TEST_F(StrikeRegisterTest, AcceptsNothingBeforeItKnowsTheTime) {
    StrikeRegister strikes(10, random_);
    EXPECT_FALSE(strikes.accept(hello(1)));
    strikes.advance(now_);
    EXPECT_TRUE(strikes.accept(hello(1)));
}

TEST_F(StrikeRegisterTest, AcceptsNothingTwiceWithinTheWindow) {
    StrikeRegister strikes(1'000, random_);
    for (std::uint64_t i = 0; i < 100; ++i) {
        strikes.advance(now_ + seconds(i % 10));
        EXPECT_TRUE(strikes.accept(hello(i)));
    }
    // Whenever the tables change, for as long as a copy could be of use.
    for (Duration later{}; later < StrikeRegister::kWindow;
         later += std::chrono::milliseconds(50)) {
        strikes.advance(now_ + seconds(9) + later);
        for (std::uint64_t i = 0; i < 100; ++i) ASSERT_FALSE(strikes.accept(hello(i)));
    }
}

TEST_F(StrikeRegisterTest, RefusesWhatItCannotRemember) {
    StrikeRegister none(0, random_);
    none.advance(now_);
    EXPECT_FALSE(none.accept(hello(1)));
    StrikeRegister strikes(3, random_);
    strikes.advance(now_);
    for (std::uint64_t i = 0; i < 3; ++i) EXPECT_TRUE(strikes.accept(hello(i)));
    EXPECT_FALSE(strikes.accept(hello(3)));
    // A window later there is room again, and what was seen last is still known.
    strikes.advance(now_ + StrikeRegister::kWindow);
    EXPECT_FALSE(strikes.accept(hello(2)));
    EXPECT_TRUE(strikes.accept(hello(3)));
    strikes.advance(now_ + 3 * StrikeRegister::kWindow);
    EXPECT_TRUE(strikes.accept(hello(2)));
}

TEST_F(StrikeRegisterTest, HasANumberOfItsOwn) {
    const StrikeRegister one(1, random_);
    const StrikeRegister two(1, random_);
    EXPECT_NE(one.number(), two.number());
}

TEST_F(StrikeRegisterTest, AcceptsOnceHoweverManyThreadsAsk) {
    constexpr std::uint64_t kHellos = 20'000;
    StrikeRegister strikes(kHellos, random_);
    strikes.advance(now_);
    std::array<std::uint64_t, 2> accepted{};
    const auto ask = [&](std::size_t who) {
        for (std::uint64_t i = 0; i < kHellos; ++i) accepted[who] += strikes.accept(hello(i));
    };
    std::thread other(ask, std::size_t{1});
    ask(0);
    other.join();
    EXPECT_EQ(accepted[0] + accepted[1], kHellos);
}

}  // namespace
}  // namespace stoq::tls
