// qlog text in memory, taken apart into JSON values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "observe/qlog_writer.h"

namespace stoq::observe::test {

using Json = nlohmann::json;

class MemorySink final : public ByteSink {
public:
    void write(std::string_view bytes) override {
        text_ += bytes;
        ++writes_;
    }
    const std::string& text() const { return text_; }
    int writes() const { return writes_; }

private:
    std::string text_;
    int writes_ = 0;
};

// Every record starts with RS, ends with LF and is one valid JSON object.
inline std::vector<Json> parse_records(std::string_view text) {
    std::vector<Json> records;
    while (!text.empty()) {
        if (text.front() != '\x1e') {
            ADD_FAILURE() << "no record separator";
            break;
        }
        const std::size_t end = std::min(text.find('\x1e', 1), text.size());
        const std::string_view record = text.substr(1, end - 1);
        EXPECT_EQ(record.back(), '\n');
        Json value = Json::parse(record, nullptr, false);
        EXPECT_TRUE(value.is_object()) << record;
        records.push_back(std::move(value));
        text.remove_prefix(end);
    }
    return records;
}

inline constexpr std::array<std::uint8_t, 8> kId{0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08};
inline constexpr Instant kStart{std::chrono::hours(5)};

// The record of one event, as a client's trace has it.
inline Json record_of(const Event& event) {
    MemorySink sink;
    {
        QlogWriter writer(sink);
        writer.on_event({kStart, kId, Role::kClient}, event);
    }
    auto records = parse_records(sink.text());
    EXPECT_EQ(records.size(), 2u);
    return records.empty() ? Json() : records.back();
}

}  // namespace stoq::observe::test
