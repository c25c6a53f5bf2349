#include "pcap.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace stoq::link {
namespace {

constexpr std::uint32_t kNanosecondMagic = 0xa1b23c4d;
constexpr std::uint32_t kVersion24 = 2 | 4 << 16;  // 2.4, two halves in the byte order of the host
constexpr std::uint32_t kLongestPacket = 262144;
constexpr std::uint32_t kRawIp = 101;  // LINKTYPE_RAW

}  // namespace

Pcap::Pcap(const std::string& path) : file_(std::fopen(path.c_str(), "wb")) {
    if (!file_) throw std::system_error(errno, std::generic_category(), path);
    const std::array<std::uint32_t, 6> header = {kNanosecondMagic, kVersion24, 0, 0,
                                                 kLongestPacket,   kRawIp};
    std::fwrite(header.data(), sizeof(header[0]), header.size(), file_.get());
}

void Pcap::add(ByteView packet, std::chrono::nanoseconds time) {
    if (!file_) return;
    constexpr std::int64_t kSecond = 1'000'000'000;
    const auto length = static_cast<std::uint32_t>(packet.size());
    const std::array<std::uint32_t, 4> header = {static_cast<std::uint32_t>(time.count() / kSecond),
                                                 static_cast<std::uint32_t>(time.count() % kSecond),
                                                 length, length};
    std::fwrite(header.data(), sizeof(header[0]), header.size(), file_.get());
    std::fwrite(packet.data(), 1, packet.size(), file_.get());
}

void Pcap::flush() {
    if (file_) std::fflush(file_.get());
}

}  // namespace stoq::link
