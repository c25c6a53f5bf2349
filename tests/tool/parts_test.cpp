// The parts of the program stoq that need no network.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <vector>

#include <gtest/gtest.h>

#include "exit_code.h"
#include "file_protocol.h"
#include "file_sink.h"
#include "file_source.h"
#include "latency.h"
#include "part_file.h"
#include "quantity.h"
#include "root_directory.h"
#include "server_key.h"
#include "url.h"

namespace stoq::tool {
namespace {

ByteView view_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Of "abc", FIPS 180-4's example.
constexpr std::string_view kHashOfAbc =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

class ScratchDirectory {
public:
    ScratchDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "stoq-parts-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~ScratchDirectory() { std::filesystem::remove_all(path_); }

    std::string path(std::string_view name) const { return (path_ / name).string(); }
    std::string root() const { return path_.string(); }
    void write(std::string_view name, std::string_view text) const {
        std::ofstream(path(name)) << text;
    }
    std::string read(std::string_view name) const {
        std::ifstream file(path(name));
        return {std::istreambuf_iterator<char>(file), {}};
    }

private:
    std::filesystem::path path_;
};

TEST(Url, IsTakenApart) {
    const Url url = parse_url("stoq://[2001:db8::1]:99/a%20b/c");
    EXPECT_EQ(url.authority.host, "2001:db8::1");
    EXPECT_EQ(url.authority.port, 99);
    EXPECT_EQ(url.path, "a b/c");
    EXPECT_EQ(parse_url("stoq://example.org").authority.port, kDefaultPort);
    EXPECT_EQ(parse_url("stoq://example.org").path, "");
}

TEST(Url, ThatCannotBeReadIsRefused) {
    for (const std::string_view text :
         {"", "stoq:/x/y", "http://x/", "stoq:///x", "stoq://h:65536/", "stoq://h:/",
          "stoq://h:1x/", "stoq://[::1/", "stoq://[::1]x/", "stoq://::1/", "stoq://h/%",
          "stoq://h/%4", "stoq://h/%zz"}) {
        EXPECT_THROW(parse_url(text), Failure) << text;
    }
}

TEST(Url, PercentEncodingComesBackEqual) {
    std::string all;
    for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
    std::string back;
    ASSERT_TRUE(percent_decode(percent_encode(all), back));
    EXPECT_EQ(back, all);
    EXPECT_EQ(percent_encode("a b\n"), "a%20b%0A");
}

TEST(Quantity, SizesAndTimes) {
    EXPECT_EQ(parse_size("0"), 0u);
    EXPECT_EQ(parse_size("1500"), 1500u);
    EXPECT_EQ(parse_size("64k"), 65536u);
    EXPECT_EQ(parse_size("2GiB"), std::uint64_t{2} << 30);
    EXPECT_EQ(parse_duration("500ms"), std::chrono::milliseconds(500));
    EXPECT_EQ(parse_duration("2m"), std::chrono::minutes(2));
    for (const std::string_view text : {"", "x", "1x", "1kk", "-1", "99999999T"}) {
        EXPECT_THROW(parse_size(text), Failure) << text;
    }
    EXPECT_THROW(parse_duration("1h2"), Failure);
}

TEST(Latencies, QuantilesAreMeasuredValues) {
    Latencies latencies;
    EXPECT_EQ(latencies.quantile(0.5).count(), 0);
    for (int i = 1000; i >= 1; --i) latencies.add(std::chrono::nanoseconds(i));
    EXPECT_EQ(latencies.quantile(0.5).count(), 500);
    EXPECT_EQ(latencies.quantile(0.99).count(), 990);
    EXPECT_EQ(latencies.quantile(0.999).count(), 999);
    EXPECT_EQ(latencies.quantile(1).count(), 1000);
}

TEST(FileProtocol, RequestsComeBackEqual) {
    for (const Request& request :
         {Request{Method::kGet, "a b/\xc3\xa4", 7, false},
          Request{Method::kPut, "x", INT64_MAX, true}, Request{Method::kPut, "x", 0, false}}) {
        std::string line = format_request(request);
        ASSERT_EQ(line.back(), '\n');
        line.pop_back();
        const auto back = parse_request(line);
        ASSERT_TRUE(back) << line;
        EXPECT_EQ(back->method, request.method);
        EXPECT_EQ(back->path, request.path);
        EXPECT_EQ(back->number, request.number);
        EXPECT_EQ(back->overwrite, request.overwrite);
    }
}

TEST(FileProtocol, OtherLinesAreRefused) {
    for (const std::string_view line :
         {"", "GET", "GET x", "GET x -1", "GET x 1 2", "GET x 9223372036854775808", "get x 0",
          "GET %4 0", "PUT x 1", "PUT x 1 maybe", "PUT x new", "HEAD x 0"}) {
        EXPECT_FALSE(parse_request(line)) << line;
    }
    for (const std::string_view line : {"", "OK", "OK x", "CONTINUE", "WHAT 1", "ok 1"}) {
        EXPECT_FALSE(parse_response(line)) << line;
    }
    EXPECT_FALSE(parse_trailer("SHA256 abc"));
    EXPECT_TRUE(parse_trailer("SHA256 " + std::string(kHashOfAbc)));
}

TEST(LineReader, StopsBehindTheLineFeedAndAtTheLimit) {
    LineReader reader;
    EXPECT_EQ(reader.append(view_of("GE")), 2u);
    EXPECT_EQ(reader.append(view_of("T\nrest")), 2u);
    EXPECT_TRUE(reader.complete());
    EXPECT_EQ(reader.line(), "GET");
    reader.clear();
    const std::string endless(kMaxLine + 10, 'x');
    EXPECT_EQ(reader.append(view_of(endless)), kMaxLine);
    EXPECT_TRUE(reader.too_long());
}

TEST(RootDirectory, NamesThatAreNotPlainAreRefused) {
    for (const std::string_view name : {"a", "a/b", "..a", "a..", ".a", "a b"}) {
        EXPECT_TRUE(is_plain_name(name)) << name;
    }
    EXPECT_FALSE(is_plain_name(std::string_view("a\0b", 3)));
    for (const std::string_view name :
         {"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b"}) {
        EXPECT_FALSE(is_plain_name(name)) << name;
    }
}

TEST(RootDirectory, LinksThatLeadOutsideAreNotFollowed) {
    const ScratchDirectory scratch;
    ASSERT_EQ(::mkdir(scratch.path("root").c_str(), 0755), 0);
    scratch.write("secret", "secret");
    scratch.write("root/inside", "inside");
    std::filesystem::create_symlink("../secret", scratch.path("root/out"));
    std::filesystem::create_symlink("..", scratch.path("root/up"));
    std::filesystem::create_symlink(scratch.path("secret"), scratch.path("root/absolute"));
    const RootDirectory root(scratch.path("root"));
    EXPECT_EQ(root.open_file("inside").size, 6u);
    for (const std::string_view name : {"out", "up/secret", "absolute", "../secret"}) {
        const OpenFile file = root.open_file(name);
        EXPECT_FALSE(file.descriptor) << name;
        EXPECT_NE(file.error, 0) << name;
    }
    EXPECT_NE(root.open_part("up/new", false).error, 0);
}

TEST(RootDirectory, APartIsLockedAndReplacesNothingUnasked) {
    const ScratchDirectory scratch;
    const RootDirectory root(scratch.root());
    scratch.write("taken", "old");
    EXPECT_EQ(root.open_part("taken", false).error, EEXIST);
    {
        const PartFile part = root.open_part("new", false);
        ASSERT_EQ(part.error, 0);
        EXPECT_EQ(root.open_part("new", false).error, EWOULDBLOCK);
        scratch.write("new", "came meanwhile");
        EXPECT_EQ(RootDirectory::complete(part, false), EEXIST);
        EXPECT_EQ(scratch.read("new"), "came meanwhile");
        EXPECT_EQ(RootDirectory::complete(part, true), 0);
    }
    EXPECT_EQ(scratch.read("new"), "");
}

TEST(RootDirectory, PartsAreNotHadByName) {
    const ScratchDirectory scratch;
    const RootDirectory root(scratch.root());
    ASSERT_EQ(::mkdir(scratch.path("sub").c_str(), 0755), 0);
    for (const std::string_view name : {".a.part", "sub/.a.part"}) {
        scratch.write(name, "half");
        EXPECT_EQ(root.open_file(name).error, EACCES) << name;
        EXPECT_EQ(root.open_part(name, true).error, EACCES) << name;
        EXPECT_EQ(scratch.read(name), "half") << name;
    }
    for (const std::string_view name : {".part", ".a.parts", "a.part", "sub/.part"}) {
        EXPECT_EQ(root.open_part(name, false).error, 0) << name;
        scratch.write(name, "whole");
        EXPECT_EQ(root.open_file(name).error, 0) << name;
    }
}

TEST(PartFile, IsNoLongerNamedWhenItWasMovedOrReplaced) {
    const ScratchDirectory scratch;
    const RootDirectory root(scratch.root());
    const auto named = [](const PartFile& part) {
        return is_named(part.descriptor.get(), part.directory.get(), part.part_name);
    };
    const PartFile part = root.open_part("x", false);
    ASSERT_EQ(part.error, 0);
    EXPECT_TRUE(named(part));
    std::filesystem::rename(scratch.path(".x.part"), scratch.path("moved"));
    EXPECT_FALSE(named(part));
    std::filesystem::create_symlink("moved", scratch.path(".x.part"));
    EXPECT_FALSE(named(part));
    std::filesystem::remove(scratch.path(".x.part"));
    const PartFile another = root.open_part("x", false);
    ASSERT_EQ(another.error, 0);
    EXPECT_TRUE(named(another));
    EXPECT_FALSE(named(part));
}

TEST(PartFile, GetsNoNameThatIsTakenUnasked) {
    const ScratchDirectory scratch;
    const UniqueFd directory(::open(scratch.root().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(directory);
    scratch.write("part", "new");
    scratch.write("name", "old");
    EXPECT_EQ(give_name(directory.get(), "part", "name", false), EEXIST);
    EXPECT_EQ(scratch.read("name"), "old");
    EXPECT_EQ(scratch.read("part"), "new");
    EXPECT_EQ(give_name(directory.get(), "part", "free", false), 0);
    EXPECT_EQ(scratch.read("free"), "new");
    EXPECT_EQ(give_name(directory.get(), "part", "name", false), ENOENT);
    EXPECT_EQ(give_name(directory.get(), "free", "name", true), 0);
    EXPECT_EQ(scratch.read("name"), "new");
    EXPECT_FALSE(std::filesystem::exists(scratch.path("free")));
}

TEST(ServerKey, IsMadeOnce) {
    const ScratchDirectory scratch;
    const std::string file = scratch.path("key");
    const PersistentKey made = server_key(file);
    EXPECT_TRUE(made.is_set());
    EXPECT_TRUE(server_key(file) == made);
    struct stat status{};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0600u);
    const std::filesystem::directory_iterator entries(scratch.root());
    EXPECT_EQ(std::distance(begin(entries), end(entries)), 1) << "something is left over";
    EXPECT_THROW(server_key(scratch.path("no-directory/key")), Failure);
}

TEST(ServerKey, IsTheSameForAllWhoStartTogether) {
    const ScratchDirectory scratch;
    std::array<int, 2> start{};
    std::array<int, 2> answers{};
    ASSERT_EQ(::pipe(start.data()), 0);
    ASSERT_EQ(::pipe(answers.data()), 0);
    std::vector<pid_t> processes;
    for (int i = 0; i < 8; ++i) {
        const pid_t process = ::fork();
        ASSERT_GE(process, 0);
        if (process != 0) {
            processes.push_back(process);
            continue;
        }
        char nothing = 0;
        ::close(start[1]);
        (void)!::read(start[0], &nothing, 1);  // until the test lets all of them go
        try {
            const PersistentKey key = server_key(scratch.path("key"));
            const ssize_t size = static_cast<ssize_t>(key.size());
            ::_exit(::write(answers[1], key.data(), key.size()) == size ? 0 : 1);
        } catch (const Failure&) {
            ::_exit(1);
        }
    }
    for (const int end : {start[0], start[1], answers[1]}) ::close(end);
    for (const pid_t process : processes) {
        int status = -1;
        EXPECT_EQ(::waitpid(process, &status, 0), process);
        EXPECT_EQ(status, 0);
    }
    const PersistentKey kept = server_key(scratch.path("key"));
    for (std::size_t i = 0; i < processes.size(); ++i) {
        PersistentKey key;
        ASSERT_EQ(::read(answers[0], key.data(), key.size()), static_cast<ssize_t>(key.size()));
        EXPECT_TRUE(key == kept) << i;
    }
    ::close(answers[0]);
}

TEST(ServerKey, OfAnotherLengthOrOpenToOthersIsRefused) {
    const ScratchDirectory scratch;
    const std::string file = scratch.path("key");
    for (const std::size_t length : {0u, 31u, 33u}) {
        scratch.write("key", std::string(length, 'x'));
        ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
        EXPECT_THROW(server_key(file), Failure) << length;
        EXPECT_EQ(scratch.read("key").size(), length);
    }
    scratch.write("key", std::string(32, 'x'));
    EXPECT_NO_THROW(server_key(file));
    ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
    EXPECT_THROW(server_key(file), Failure);
}

// Runs until `ready` is true, looking again after each notice of the workers.
// Outlives the workers, who may still be telling when a test has seen enough.
class Notices {
public:
    std::function<void()> callback() {
        return [this] {
            const std::lock_guard lock(mutex_);
            ++count_;
            changed_.notify_all();
        };
    }
    template <class Ready>
    void wait_for(Ready ready) {
        std::unique_lock lock(mutex_);
        while (true) {
            const int seen = count_;
            lock.unlock();
            if (ready()) return;
            lock.lock();
            changed_.wait(lock, [&] { return count_ != seen; });
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int count_ = 0;
};

TEST(FileSource, SendsFromTheOffsetAndHashesEverything) {
    const ScratchDirectory scratch;
    scratch.write("file", "abc");
    Notices notices;
    Workers workers;
    const auto source = std::make_shared<FileSource>(
        FileSource::File{UniqueFd(::open(scratch.path("file").c_str(), O_RDONLY)), 3, 1}, workers,
        notices.callback());
    source->start();
    std::string sent;
    notices.wait_for([&] {
        while (const auto chunk = source->next()) {
            sent.append(chunk->view().begin(), chunk->view().end());
        }
        return source->digest().has_value();
    });
    EXPECT_EQ(sent, "bc");
    EXPECT_EQ(source->digest(), kHashOfAbc);
}

TEST(FileSource, TellsThatTheFileShrank) {
    const ScratchDirectory scratch;
    scratch.write("file", "ab");
    Notices notices;
    Workers workers;
    const auto source = std::make_shared<FileSource>(
        FileSource::File{UniqueFd(::open(scratch.path("file").c_str(), O_RDONLY)), 3, 0}, workers,
        notices.callback());
    source->start();
    notices.wait_for([&] { return !source->error().empty(); });
    EXPECT_NE(source->error().find("shorter"), std::string::npos);
    EXPECT_FALSE(source->digest());
}

TEST(FileSink, WritesBehindAPartAndHashesEverything) {
    const ScratchDirectory scratch;
    scratch.write("file", "a");
    Workers workers;
    const auto sink = std::make_shared<FileSink>(
        UniqueFd(::open(scratch.path("file").c_str(), O_RDWR | O_APPEND)), 1, workers, [] {});
    sink->start();
    EXPECT_EQ(sink->append(view_of("bc")), 2u);
    sink->finish();
    sink->wait();
    EXPECT_EQ(sink->digest(), kHashOfAbc);
    EXPECT_EQ(scratch.read("file"), "abc");
}

TEST(FileSink, TakesNoMoreThanTheWorkersKeepUpWith) {
    const ScratchDirectory scratch;
    Notices notices;
    Workers workers(1);
    std::promise<void> gate;
    // The only worker is held up.
    workers.submit([waiting = gate.get_future().share()] { waiting.wait(); });
    const auto sink = std::make_shared<FileSink>(
        UniqueFd(::open(scratch.path("file").c_str(), O_RDWR | O_CREAT, 0600)), 0, workers,
        notices.callback());
    const std::vector<std::uint8_t> bytes(64 * kChunkBytes);
    std::size_t taken = sink->append(bytes);
    EXPECT_LT(taken, bytes.size());
    gate.set_value();
    notices.wait_for([&] {
        taken += sink->append(ByteView(bytes).subspan(taken));
        return taken == bytes.size();
    });
    sink->finish();
    sink->wait();
    EXPECT_EQ(sink->error(), "");
    EXPECT_EQ(std::filesystem::file_size(scratch.path("file")), bytes.size());
}

TEST(FileSink, TellsThatTheDiskIsFull) {
    Workers workers;
    const UniqueFd probe(::open("/dev/full", O_WRONLY));
    if (!probe) GTEST_SKIP() << "there is no /dev/full";
    const auto sink =
        std::make_shared<FileSink>(UniqueFd(::open("/dev/full", O_WRONLY)), 0, workers, [] {});
    (void)sink->append(view_of("abc"));
    sink->finish();
    sink->wait();
    EXPECT_NE(sink->error().find("No space left"), std::string::npos);
    EXPECT_FALSE(sink->digest());
}

}  // namespace
}  // namespace stoq::tool
