#include "pcap.h"

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

#include <gtest/gtest.h>

namespace stoq::link {
namespace {

std::uint32_t word(const std::vector<char>& bytes, std::size_t offset) {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data() + offset, sizeof(value));
    return value;
}

TEST(LinkPcap, HoldsAHeaderAndEveryPacketWithItsTime) {
    const auto path = std::filesystem::temp_directory_path() /
                      ("stoq-link-" + std::to_string(::getpid()) + ".pcap");
    const std::vector<std::uint8_t> packet = {0x45, 1, 2};
    {
        Pcap pcap(path.string());
        pcap.add(packet, std::chrono::seconds(7) + std::chrono::nanoseconds(5));
    }
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    std::filesystem::remove(path);
    ASSERT_EQ(bytes.size(), 24U + 16U + 3U);
    EXPECT_EQ(word(bytes, 0), 0xa1b23c4dU);
    EXPECT_EQ(word(bytes, 20), 101U);
    EXPECT_EQ(word(bytes, 24), 7U);
    EXPECT_EQ(word(bytes, 28), 5U);
    EXPECT_EQ(word(bytes, 32), 3U);
    EXPECT_EQ(word(bytes, 36), 3U);
    EXPECT_EQ(bytes[40], 0x45);
}

TEST(LinkPcap, AFileThatCannotBeWritten_IsAnError) {
    EXPECT_THROW(Pcap("/nonexistent/directory/x.pcap"), std::system_error);
}

TEST(LinkPcap, AClosedOne_TakesPacketsAndDoesNothing) {
    Pcap pcap;
    const std::vector<std::uint8_t> packet = {1};
    EXPECT_NO_THROW(pcap.add(packet, std::chrono::seconds(1)));
    EXPECT_NO_THROW(pcap.flush());
}

}  // namespace
}  // namespace stoq::link
