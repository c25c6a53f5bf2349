#include "http3.h"

#include <array>
#include <span>

#include "options.h"

namespace stoq_hq {
namespace {

constexpr std::uint64_t kRequestsAtOnce = 100;

std::string_view text_of(const nghttp3_rcbuf* buffer) {
    const nghttp3_vec bytes = nghttp3_rcbuf_get_buf(buffer);
    return {reinterpret_cast<const char*>(bytes.base), bytes.len};
}

stoq::StreamId stream_id(std::int64_t stream) {
    return stoq::StreamId(static_cast<std::uint64_t>(stream));
}

std::int64_t number(stoq::StreamId stream) {
    return static_cast<std::int64_t>(stream.value());
}

// nghttp3 copies both.
nghttp3_nv field(const char* name, const std::string& value) {
    const std::string_view key = name;
    return {const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(key.data())),
            const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(value.data())),
            key.size(), value.size(), NGHTTP3_NV_FLAG_NONE};
}

}  // namespace

nghttp3_callbacks Http3Connection::callbacks() {
    nghttp3_callbacks all{};
    all.recv_header = [](nghttp3_conn*, std::int64_t stream, std::int32_t, nghttp3_rcbuf* name,
                         nghttp3_rcbuf* value, std::uint8_t, void* self, void*) {
        auto& http = *static_cast<Http3Connection*>(self);
        http.handler_.on_header(stream_id(stream), text_of(name), text_of(value));
        return 0;
    };
    all.recv_data = [](nghttp3_conn*, std::int64_t stream, const std::uint8_t* data,
                       std::size_t length, void* self, void*) {
        auto& http = *static_cast<Http3Connection*>(self);
        http.handler_.on_data(stream_id(stream), stoq::ByteView(data, length));
        return 0;
    };
    all.end_stream = [](nghttp3_conn*, std::int64_t stream, void* self, void*) {
        static_cast<Http3Connection*>(self)->handler_.on_end(stream_id(stream));
        return 0;
    };
    return all;
}

Http3Connection::Http3Connection(stoq::Endpoint& endpoint, stoq::ConnectionHandle connection,
                                 stoq::Role role, Http3Handler& handler)
    : endpoint_(endpoint), connection_(connection), handler_(handler) {
    nghttp3_settings settings;
    nghttp3_settings_default(&settings);
    const nghttp3_callbacks all = callbacks();
    nghttp3_conn* made = nullptr;
    const int error =
        role == stoq::Role::kServer
            ? nghttp3_conn_server_new(&made, &all, &settings, nghttp3_mem_default(), this)
            : nghttp3_conn_client_new(&made, &all, &settings, nghttp3_mem_default(), this);
    http_.reset(made);
    if (error != 0) stoq_hq::fail(nghttp3_strerror(error));  // out of memory
    if (role == stoq::Role::kServer)
        nghttp3_conn_set_max_client_streams_bidi(http_.get(), kRequestsAtOnce);
    const std::int64_t control = open_unidirectional();
    const std::int64_t encoder = open_unidirectional();
    const std::int64_t decoder = open_unidirectional();
    if (decoder < 0) {
        fail(NGHTTP3_ERR_H3_STREAM_CREATION_ERROR);
        return;
    }
    nghttp3_conn_bind_control_stream(http_.get(), control);
    nghttp3_conn_bind_qpack_streams(http_.get(), encoder, decoder);
    pump();
}

std::int64_t Http3Connection::open_unidirectional() {
    const auto stream = endpoint_.open_stream(connection_, stoq::Directionality::kUnidirectional);
    return stream ? number(*stream) : -1;
}

void Http3Connection::request(stoq::StreamId stream, const std::string& authority,
                              const std::string& path) {
    const std::string get = "GET", https = "https";
    const std::array<nghttp3_nv, 4> fields = {field(":method", get), field(":scheme", https),
                                              field(":authority", authority), field(":path", path)};
    const int error = nghttp3_conn_submit_request(http_.get(), number(stream), fields.data(),
                                                  fields.size(), nullptr, nullptr);
    if (error != 0) return fail(error);
    pump();
}

void Http3Connection::respond(stoq::StreamId stream, const stoq::SharedBytes* body) {
    const std::string status = body != nullptr ? "200" : "404";
    const std::string length = std::to_string(body != nullptr ? body->size() : 0);
    const std::array<nghttp3_nv, 2> fields = {field(":status", status),
                                              field("content-length", length)};
    const nghttp3_data_reader reader = {&Http3Connection::read_body};
    if (body != nullptr) bodies_[number(stream)] = *body;
    const int error =
        nghttp3_conn_submit_response(http_.get(), number(stream), fields.data(), fields.size(),
                                     body != nullptr ? &reader : nullptr);
    if (error != 0) return fail(error);
}

// Hands out the whole body at once; nghttp3 keeps pointing to it until it was acknowledged, and the
// body stays until the connection goes.
nghttp3_ssize Http3Connection::read_body(nghttp3_conn*, std::int64_t stream, nghttp3_vec* vec,
                                         std::size_t, std::uint32_t* flags, void* self, void*) {
    const stoq::ByteView bytes = static_cast<Http3Connection*>(self)->bodies_[stream].view();
    *flags |= NGHTTP3_DATA_FLAG_EOF;
    vec->base = const_cast<std::uint8_t*>(bytes.data());
    vec->len = bytes.size();
    return bytes.empty() ? 0 : 1;
}

void Http3Connection::on_readable(stoq::StreamId stream) {
    while (const auto view = endpoint_.peek(connection_, stream)) {
        if (view->bytes.empty() && !view->finished) break;
        const bool finished = view->finished;
        const auto taken = nghttp3_conn_read_stream(http_.get(), number(stream), view->bytes.data(),
                                                    view->bytes.size(), finished ? 1 : 0);
        if (taken < 0) return fail(static_cast<int>(taken));
        if (!endpoint_.consume(connection_, stream, view->bytes.size()) || finished) break;
    }
    pump();
}

void Http3Connection::on_writable(stoq::StreamId stream) {
    nghttp3_conn_unblock_stream(http_.get(), number(stream));
    pump();
}

std::size_t Http3Connection::write(std::int64_t stream, std::span<const nghttp3_vec> parts,
                                   bool& blocked) {
    std::size_t written = 0;
    for (const nghttp3_vec& part : parts) {
        const auto taken =
            endpoint_.write(connection_, stream_id(stream), stoq::ByteView(part.base, part.len));
        written += taken.value_or(0);
        blocked = taken.value_or(0) < part.len;
        if (blocked) break;
    }
    return written;
}

void Http3Connection::pump() {
    std::array<nghttp3_vec, 16> vec;
    for (;;) {
        std::int64_t stream = -1;
        int finish = 0;
        const auto count =
            nghttp3_conn_writev_stream(http_.get(), &stream, &finish, vec.data(), vec.size());
        if (count < 0) return fail(static_cast<int>(count));
        if (stream < 0) return;
        bool blocked = false;
        const std::size_t written =
            write(stream, std::span(vec).first(static_cast<std::size_t>(count)), blocked);
        nghttp3_conn_add_write_offset(http_.get(), stream, written);
        // The stream's send buffer has a copy.
        nghttp3_conn_add_ack_offset(http_.get(), stream, written);
        if (blocked) {
            nghttp3_conn_block_stream(http_.get(), stream);
        } else if (finish != 0) {
            (void)endpoint_.finish(connection_, stream_id(stream));
        }
    }
}

void Http3Connection::fail(int error) {
    (void)endpoint_.close(connection_, nghttp3_err_infer_quic_app_error_code(error),
                          nghttp3_strerror(error));
}

}  // namespace stoq_hq
