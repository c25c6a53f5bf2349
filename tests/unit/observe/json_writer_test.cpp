#include "observe/json_writer.h"

#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/random.h"

namespace stoq::observe {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

template <class Write>
std::string written(Write&& write) {
    std::string out;
    JsonWriter writer(out);
    write(writer);
    return out;
}

TEST(JsonWriter, PutsCommasWhereTheyBelong) {
    const std::string text = written([](JsonWriter& w) {
        w.begin_object();
        w.field("a", std::uint64_t{1});
        w.begin_array("b");
        w.begin_array();
        w.number(std::uint64_t{2});
        w.number(std::uint64_t{3});
        w.end_array();
        w.begin_object();
        w.end_object();
        w.text("x");
        w.end_array();
        w.field("c", true);
        w.begin_object("d");
        w.end_object();
        w.field("e", "y");
        w.end_object();
    });
    EXPECT_EQ(text, R"({"a":1,"b":[[2,3],{},"x"],"c":true,"d":{},"e":"y"})");
}

TEST(JsonWriter, EscapesTextSoThatItReadsBack) {
    for (const std::string& text :
         {std::string(), std::string("plain"), std::string("\"quoted\" back\\slash"),
          std::string("\0\x01\x1f\n\t\r\b\f", 8), std::string("gr\xc3\xbc\xc3\x9f \xe2\x82\xac"),
          std::string("\xf0\x9f\x98\x80"), std::string("\x1e")}) {
        const auto back = json::parse(written([&](JsonWriter& w) { w.text(text); }));
        EXPECT_EQ(back.get<std::string>(), text);
    }
}

TEST(JsonWriter, ReplacesWhatIsNotUtf8) {
    const std::string bad = "\xef\xbf\xbd";
    struct Case {
        std::string in, out;
    };
    for (const Case& c :
         {Case{"a\xff"
               "b",
               "a" + bad + "b"},
          Case{"\xc0\x80", bad + bad}, Case{"\xe2\x82", bad + bad},
          Case{"\xed\xa0\x80", bad + bad + bad}, Case{"\xf4\x90\x80\x80", bad + bad + bad + bad},
          Case{"\x80", bad}, Case{"\xe0\x80\x80", bad + bad + bad}}) {
        const auto back = json::parse(written([&](JsonWriter& w) { w.text(c.in); }));
        EXPECT_EQ(back.get<std::string>(), c.out);
    }
}

TEST(JsonWriter, RandomBytesAreAlwaysValid) {
    SeededRandom random(11);
    for (int i = 0; i < 2000; ++i) {
        std::string text(random.next() % 40, '\0');
        random.fill({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
        const std::string out = written([&](JsonWriter& w) { w.text(text); });
        EXPECT_TRUE(json::accept(out)) << out;
    }
}

TEST(JsonWriter, WritesMillisecondsExactly) {
    struct Case {
        Duration value;
        const char* text;
    };
    for (const Case& c :
         {Case{0ns, "0"}, Case{1ns, "0.000001"}, Case{1ms, "1"}, Case{1500us, "1.5"},
          Case{12345678ns, "12.345678"}, Case{-1500us, "-1.5"}, Case{-1ns, "-0.000001"},
          Case{24h, "86400000"}, Case{1ms + 100ns, "1.0001"},
          Case{Duration::max(), "9223372036854.775807"},
          Case{Duration::min(), "-9223372036854.775808"}}) {
        EXPECT_EQ(written([&](JsonWriter& w) { w.milliseconds(c.value); }), c.text);
    }
}

TEST(JsonWriter, WritesNumbersAndBytes) {
    EXPECT_EQ(written([](JsonWriter& w) { w.number(std::numeric_limits<std::uint64_t>::max()); }),
              "18446744073709551615");
    EXPECT_EQ(written([](JsonWriter& w) { w.number(0.25); }), "0.25");
    EXPECT_EQ(written([](JsonWriter& w) { w.number(std::numeric_limits<double>::infinity()); }),
              "0");
    const std::array<std::uint8_t, 3> bytes{0x00, 0xab, 0xff};
    EXPECT_EQ(written([&](JsonWriter& w) { w.hex(bytes); }), "\"00abff\"");
}

}  // namespace
}  // namespace stoq::observe
