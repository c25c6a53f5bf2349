// Fetches files over one HTTP/3 connection, all at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "http3.h"
#include "options.h"
#include "stoq/runtime.h"

namespace stoq_hq {

class Http3Client : private Http3Handler {
public:
    // `runtime` has to outlive the client. Fails by exit(), with the reason on standard error.
    Http3Client(stoq::Runtime& runtime, stoq::ConnectConfig config, const Options& options);

    void start();

    void on(const stoq::ConnectionEstablished& event);
    void on(const stoq::StreamsAvailable&) { open_streams(); }
    void on(const stoq::StreamReadable& event) { http_->on_readable(event.stream); }
    void on(const stoq::StreamWritable& event) { http_->on_writable(event.stream); }
    void on(const stoq::StreamReset& event);
    void on(const stoq::ConnectionClosed& event);
    void on(const auto&) {}

private:
    void on_header(stoq::StreamId stream, std::string_view name, std::string_view value) override;
    void on_data(stoq::StreamId stream, stoq::ByteView bytes) override;
    void on_end(stoq::StreamId stream) override;
    void open_streams();

    stoq::Runtime& runtime_;
    stoq::ConnectConfig config_;
    Options options_;
    stoq::ConnectionHandle connection_;
    std::optional<Http3Connection> http_;
    std::map<std::uint64_t, std::ofstream> files_;
    std::size_t finished_ = 0;
};

}  // namespace stoq_hq
