// Serves files of a directory over HTTP/3.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "files.h"
#include "http3.h"
#include "options.h"
#include "stoq/endpoint.h"

namespace stoq_hq {

class Http3Server {
public:
    Http3Server(stoq::Endpoint& endpoint, const Options& options)
        : endpoint_(endpoint), root_(options.root) {}

    void on(const stoq::ConnectionEstablished& event);
    void on(const stoq::StreamReadable& event);
    void on(const stoq::StreamWritable& event);
    void on(const stoq::ConnectionClosed& event) { visitors_.erase(key(event.connection)); }
    void on(const auto&) {}

private:
    class Visitor;

    static std::uint64_t key(stoq::ConnectionHandle connection) {
        return std::uint64_t{connection.generation} << 32 | connection.index;
    }

    stoq::Endpoint& endpoint_;
    Root root_;
    std::map<std::uint64_t, std::shared_ptr<Visitor>> visitors_;
};

}  // namespace stoq_hq
