// An hq-interop server: one bidirectional stream per file, `GET /name` and a line end, then the end
// of the stream; the answer is the bytes of the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "files.h"
#include "options.h"
#include "session.h"
#include "stoq/endpoint.h"

namespace stoq_hq {

class Server {
public:
    Server(stoq::Endpoint& endpoint, const Options& options)
        : endpoint_(endpoint), root_(options.root), resets_(options.feature == Feature::kResetAt) {}

    void on(const stoq::StreamReadable& event);
    void on(const stoq::StreamWritable& event) { send(event.connection, event.stream); }
    void on(const stoq::StreamStopped& event);
    void on(const stoq::StreamReset& event);
    void on(const stoq::ConnectionEstablished& event) {
        tell_negotiated(endpoint_, event.connection);
    }
    void on(const stoq::ConnectionClosed& event);
    void on(const auto&) {}

private:
    // Connection and stream: names a stream of any connection.
    using StreamKey = std::pair<std::uint64_t, std::uint64_t>;
    struct Exchange {
        std::string request;
        stoq::SharedBytes answer;
        std::size_t sent = 0;
        bool answering = false;
    };

    static StreamKey key(stoq::ConnectionHandle connection, stoq::StreamId stream);
    void answer(stoq::ConnectionHandle connection, stoq::StreamId stream, Exchange& exchange);
    void send(stoq::ConnectionHandle connection, stoq::StreamId stream);

    stoq::Endpoint& endpoint_;
    Root root_;
    bool resets_;
    std::map<StreamKey, Exchange> exchanges_;
};

}  // namespace stoq_hq
