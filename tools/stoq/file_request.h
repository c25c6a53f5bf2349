// One request to the file server: a stream from its first byte to its end.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "file_protocol.h"
#include "file_sink.h"
#include "file_source.h"
#include "root_directory.h"
#include "stoq/runtime.h"

namespace stoq::tool {

// What all requests of a server share.
struct FileServerContext {
    Runtime& runtime;
    Workers& workers;
    const RootDirectory& root;
    bool writable = false;
    bool allow_overwrite = false;
    bool quiet = false;
};

// Kept by shared_ptr: workers report to it through weak ones.
class FileRequest : public std::enable_shared_from_this<FileRequest> {
public:
    FileRequest(FileServerContext& context, ConnectionHandle connection, StreamId stream)
        : context_(context), connection_(connection), stream_(stream) {}

    void on_readable();
    void on_writable();
    // The client or the connection is gone. What was uploaded is written out and kept.
    void abandon();
    // Nothing is left to do; the object can be forgotten.
    bool done() const { return stage_ == Stage::kDone; }

private:
    enum class Stage : std::uint8_t {
        kRequest,    // the request line is read
        kSending,    // GET: file, then trailer
        kWaiting,    // PUT: somebody holds the part
        kReceiving,  // PUT: file
        kTrailer,    // PUT: the hash
        kVerifying,  // PUT: the workers are behind
        kAnswering,  // the last words are being sent
        kDone,
    };

    void on_line();
    void begin_get(const Request& request);
    void begin_put(const Request& request);
    void open_part(Duration patience);
    void receive_into_part();
    void answer(const Response& response);
    void answer_file_error(int error);
    void queue(const std::string& text);
    void send();
    bool prepare();
    std::size_t take(ByteView bytes);
    std::size_t take_body(ByteView bytes);
    void check_upload();
    void complete_upload(const std::string& digest);
    void log(std::string_view outcome) const;
    std::function<void()> notifier();

    FileServerContext& context_;
    ConnectionHandle connection_;
    StreamId stream_;
    Stage stage_ = Stage::kRequest;
    Request request_;
    LineReader line_;
    SharedBytes pending_;  // offered to the stream next
    std::shared_ptr<FileSource> source_;
    std::shared_ptr<FileSink> sink_;
    PartFile part_;
    std::uint64_t received_ = 0;
    std::string expected_;
};

}  // namespace stoq::tool
