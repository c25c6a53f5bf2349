// HTTP/3 (RFC 9114) on one connection of an endpoint, by nghttp3: it knows the frames, this moves
// the bytes between it and the streams.
#pragma once

#include <nghttp3/nghttp3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "stoq/endpoint.h"

namespace stoq_hq {

// What arrives, by request stream.
class Http3Handler {
public:
    virtual ~Http3Handler() = default;
    virtual void on_header(stoq::StreamId stream, std::string_view name,
                           std::string_view value) = 0;
    virtual void on_data(stoq::StreamId stream, stoq::ByteView bytes) = 0;
    virtual void on_end(stoq::StreamId stream) = 0;
};

class Http3Connection {
public:
    // Both have to outlive this object.
    Http3Connection(stoq::Endpoint& endpoint, stoq::ConnectionHandle connection, stoq::Role role,
                    Http3Handler& handler);

    void request(stoq::StreamId stream, const std::string& authority, const std::string& path);
    // 200 with a body, or 404.
    void respond(stoq::StreamId stream, const stoq::SharedBytes* body);
    void on_readable(stoq::StreamId stream);
    void on_writable(stoq::StreamId stream);

private:
    struct Free {
        void operator()(nghttp3_conn* connection) const { nghttp3_conn_del(connection); }
    };

    static nghttp3_callbacks callbacks();
    static nghttp3_ssize read_body(nghttp3_conn* connection, std::int64_t stream, nghttp3_vec* vec,
                                   std::size_t count, std::uint32_t* flags, void* self, void*);
    std::int64_t open_unidirectional();
    std::size_t write(std::int64_t stream, std::span<const nghttp3_vec> parts, bool& blocked);
    // Moves what nghttp3 wants to send into streams until these take no more.
    void pump();
    void fail(int error);

    stoq::Endpoint& endpoint_;
    stoq::ConnectionHandle connection_;
    Http3Handler& handler_;
    std::unique_ptr<nghttp3_conn, Free> http_;
    std::map<std::int64_t, stoq::SharedBytes> bodies_;
};

// H3_NO_ERROR (RFC 9114 section 8.1).
inline constexpr std::uint64_t kHttp3NoError = 0x100;

}  // namespace stoq_hq
