#include "observe/qlog_writer.h"

#include <gtest/gtest.h>

#include "records.h"

namespace stoq::observe {
namespace {

using namespace std::chrono_literals;
using test::Json;
using test::kId;
using test::kStart;
using test::MemorySink;
using test::parse_records;

TEST(QlogWriter, TheFirstRecordDescribesTheTrace) {
    for (const Role role : {Role::kClient, Role::kServer}) {
        MemorySink sink;
        QlogWriter writer(sink);
        writer.on_event({kStart, kId, role}, PacketSent{});
        writer.flush();
        const auto records = parse_records(sink.text());
        ASSERT_EQ(records.size(), 2u);
        const Json& header = records[0];
        EXPECT_EQ(header["file_schema"], "urn:ietf:params:qlog:file:sequential");
        EXPECT_EQ(header["serialization_format"], "application/qlog+json-seq");
        const Json& trace = header["trace"];
        EXPECT_EQ(trace["vantage_point"]["type"], role == Role::kClient ? "client" : "server");
        EXPECT_EQ(trace["common_fields"]["group_id"], "8394c8f03e515708");
        EXPECT_EQ(trace["common_fields"]["time_format"], "relative_to_epoch");
        EXPECT_EQ(trace["common_fields"]["reference_time"]["clock_type"], "monotonic");
        EXPECT_EQ(trace["common_fields"]["reference_time"]["epoch"], "unknown");
        EXPECT_EQ(trace["event_schemas"].size(), 2u);
    }
}

TEST(QlogWriter, TimeCountsFromTheFirstEvent) {
    MemorySink sink;
    QlogWriter writer(sink);
    for (const Duration after : {Duration(0ns), Duration(1500us), Duration(2s)}) {
        writer.on_event({kStart + after, kId, Role::kClient}, PacketSent{});
    }
    writer.flush();
    const auto records = parse_records(sink.text());
    ASSERT_EQ(records.size(), 4u);
    EXPECT_EQ(records[1]["time"], 0);
    EXPECT_EQ(records[2]["time"], 1.5);
    EXPECT_EQ(records[3]["time"], 2000);
}

TEST(QlogWriter, GathersRecordsUpToABoundAndLosesNone) {
    MemorySink sink;
    constexpr int kEvents = 5000;
    std::size_t longest = 0;
    {
        QlogWriter writer(sink);
        std::size_t before = 0;
        for (int i = 0; i < kEvents; ++i) {
            writer.on_event({kStart, kId, Role::kClient}, PacketSent{});
            longest = std::max(longest, sink.text().size() - before);
            before = sink.text().size();
        }
        EXPECT_GT(sink.writes(), 2);
        EXPECT_LT(sink.writes(), 100);
        EXPECT_LT(longest, QlogWriter::kBufferSize + 1024);
    }
    EXPECT_EQ(parse_records(sink.text()).size(), kEvents + 1u);
}

TEST(QlogWriter, TheEndOfAConnectionIsWrittenAtOnce) {
    MemorySink sink;
    QlogWriter writer(sink);
    writer.on_event({kStart, kId, Role::kClient}, PacketSent{});
    EXPECT_TRUE(sink.text().empty());
    writer.on_event({kStart, kId, Role::kClient}, ConnectionClosed{});
    EXPECT_EQ(parse_records(sink.text()).size(), 3u);
}

TEST(QlogWriter, WithoutEventsThereIsNoTrace) {
    MemorySink sink;
    {
        QlogWriter writer(sink);
    }
    EXPECT_EQ(sink.writes(), 0);
}

}  // namespace
}  // namespace stoq::observe
