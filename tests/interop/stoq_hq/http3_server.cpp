#include "http3_server.h"

#include <optional>
#include <string_view>

namespace stoq_hq {

class Http3Server::Visitor : public Http3Handler {
public:
    Visitor(stoq::Endpoint& endpoint, stoq::ConnectionHandle connection, const Root& root)
        : root_(root), http(endpoint, connection, stoq::Role::kServer, *this) {}

    void on_header(stoq::StreamId stream, std::string_view name, std::string_view value) override {
        if (name == ":path") paths_[stream.value()] = value;
    }
    void on_data(stoq::StreamId, stoq::ByteView) override {}
    void on_end(stoq::StreamId stream) override {
        const std::string path = paths_[stream.value()];
        paths_.erase(stream.value());
        std::optional<stoq::SharedBytes> body;
        if (path.starts_with('/')) body = root_.read(path.substr(1));
        http.respond(stream, body ? &*body : nullptr);
    }

private:
    const Root& root_;
    std::map<std::uint64_t, std::string> paths_;

public:
    Http3Connection http;  // behind what its handler uses
};

void Http3Server::on(const stoq::ConnectionEstablished& event) {
    visitors_[key(event.connection)] =
        std::make_shared<Visitor>(endpoint_, event.connection, root_);
}

void Http3Server::on(const stoq::StreamReadable& event) {
    const auto visitor = visitors_.find(key(event.connection));
    if (visitor != visitors_.end()) visitor->second->http.on_readable(event.stream);
}

void Http3Server::on(const stoq::StreamWritable& event) {
    const auto visitor = visitors_.find(key(event.connection));
    if (visitor != visitors_.end()) visitor->second->http.on_writable(event.stream);
}

}  // namespace stoq_hq
