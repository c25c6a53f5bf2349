// stoq get: fetches a file, resumes, verifies.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "client_session.h"
#include "commands.h"
#include "file_protocol.h"
#include "file_sink.h"
#include "part_file.h"
#include "progress.h"
#include "transfer_result.h"

namespace stoq::tool {
namespace {

struct GetOptions {
    ClientOptions client;
    std::string url;
    std::string out;
    bool overwrite = false;
};

// Where the bytes go: FILE.part until they are verified, then FILE. Devices are written directly.
class Target {
public:
    Target(std::string name, bool overwrite)
        : name_(std::move(name)), part_(name_ + ".part"), overwrite_(overwrite) {
        struct stat status{};
        const bool exists = ::stat(name_.c_str(), &status) == 0;
        direct_ = exists && !S_ISREG(status.st_mode);
        if (exists && !direct_ && !overwrite) throw file_failure("write", hint(), EEXIST);
        const std::string& path = direct_ ? name_ : part_;
        const int flags = direct_ ? O_WRONLY : O_RDWR | O_CREAT | O_NOFOLLOW;
        descriptor_ = UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
        if (!descriptor_) throw file_failure("write", path, errno);
        if (!direct_) look_at_part();
    }

    ~Target() {
        struct stat status{};
        // A part without bytes is of no use to the next try.
        if (::fstat(descriptor_.get(), &status) == 0 && status.st_size == 0) discard();
    }
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;

    std::uint64_t offset() const { return offset_; }
    // To write to. Ours stays open, and with it the lock, until the part has its name or is left.
    UniqueFd duplicate() const {
        UniqueFd copy(::fcntl(descriptor_.get(), F_DUPFD_CLOEXEC, 0));
        if (!copy) throw file_failure("write", direct_ ? name_ : part_, errno);
        return copy;
    }

    void complete() const {
        if (direct_) return;
        const int error = give_name(AT_FDCWD, part_, name_, overwrite_);
        // A file of that name may have come since we looked.
        if (error != 0) throw file_failure("write", error == EEXIST ? hint() : name_, error);
    }
    void discard() const {
        if (!direct_ && has_name()) ::unlink(part_.c_str());
    }

private:
    std::string hint() const { return name_ + " (--overwrite replaces it)"; }
    // Whether the part's name is still that of what we write.
    bool has_name() const { return is_named(descriptor_.get(), AT_FDCWD, part_); }

    void look_at_part() {
        struct stat status{};
        // Without its name it is a file that another has just completed or removed.
        if (::flock(descriptor_.get(), LOCK_EX | LOCK_NB) != 0 || !has_name()) {
            throw Failure(ExitCode::kLocalFile,
                          fmt::format("{} is being written by somebody else", part_));
        }
        if (::fstat(descriptor_.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
            throw file_failure("write", part_, EINVAL);
        }
        offset_ = static_cast<std::uint64_t>(status.st_size);
        ::lseek(descriptor_.get(), 0, SEEK_END);
    }

    std::string name_;
    std::string part_;
    bool overwrite_;
    bool direct_ = false;
    UniqueFd descriptor_;
    std::uint64_t offset_ = 0;
};

// One GET on one stream. Its methods run in the session's loop.
class Download {
public:
    Download(ClientSession& session, Target& target)
        : session_(session),
          offset_(target.offset()),
          progress_("get", 0),
          sink_(std::make_shared<FileSink>(target.duplicate(), offset_, workers_, [this] {
              session_.runtime().post([this] { pump(); });
          })) {}

    void start(const std::string& path) {
        auto& endpoint = session_.endpoint();
        const auto stream =
            endpoint.open_stream(session_.connection(), Directionality::kBidirectional);
        if (!stream) throw Failure(ExitCode::kConnection, std::string(to_string(stream.error())));
        stream_ = *stream;
        const std::string line =
            format_request({.method = Method::kGet, .path = path, .number = offset_});
        const ByteView bytes(reinterpret_cast<const std::uint8_t*>(line.data()), line.size());
        (void)endpoint.write(session_.connection(), stream_, SharedBytes::copy_of(bytes));
        (void)endpoint.finish(session_.connection(), stream_);
        sink_->start();
    }

    void on_event(const Event& event) {
        if (std::get_if<StreamReadable>(&event) != nullptr) {
            pump();
        } else if (std::get_if<StreamReset>(&event) != nullptr) {
            session_.fail({ExitCode::kOther, "the server cannot read on in its file"});
        }
    }

    bool done() { return ended_ && (sink_->digest() || !sink_->error().empty()); }
    void verify();
    // Keeps what has arrived for the next try.
    void save() {
        progress_.clear();
        sink_->finish();
        sink_->wait();
    }

    std::uint64_t size() const { return size_; }
    std::uint64_t received() const { return position_ - offset_; }

private:
    void pump();
    std::size_t take(ByteView bytes);
    std::size_t take_line(ByteView bytes);
    void on_line();
    void on_end();

    enum class Stage : std::uint8_t { kStatus, kBody, kTrailer, kEnd };

    ClientSession& session_;
    std::uint64_t offset_;
    Progress progress_;
    std::shared_ptr<FileSink> sink_;
    StreamId stream_;
    Stage stage_ = Stage::kStatus;
    LineReader line_;
    std::uint64_t size_ = 0;
    std::uint64_t position_ = 0;
    std::string expected_;
    bool ended_ = false;
    // Last, so that it goes first: a worker that has told all may still be about to notify.
    Workers workers_;
};

void Download::pump() {
    if (ended_) return;
    if (const std::string error = sink_->error(); !error.empty()) {
        session_.fail({ExitCode::kLocalFile, error});
        return;
    }
    while (!ended_) {
        const auto view = session_.endpoint().peek(session_.connection(), stream_);
        if (!view || (view->bytes.empty() && !view->finished)) return;
        const std::size_t length = view->bytes.size();
        const bool finished = view->finished;
        const std::size_t taken = take(view->bytes);
        if (!session_.endpoint().consume(session_.connection(), stream_, taken)) return;
        progress_.update(position_, offset_);
        if (taken < length) return;  // the sink says when it takes more
        if (finished) on_end();
    }
}

std::size_t Download::take(ByteView bytes) {
    std::size_t taken = 0;
    while (taken < bytes.size()) {
        const ByteView rest = bytes.subspan(taken);
        if (stage_ == Stage::kBody) {
            const std::size_t length = std::min<std::uint64_t>(rest.size(), size_ - position_);
            const std::size_t now = sink_->append(rest.first(length));
            taken += now;
            position_ += now;
            if (position_ == size_) stage_ = Stage::kTrailer;
            if (now < length) break;
        } else if (stage_ == Stage::kEnd) {
            return bytes.size();  // what stands behind the trailer means nothing to us
        } else {
            taken += take_line(rest);
        }
    }
    return taken;
}

std::size_t Download::take_line(ByteView bytes) {
    const std::size_t used = line_.append(bytes);
    if (line_.complete()) {
        on_line();
        line_.clear();
    } else if (line_.too_long()) {
        session_.fail({ExitCode::kConnection, "the server does not keep to its protocol"});
        stage_ = Stage::kEnd;
    }
    return used;
}

void Download::on_line() {
    if (stage_ == Stage::kTrailer) {
        stage_ = Stage::kEnd;
        expected_ = parse_trailer(line_.line()).value_or("");
        return;
    }
    const auto response = parse_response(line_.line());
    stage_ = Stage::kEnd;
    if (!response || (response->status == Status::kOk && response->number < offset_)) {
        session_.fail({ExitCode::kConnection, "the server does not keep to its protocol"});
    } else if (response->status != Status::kOk) {
        session_.fail(denied(*response));
    } else {
        size_ = response->number;
        position_ = offset_;
        progress_.set_total(size_);
        stage_ = position_ == size_ ? Stage::kTrailer : Stage::kBody;
    }
}

void Download::on_end() {
    ended_ = true;
    if (stage_ != Stage::kEnd) {
        session_.fail({ExitCode::kConnection, "the server ended the file too early"});
    }
    sink_->finish();
}

void Download::verify() {
    progress_.clear();
    if (!sink_->error().empty()) throw Failure(ExitCode::kLocalFile, sink_->error());
    const std::string digest = sink_->digest().value_or("");
    if (!expected_.empty() && digest == expected_) return;
    throw Failure(ExitCode::kHashMismatch,
                  fmt::format("the hash does not match (here {}, at the server {}): {}", digest,
                              expected_.empty() ? "none" : expected_,
                              offset_ > 0 ? "the file changed since the first part was fetched; "
                                            "the part is removed, fetch it again"
                                          : "the part is removed"));
}

void run_get(const GetOptions& options) {
    const Url url = parse_url(options.url);
    const std::string name = options.out.empty() ? base_name(url.path) : options.out;
    if (name.empty()) throw Failure(ExitCode::kUsage, "name the file to write with -o");
    Target target(name, options.overwrite);
    ClientSession session(options.client, url.authority, kFileProtocol);
    session.connect();
    Download download(session, target);
    session.set_handler([&](const Event& event) { download.on_event(event); });
    const Instant start = session.runtime().now();
    try {
        download.start(url.path);
        session.run_until([&] { return download.done(); });
        download.verify();
    } catch (const Failure& failure) {
        download.save();
        if (failure.code() == ExitCode::kHashMismatch) target.discard();
        session.close();
        throw;
    }
    const Duration time = session.runtime().now() - start;
    target.complete();
    session.close();
    fmt::print("{}: {} of {} in {:.3f} s, {:.3f} Gbit/s, hash verified\n", name,
               show_size(download.received()), show_size(download.size()), seconds(time),
               gigabits_per_second(download.received(), time));
    print_result(download.received(), time, session.info());
}

}  // namespace

void add_get(CLI::App& program) {
    auto options = std::make_shared<GetOptions>();
    CLI::App* const command = program.add_subcommand("get", "fetch a file; resumes, and verifies");
    command->add_option("url", options->url, "stoq://host:port/path")->required();
    command->add_option("-o,--out", options->out,
                        "the file to write (default: the path's last part)");
    command->add_flag("--overwrite", options->overwrite, "replace the file if it exists");
    add_client_options(*command, options->client);
    command->callback([options] { run_get(*options); });
}

}  // namespace stoq::tool
