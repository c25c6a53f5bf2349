// Sizes, rates and times as people write and read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace stoq::tool {

// "1500", "64k", "10M", "1G", "2GiB": powers of 1024. Throws Failure (kUsage).
std::uint64_t parse_size(std::string_view text);
// "10", "10s", "500ms", "2m". Throws Failure (kUsage).
std::chrono::nanoseconds parse_duration(std::string_view text);

// "1.00 GiB", "512 B".
std::string show_size(std::uint64_t bytes);
// "850 us", "1.234 ms", "2.345 s".
std::string show_duration(std::chrono::nanoseconds duration);

double seconds(std::chrono::nanoseconds duration);
// 0 when no time has passed.
double gigabits_per_second(std::uint64_t bytes, std::chrono::nanoseconds duration);

}  // namespace stoq::tool
