#include "path/connection_id_generator.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace stoq::path {
namespace {

//= test 9000-5.1-1
TEST(RandomConnectionIds, ShareNoByteMoreOftenThanChanceAllows) {
    constexpr std::uint64_t kSeed = 3;
    SCOPED_TRACE(testing::Message() << "seed " << kSeed);
    SeededRandom random(kSeed);
    RandomConnectionIdGenerator generator(8);
    constexpr std::size_t kIds = 512;
    std::set<std::vector<std::uint8_t>> different;
    std::array<std::set<std::uint8_t>, 8> values;
    for (std::size_t i = 0; i < kIds; ++i) {
        const wire::ConnectionId id = generator.generate(random);
        const std::vector<std::uint8_t> bytes(id.view().begin(), id.view().end());
        ASSERT_EQ(bytes.size(), 8u);
        different.insert(bytes);
        for (std::size_t at = 0; at < bytes.size(); ++at) values[at].insert(bytes[at]);
    }
    EXPECT_EQ(different.size(), kIds);
    // No position carries a constant or a small counter: 512 draws of 256 values give about 221.
    for (const auto& seen : values) EXPECT_GT(seen.size(), 180u);
}

}  // namespace
}  // namespace stoq::path
