#include <dirent.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include <gtest/gtest.h>

#include "observe/qlog_directory.h"
#include "records.h"
#include "support/counting_sink.h"

namespace stoq::observe {
namespace {

using test::kId;
using test::kStart;

class Recorder final : public EventSink {
public:
    void on_event(const EventContext& context, const Event& event) override {
        last_time = context.now;
        last_id.assign(context.connection.begin(), context.connection.end());
        last_role = context.role;
        indices.push_back(event.index());
    }

    Instant last_time{};
    std::vector<std::uint8_t> last_id;
    Role last_role = Role::kClient;
    std::vector<std::size_t> indices;
};

TEST(Observer, TellsTheSinkWhoseEventItIs) {
    Recorder recorder;
    const Observer observer(&recorder, kId, Role::kServer);
    EXPECT_TRUE(observer.enabled());
    observer.emit(kStart, PacketSent{});
    EXPECT_EQ(recorder.last_time, kStart);
    EXPECT_EQ(recorder.last_id, std::vector<std::uint8_t>(kId.begin(), kId.end()));
    EXPECT_EQ(recorder.last_role, Role::kServer);
    EXPECT_EQ(recorder.indices, std::vector<std::size_t>{event_index<PacketSent>()});
}

TEST(Observer, WithoutASinkNothingHappens) {
    const Observer nobody;
    EXPECT_FALSE(nobody.enabled());
    nobody.emit(kStart, PacketSent{});
    const Observer no_sink(nullptr, kId, Role::kClient);
    EXPECT_FALSE(no_sink.enabled());
    no_sink.emit(kStart, PacketLost{});
}

TEST(Counters, CountEventsByTypeAndDropsByReason) {
    CountingSink counts;
    const EventContext context{kStart, kId, Role::kClient};
    for (int i = 0; i < 3; ++i) counts.on_event(context, PacketSent{});
    counts.on_event(context, PacketDropped{DropReason::kDecryptionFailed, PacketType::kOneRtt, 40});
    counts.on_event(context, PacketDropped{DropReason::kDecryptionFailed, PacketType::kOneRtt, 40});
    counts.on_event(context, PacketDropped{DropReason::kTruncated, PacketType::kUnknown, 3});
    EXPECT_EQ(counts.count<PacketSent>(), 3u);
    EXPECT_EQ(counts.count<PacketDropped>(), 3u);
    EXPECT_EQ(counts.count<PacketLost>(), 0u);
    EXPECT_EQ(counts.dropped()[DropReason::kDecryptionFailed], 2u);
    EXPECT_EQ(counts.dropped()[DropReason::kTruncated], 1u);
    EXPECT_EQ(counts.dropped().total(), 3u);
}

class Directory : public testing::Test {
protected:
    void SetUp() override {
        path_ = testing::TempDir() + "stoq-qlog-XXXXXX";
        ASSERT_NE(::mkdtemp(path_.data()), nullptr);
    }
    void TearDown() override {
        for (const auto& [name, text] : files()) ::unlink((path_ + '/' + name).c_str());
        ::rmdir(path_.c_str());
    }

    std::map<std::string, std::string> files() {
        std::map<std::string, std::string> found;
        DIR* directory = ::opendir(path_.c_str());
        if (directory == nullptr) return found;
        while (const dirent* entry = ::readdir(directory)) {
            if (entry->d_name[0] == '.') continue;
            std::ostringstream text;
            text << std::ifstream(path_ + '/' + entry->d_name).rdbuf();
            found[entry->d_name] = text.str();
        }
        ::closedir(directory);
        return found;
    }

    std::string path_;
};

constexpr std::array<std::uint8_t, 2> kOther{0xbe, 0xef};

TEST_F(Directory, EachConnectionAndRoleGetsAFile) {
    {
        QlogDirectory logs(path_);
        logs.on_event({kStart, kId, Role::kClient}, PacketSent{});
        logs.on_event({kStart, kId, Role::kServer}, PacketSent{});
        logs.on_event({kStart, kOther, Role::kServer}, PacketSent{});
        logs.on_event({kStart, kId, Role::kClient}, PacketSent{});
        logs.on_event({kStart, {}, Role::kServer}, PacketDropped{});
        EXPECT_EQ(logs.open_files(), 3u);
    }
    const auto found = files();
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(test::parse_records(found.at("8394c8f03e515708_client.sqlog")).size(), 3u);
    EXPECT_EQ(test::parse_records(found.at("8394c8f03e515708_server.sqlog")).size(), 2u);
    EXPECT_EQ(test::parse_records(found.at("beef_server.sqlog")).size(), 2u);
}

TEST_F(Directory, TheLastEventClosesTheFileAndALaterOneTakesANewName) {
    QlogDirectory logs(path_);
    const EventContext context{kStart, kOther, Role::kClient};
    logs.on_event(context,
                  ConnectionStateUpdated{ConnectionState::kDraining, ConnectionState::kClosed});
    EXPECT_EQ(logs.open_files(), 0u);
    const std::string first = files().at("beef_client.sqlog");
    EXPECT_EQ(test::parse_records(first).size(), 2u);
    logs.on_event(context, PacketSent{});
    const auto found = files();
    EXPECT_EQ(found.size(), 2u);
    EXPECT_TRUE(found.contains("beef_client-1.sqlog"));
    EXPECT_EQ(found.at("beef_client.sqlog"), first);
}

TEST_F(Directory, FilesAreBounded) {
    QlogDirectory logs(path_, 2);
    for (std::uint8_t i = 0; i < 10; ++i) {
        const std::array<std::uint8_t, 1> id{i};
        logs.on_event({kStart, id, Role::kServer}, PacketSent{});
    }
    EXPECT_EQ(logs.open_files(), 2u);
    EXPECT_EQ(logs.skipped(), 8u);
    EXPECT_EQ(files().size(), 2u);
}

TEST(QlogDirectory, ADirectoryThatIsNotThereCostsOnlyTheLog) {
    QlogDirectory logs("/nonexistent/stoq");
    logs.on_event({kStart, kId, Role::kClient}, PacketSent{});
    EXPECT_EQ(logs.open_files(), 0u);
    EXPECT_EQ(logs.skipped(), 1u);
}

}  // namespace
}  // namespace stoq::observe
