#include "http3_client.h"

#include <utility>

namespace stoq_hq {

Http3Client::Http3Client(stoq::Runtime& runtime, stoq::ConnectConfig config, const Options& options)
    : runtime_(runtime), config_(std::move(config)), options_(options) {}

void Http3Client::start() {
    const auto connection = runtime_.connect(config_);
    if (!connection) fail(connection.error().message());
    connection_ = *connection;
}

void Http3Client::on(const stoq::ConnectionEstablished& event) {
    http_.emplace(runtime_.endpoint(), event.connection, stoq::Role::kClient,
                  static_cast<Http3Handler&>(*this));
    open_streams();
}

void Http3Client::open_streams() {
    while (http_ && files_.size() < options_.urls.size()) {
        const auto stream =
            runtime_.endpoint().open_stream(connection_, stoq::Directionality::kBidirectional);
        if (!stream) return;
        const std::string& url = options_.urls[files_.size()];
        const std::string name = options_.downloads + "/" + last_component(path_of(url));
        std::ofstream& file = files_[stream->value()];
        file.open(name, std::ios::binary);
        if (!file) fail("cannot write to " + options_.downloads);
        http_->request(*stream, authority_of(url), path_of(url));
    }
}

void Http3Client::on_header(stoq::StreamId, std::string_view name, std::string_view value) {
    if (name == ":status" && value != "200") fail("the server answered " + std::string(value));
}

void Http3Client::on_data(stoq::StreamId stream, stoq::ByteView bytes) {
    files_[stream.value()].write(reinterpret_cast<const char*>(bytes.data()),
                                 static_cast<std::streamsize>(bytes.size()));
}

void Http3Client::on_end(stoq::StreamId stream) {
    std::ofstream& file = files_[stream.value()];
    file.close();
    if (!file) fail("cannot write to " + options_.downloads);
    if (++finished_ == options_.urls.size())
        (void)runtime_.endpoint().close(connection_, kHttp3NoError);
}

void Http3Client::on(const stoq::StreamReset& event) {
    fail("the server reset a stream: code " + std::to_string(event.code));
}

void Http3Client::on(const stoq::ConnectionClosed& event) {
    if (finished_ != options_.urls.size()) fail(to_string(event.info));
    runtime_.stop();
}

}  // namespace stoq_hq
