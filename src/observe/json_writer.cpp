#include "observe/json_writer.h"

#include <array>
#include <charconv>
#include <cmath>

namespace stoq::observe {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// The lowest code point that needs a sequence of this length; shorter ones are not UTF-8.
constexpr std::array<std::uint32_t, 5> kLowest{0, 0, 0x80, 0x800, 0x10000};

std::size_t sequence_length(unsigned char lead) {
    if (lead < 0x80) return 1;
    if (lead >= 0xc2 && lead < 0xe0) return 2;
    if (lead >= 0xe0 && lead < 0xf0) return 3;
    if (lead >= 0xf0 && lead < 0xf5) return 4;
    return 0;
}

// How many bytes of valid UTF-8 one character at the front of `text` has, 0 when it is not valid.
std::size_t utf8_length(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t length = sequence_length(lead);
    if (length <= 1) return length;
    if (text.size() < length) return 0;
    std::uint32_t point = lead & (0xffu >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if (!is_continuation(text[i])) return 0;
        point = (point << 6) | (static_cast<unsigned char>(text[i]) & 0x3fu);
    }
    const bool surrogate = point >= 0xd800 && point < 0xe000;
    return point >= kLowest[length] && point <= 0x10ffff && !surrogate ? length : 0;
}

template <class T>
void append_number(std::string& out, T value) {
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out.append(digits.data(), end);
}

}  // namespace

void JsonWriter::separate() {
    if (comma_) out_ += ',';
    comma_ = true;
}

void JsonWriter::open(char bracket) {
    separate();
    out_ += bracket;
    comma_ = false;
}

void JsonWriter::close(char bracket) {
    out_ += bracket;
    comma_ = true;
}

void JsonWriter::key(std::string_view name) {
    text(name);
    out_ += ':';
    comma_ = false;
}

void JsonWriter::text(std::string_view value) {
    separate();
    out_ += '"';
    while (!value.empty()) {
        const std::size_t length = utf8_length(value);
        if (length == 1) {
            escaped(static_cast<unsigned char>(value[0]));
        } else {
            out_ += length == 0 ? kReplacement : value.substr(0, length);
        }
        value.remove_prefix(length == 0 ? 1 : length);
    }
    out_ += '"';
}

void JsonWriter::escaped(unsigned char byte) {
    if (byte == '"' || byte == '\\') {
        out_ += '\\';
        out_ += static_cast<char>(byte);
    } else if (byte < 0x20) {
        out_ += "\\u00";
        out_ += kHexDigits[byte >> 4];
        out_ += kHexDigits[byte & 0xf];
    } else {
        out_ += static_cast<char>(byte);
    }
}

void JsonWriter::boolean(bool value) {
    separate();
    out_ += value ? "true" : "false";
}

void JsonWriter::number(std::uint64_t value) {
    separate();
    append_number(out_, value);
}

void JsonWriter::number(double value) {
    separate();
    // JSON has no infinities.
    append_number(out_, std::isfinite(value) ? value : 0.0);
}

void JsonWriter::hex(ByteView bytes) {
    separate();
    out_ += '"';
    for (const std::uint8_t byte : bytes) {
        out_ += kHexDigits[byte >> 4];
        out_ += kHexDigits[byte & 0xf];
    }
    out_ += '"';
}

void JsonWriter::milliseconds(Duration value) {
    constexpr std::uint64_t kPerMillisecond = 1'000'000;
    separate();
    const std::int64_t count = value.count();
    // Also right for the smallest value, whose negation does not exist.
    const auto magnitude = count < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(count)
                                     : static_cast<std::uint64_t>(count);
    if (count < 0) out_ += '-';
    append_number(out_, magnitude / kPerMillisecond);
    std::array<char, 8> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                   kPerMillisecond + magnitude % kPerMillisecond)
                         .ptr;
    digits[0] = '.';  // the leading 1 kept the zeros behind it
    const auto last = std::string_view(digits.data(), end).find_last_not_of('0');
    if (last != 0) out_.append(digits.data(), last + 1);
}

}  // namespace stoq::observe
