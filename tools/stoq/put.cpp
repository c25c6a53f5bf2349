// stoq put: sends a file, resumes, and lets the server verify it.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "client_session.h"
#include "commands.h"
#include "file_protocol.h"
#include "file_source.h"
#include "progress.h"
#include "transfer_result.h"

namespace stoq::tool {
namespace {

struct PutOptions {
    ClientOptions client;
    std::string file;
    std::string url;
    bool overwrite = false;
};

FileSource::File open_source(const std::string& name) {
    FileSource::File file;
    file.descriptor = UniqueFd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status{};
    if (!file.descriptor || ::fstat(file.descriptor.get(), &status) != 0) {
        throw file_failure("read", name, errno);
    }
    if (!S_ISREG(status.st_mode)) {
        throw Failure(ExitCode::kLocalFile, fmt::format("{} is no regular file", name));
    }
    file.size = static_cast<std::uint64_t>(status.st_size);
    return file;
}

// One PUT on one stream. Its methods run in the session's loop.
class Upload {
public:
    Upload(ClientSession& session, FileSource::File file)
        : session_(session), file_(std::move(file)), size_(file_.size), progress_("put", size_) {}

    void start(const std::string& path, bool overwrite) {
        const auto stream =
            session_.endpoint().open_stream(session_.connection(), Directionality::kBidirectional);
        if (!stream) throw Failure(ExitCode::kConnection, std::string(to_string(stream.error())));
        stream_ = *stream;
        queue(format_request({Method::kPut, path, size_, overwrite}));
        send();
    }

    void on_event(const Event& event) {
        if (std::get_if<StreamReadable>(&event) != nullptr) {
            receive();
        } else if (std::get_if<StreamWritable>(&event) != nullptr) {
            send();
        } else if (std::get_if<StreamReset>(&event) != nullptr) {
            session_.fail({ExitCode::kOther, "the server gave the file up"});
        }
    }

    bool done() const { return accepted_; }
    void clear_progress() { progress_.clear(); }
    std::uint64_t sent() const { return sent_; }

private:
    void queue(const std::string& text) {
        pending_ = SharedBytes::copy_of(
            ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
    }
    void begin(std::uint64_t offset);
    void send();
    bool prepare();
    void receive();
    void on_line();

    ClientSession& session_;
    FileSource::File file_;
    std::uint64_t size_;
    Progress progress_;
    std::shared_ptr<FileSource> source_;
    StreamId stream_;
    SharedBytes pending_;  // offered to the stream next
    LineReader line_;
    std::uint64_t offset_ = 0;
    std::uint64_t sent_ = 0;
    bool trailer_queued_ = false;
    bool finished_ = false;
    bool accepted_ = false;
    // Last, so that it goes first: a worker that has told all may still be about to notify.
    Workers workers_;
};

void Upload::begin(std::uint64_t offset) {
    offset_ = offset;
    file_.offset = offset;
    source_ = std::make_shared<FileSource>(std::move(file_), workers_,
                                           [this] { session_.runtime().post([this] { send(); }); });
    source_->start();
}

// Puts what comes next into pending_. False when there is nothing yet, or nothing any more.
bool Upload::prepare() {
    if (source_ == nullptr || trailer_queued_) return false;
    if (auto chunk = source_->next()) {
        pending_ = std::move(*chunk);
        return true;
    }
    if (const std::string error = source_->error(); !error.empty()) {
        (void)session_.endpoint().reset(session_.connection(), stream_, 1);
        session_.fail({ExitCode::kLocalFile, error});
        return false;
    }
    const auto digest = source_->digest();
    if (!digest) return false;
    queue(format_trailer(*digest));
    trailer_queued_ = true;
    return true;
}

void Upload::send() {
    while (!finished_ && (!pending_.empty() || prepare())) {
        const auto taken =
            session_.endpoint().write(session_.connection(), stream_, SharedBytes(pending_));
        // A stream that takes nothing more has been refused: the server says why.
        if (!taken || *taken == 0) return;
        if (source_ != nullptr && !trailer_queued_) sent_ += *taken;
        pending_ = {};
        progress_.update(offset_ + sent_, offset_);
        if (!trailer_queued_) continue;
        (void)session_.endpoint().finish(session_.connection(), stream_);
        finished_ = true;
    }
}

void Upload::receive() {
    while (true) {
        const auto view = session_.endpoint().peek(session_.connection(), stream_);
        if (!view || (view->bytes.empty() && !view->finished)) return;
        const std::size_t used = line_.append(view->bytes);
        const bool ended = view->finished && used == view->bytes.size();
        if (!session_.endpoint().consume(session_.connection(), stream_, used)) return;
        if (line_.complete()) {
            on_line();
            line_.clear();
        }
        if (line_.too_long() || (ended && !accepted_)) {
            session_.fail({ExitCode::kConnection, "the server does not keep to its protocol"});
        }
        if (ended || line_.too_long()) return;
    }
}

void Upload::on_line() {
    const auto response = parse_response(line_.line());
    if (!response) {
        session_.fail({ExitCode::kConnection, "the server does not keep to its protocol"});
    } else if (response->status == Status::kContinue && source_ == nullptr &&
               response->number <= size_) {
        begin(response->number);
    } else if (response->status == Status::kOk && finished_) {
        accepted_ = true;
    } else {
        session_.fail(denied(*response));
    }
}

void run_put(const PutOptions& options) {
    Url url = parse_url(options.url);
    if (url.path.empty() || url.path.ends_with('/')) url.path += base_name(options.file);
    FileSource::File file = open_source(options.file);
    ClientSession session(options.client, url.authority, kFileProtocol);
    session.connect();
    Upload upload(session, std::move(file));
    session.set_handler([&](const Event& event) { upload.on_event(event); });
    const Instant start = session.runtime().now();
    try {
        upload.start(url.path, options.overwrite);
        session.run_until([&] { return upload.done(); });
    } catch (const Failure&) {
        upload.clear_progress();
        session.close();
        throw;
    }
    const Duration time = session.runtime().now() - start;
    upload.clear_progress();
    session.close();
    fmt::print("{}: {} sent in {:.3f} s, {:.3f} Gbit/s, hash verified by the server\n", url.path,
               show_size(upload.sent()), seconds(time), gigabits_per_second(upload.sent(), time));
    print_result(upload.sent(), time, session.info());
}

}  // namespace

void add_put(CLI::App& program) {
    auto options = std::make_shared<PutOptions>();
    CLI::App* const command =
        program.add_subcommand("put", "send a file; resumes, and is verified");
    command->add_option("file", options->file, "the file to send")->required();
    command->add_option("url", options->url, "stoq://host:port/path; a directory when it ends in /")
        ->required();
    command->add_flag("--overwrite", options->overwrite,
                      "replace the file on the server, if the server lets us");
    add_client_options(*command, options->client);
    command->callback([options] { run_put(*options); });
}

}  // namespace stoq::tool
