#include "quantity.h"

#include <array>
#include <charconv>

#include <fmt/format.h>

#include "exit_code.h"

namespace stoq::tool {
namespace {

// Reads the number in front; `text` keeps the unit.
std::uint64_t take_number(std::string_view& text, std::string_view whole) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) {
        throw Failure(ExitCode::kUsage, fmt::format("'{}' does not start with a number", whole));
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

[[noreturn]] void refuse(std::string_view text, std::string_view units) {
    throw Failure(ExitCode::kUsage, fmt::format("'{}': known units are {}", text, units));
}

}  // namespace

std::uint64_t parse_size(std::string_view text) {
    constexpr std::string_view kLetters = "kMGT";
    constexpr std::string_view kUnits = "k, M, G and T (powers of 1024)";
    std::string_view unit = text;
    const std::uint64_t value = take_number(unit, text);
    if (unit.ends_with('B')) unit.remove_suffix(1);
    if (unit.ends_with('i')) unit.remove_suffix(1);
    if (unit.empty()) return value;
    const std::size_t power = kLetters.find(unit == "K" ? 'k' : unit[0]);
    if (unit.size() != 1 || power == std::string_view::npos) refuse(text, kUnits);
    const std::uint64_t factor = std::uint64_t{1} << (10 * (power + 1));
    if (value > (std::uint64_t{1} << 62) / factor) {
        throw Failure(ExitCode::kUsage, fmt::format("'{}' is too large", text));
    }
    return value * factor;
}

std::chrono::nanoseconds parse_duration(std::string_view text) {
    std::string_view unit = text;
    const std::uint64_t value = take_number(unit, text);
    if (value > 1'000'000'000) {
        throw Failure(ExitCode::kUsage, fmt::format("'{}' is too long", text));
    }
    const auto count = static_cast<std::int64_t>(value);
    if (unit.empty() || unit == "s") return std::chrono::seconds(count);
    if (unit == "ms") return std::chrono::milliseconds(count);
    if (unit == "m") return std::chrono::minutes(count);
    refuse(text, "ms, s and m");
}

std::string show_size(std::uint64_t bytes) {
    constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    if (unit == 0) return fmt::format("{} B", bytes);
    return fmt::format("{:.2f} {}", value, kUnits[unit]);
}

std::string show_duration(std::chrono::nanoseconds duration) {
    const auto nanoseconds = static_cast<double>(duration.count());
    if (nanoseconds < 1e6) return fmt::format("{:.1f} us", nanoseconds / 1e3);
    if (nanoseconds < 1e9) return fmt::format("{:.3f} ms", nanoseconds / 1e6);
    return fmt::format("{:.3f} s", nanoseconds / 1e9);
}

double seconds(std::chrono::nanoseconds duration) {
    return std::chrono::duration<double>(duration).count();
}

double gigabits_per_second(std::uint64_t bytes, std::chrono::nanoseconds duration) {
    if (duration.count() <= 0) return 0;
    return static_cast<double>(bytes) * 8 / static_cast<double>(duration.count());
}

}  // namespace stoq::tool
