// JsonWriter: appends one JSON text to a string. Enough for logs, and always valid JSON.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "stoq/types.h"

namespace stoq::observe {

// Commas come by themselves. The caller balances begin and end, and calls key() before each value
// inside an object.
class JsonWriter {
public:
    explicit JsonWriter(std::string& out) : out_(out) {}

    void begin_object() { open('{'); }
    void end_object() { close('}'); }
    void begin_array() { open('['); }
    void end_array() { close(']'); }
    void key(std::string_view name);

    // Any bytes: control characters are escaped, and what is not UTF-8 becomes U+FFFD.
    void text(std::string_view value);
    void boolean(bool value);
    void number(std::uint64_t value);
    void number(double value);
    // "0a1b", two digits for each byte.
    void hex(ByteView bytes);
    // A number of milliseconds with nanosecond resolution.
    void milliseconds(Duration value);

    // --- key and value in one ---

    void field(std::string_view name, std::string_view value) { key(name), text(value); }
    void field(std::string_view name, const char* value) { key(name), text(value); }
    void field(std::string_view name, std::same_as<bool> auto value) { key(name), boolean(value); }
    void field(std::string_view name, double value) { key(name), number(value); }
    void field(std::string_view name, std::uint64_t value) { key(name), number(value); }
    void field(std::string_view name, ByteView bytes) { key(name), hex(bytes); }
    void field(std::string_view name, Duration value) { key(name), milliseconds(value); }
    void begin_object(std::string_view name) { key(name), begin_object(); }
    void begin_array(std::string_view name) { key(name), begin_array(); }

private:
    void separate();
    void open(char bracket);
    void close(char bracket);
    void escaped(unsigned char byte);

    std::string& out_;
    bool comma_ = false;  // the next value or key needs one in front
};

}  // namespace stoq::observe
