#include "file_request.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "exit_code.h"
#include "quantity.h"
#include "url.h"

namespace stoq::tool {
namespace {

// Application error codes of stoq-file/1.
constexpr std::uint64_t kFileFailed = 1;
constexpr std::uint64_t kNothingMoreWanted = 2;

// What a client sent before it was interrupted is still being written when it comes back.
constexpr Duration kPatienceWithPart = std::chrono::seconds(1);
constexpr Duration kPauseForPart = std::chrono::milliseconds(20);

}  // namespace

// Whatever the workers have to tell is looked at in the loop, if the request is still there.
std::function<void()> FileRequest::notifier() {
    return [&runtime = context_.runtime, weak = weak_from_this()] {
        runtime.post([weak] {
            const auto self = weak.lock();
            if (self == nullptr) return;
            self->on_readable();
            self->on_writable();
        });
    };
}

void FileRequest::on_readable() {
    Endpoint& endpoint = context_.runtime.endpoint();
    while (true) {
        const auto view = endpoint.peek(connection_, stream_);
        if (!view || (view->bytes.empty() && !view->finished)) break;
        const std::size_t length = view->bytes.size();
        const bool finished = view->finished;
        const std::size_t taken = take(view->bytes);
        if (!endpoint.consume(connection_, stream_, taken) || taken < length) break;
        if (!finished) continue;
        const bool early = stage_ == Stage::kRequest || stage_ == Stage::kWaiting ||
                           stage_ == Stage::kReceiving || stage_ == Stage::kTrailer;
        if (early) answer({Status::kBadRequest, 0, "the request ended too early"});
        break;
    }
    check_upload();
}

std::size_t FileRequest::take(ByteView bytes) {
    std::size_t taken = 0;
    while (taken < bytes.size()) {
        const ByteView rest = bytes.subspan(taken);
        if (stage_ == Stage::kReceiving) {
            const std::size_t now = take_body(rest);
            taken += now;
            if (stage_ == Stage::kReceiving && now < rest.size()) break;
        } else if (stage_ == Stage::kRequest || stage_ == Stage::kTrailer) {
            taken += line_.append(rest);
            if (line_.complete() || line_.too_long()) on_line();
        } else if (stage_ == Stage::kWaiting) {
            break;
        } else {
            return bytes.size();  // nobody wants it
        }
    }
    return taken;
}

std::size_t FileRequest::take_body(ByteView bytes) {
    const std::size_t wanted = std::min<std::uint64_t>(bytes.size(), request_.number - received_);
    const std::size_t taken = sink_->append(bytes.first(wanted));
    received_ += taken;
    if (received_ == request_.number) stage_ = Stage::kTrailer;
    return taken;
}

void FileRequest::on_line() {
    const std::string line = line_.line();
    const bool complete = line_.complete();
    line_.clear();
    if (stage_ == Stage::kTrailer) {
        expected_ = complete ? parse_trailer(line).value_or("") : "";
        stage_ = Stage::kVerifying;
        sink_->finish();
        return;
    }
    const auto request = complete ? parse_request(line) : std::nullopt;
    if (!request) {
        answer({Status::kBadRequest, 0, "not a request of stoq-file/1"});
        return;
    }
    request_ = *request;
    if (request->method == Method::kGet) {
        begin_get(*request);
    } else {
        begin_put(*request);
    }
}

void FileRequest::begin_get(const Request& request) {
    OpenFile file = context_.root.open_file(request.path);
    if (!file.descriptor) {
        answer_file_error(file.error);
        return;
    }
    if (request.number > file.size) {
        answer(
            {Status::kBadRange, 0,
             fmt::format("the file has only {} bytes, fewer than the part that is there already: "
                         "remove the part and fetch it again",
                         file.size)});
        return;
    }
    queue(format_response({Status::kOk, file.size, {}}));
    source_ = std::make_shared<FileSource>(
        FileSource::File{std::move(file.descriptor), file.size, request.number}, context_.workers,
        notifier());
    stage_ = Stage::kSending;
    source_->start();
    send();
}

void FileRequest::begin_put(const Request& request) {
    if (!context_.writable) {
        answer({Status::kDenied, 0, "this server takes no files"});
        return;
    }
    if (request.overwrite && !context_.allow_overwrite) {
        answer({Status::kDenied, 0, "this server lets nobody replace files"});
        return;
    }
    stage_ = Stage::kWaiting;
    open_part(kPatienceWithPart);
}

void FileRequest::open_part(Duration patience) {
    part_ = context_.root.open_part(request_.path, request_.overwrite);
    if (part_.error == EWOULDBLOCK && patience > Duration::zero()) {
        context_.runtime.after(kPauseForPart, [weak = weak_from_this(), patience] {
            const auto self = weak.lock();
            if (self == nullptr || self->stage_ != Stage::kWaiting) return;
            self->open_part(patience - kPauseForPart);
            self->on_readable();
        });
        return;
    }
    if (part_.error != 0) {
        answer_file_error(part_.error);
        return;
    }
    receive_into_part();
}

void FileRequest::receive_into_part() {
    if (part_.size > request_.number) {
        RootDirectory::discard(part_);
        answer({Status::kBadRange, 0,
                "there was a longer part of another file of that name; it is removed, send again"});
        return;
    }
    received_ = part_.size;
    sink_ = std::make_shared<FileSink>(std::move(part_.descriptor), part_.size, context_.workers,
                                       notifier());
    stage_ = received_ == request_.number ? Stage::kTrailer : Stage::kReceiving;
    sink_->start();
    queue(format_response({Status::kContinue, received_, {}}));
    send();
}

void FileRequest::check_upload() {
    if (sink_ == nullptr || stage_ == Stage::kAnswering || stage_ == Stage::kDone) return;
    if (const std::string error = sink_->error(); !error.empty()) {
        answer({Status::kFailed, 0, error});
    } else if (const auto digest = sink_->digest(); digest && stage_ == Stage::kVerifying) {
        complete_upload(*digest);
    }
}

void FileRequest::complete_upload(const std::string& digest) {
    if (digest != expected_) {
        RootDirectory::discard(part_);
        answer({Status::kBadHash, 0,
                fmt::format("the hash does not match: {} arrived; the part is removed", digest)});
        return;
    }
    const int error = RootDirectory::complete(part_, request_.overwrite);
    if (error != 0) {
        answer_file_error(error);
    } else {
        answer({Status::kOk, request_.number, {}});
    }
}

void FileRequest::answer_file_error(int error) {
    switch (error) {
        case ENOENT:
        case ENOTDIR: answer({Status::kNotFound, 0, "no such file"}); break;
        case EEXIST: answer({Status::kExists, 0, "a file of that name exists"}); break;
        case EWOULDBLOCK:
            answer({Status::kBusy, 0,
                    "somebody is sending this file now (one who vanished is forgotten in 10 s)"});
            break;
        case EXDEV:
        case ELOOP: answer({Status::kDenied, 0, "the name leads out of the directory"}); break;
        case EACCES:
        case EPERM:
        case ENXIO:
        case EISDIR: answer({Status::kDenied, 0, "not a file that can be had"}); break;
        default: answer({Status::kFailed, 0, std::strerror(error)}); break;
    }
}

void FileRequest::answer(const Response& response) {
    const bool good = response.status == Status::kOk;
    log(good ? "ok" : response.text);
    if (!good) {
        (void)context_.runtime.endpoint().stop_sending(connection_, stream_, kNothingMoreWanted);
    }
    queue(format_response(response));
    stage_ = Stage::kAnswering;
    send();
}

void FileRequest::queue(const std::string& text) {
    std::vector<std::uint8_t> bytes(pending_.view().begin(), pending_.view().end());
    bytes.insert(bytes.end(), text.begin(), text.end());
    pending_ = SharedBytes::take(std::move(bytes));
}

void FileRequest::on_writable() {
    send();
}

// Puts the next bytes of the file into pending_. False when there are none yet.
bool FileRequest::prepare() {
    if (stage_ != Stage::kSending) return false;
    if (auto chunk = source_->next()) {
        pending_ = std::move(*chunk);
        return true;
    }
    if (const std::string error = source_->error(); !error.empty()) {
        log(error);
        (void)context_.runtime.endpoint().reset(connection_, stream_, kFileFailed);
        stage_ = Stage::kDone;
        return false;
    }
    const auto digest = source_->digest();
    if (!digest) return false;
    queue(format_trailer(*digest));
    stage_ = Stage::kAnswering;
    log("ok");
    return true;
}

void FileRequest::send() {
    Endpoint& endpoint = context_.runtime.endpoint();
    while (stage_ != Stage::kDone && (!pending_.empty() || prepare())) {
        const auto taken = endpoint.write(connection_, stream_, SharedBytes(pending_));
        if (!taken) {
            abandon();
            return;
        }
        if (*taken == 0) return;
        pending_ = {};
    }
    if (stage_ != Stage::kAnswering) return;
    (void)endpoint.finish(connection_, stream_);
    stage_ = Stage::kDone;
}

void FileRequest::abandon() {
    if (sink_ != nullptr) sink_->finish();
    if (stage_ == Stage::kSending || stage_ == Stage::kReceiving) log("given up by the client");
    stage_ = Stage::kDone;
}

void FileRequest::log(std::string_view outcome) const {
    if (context_.quiet) return;
    say_on_stderr(fmt::format("{} {} {}: {}", request_.method == Method::kGet ? "GET" : "PUT",
                              escape_for_terminal(request_.path), request_.number, outcome));
}

}  // namespace stoq::tool
