#include "client.h"

#include <utility>

#include "session.h"

namespace stoq_hq {
namespace {

// Keys are updated when so much has come: well within the first megabyte.
constexpr std::uint64_t kUpdateKeysAfter = 100'000;

}  // namespace

Client::Client(stoq::Runtime& runtime, stoq::ConnectConfig config, const Options& options)
    : runtime_(runtime),
      config_(std::move(config)),
      directory_(options.downloads),
      feature_(options.feature),
      resumes_(feature_ == Feature::kResumption || feature_ == Feature::kZeroRtt) {
    for (const std::string& url : options.urls) {
        const bool own_round = rounds_.empty() || feature_ == Feature::kMulticonnect ||
                               (resumes_ && rounds_.size() == 1);
        if (own_round) rounds_.emplace_back();
        rounds_.back().push_back(path_of(url));
    }
    // Of a single file there is nothing left for the second connection but the same again.
    if (resumes_ && rounds_.size() == 1) rounds_.push_back(rounds_.front());
}

void Client::start() {
    transfers_.clear();
    finished_ = 0;
    ++next_round_;
    const auto connection = runtime_.connect(config_);
    if (!connection) fail(connection.error().message());
    current_ = *connection;
}

void Client::on(const stoq::ConnectionEstablished& event) {
    tell_negotiated(runtime_.endpoint(), event.connection);
    open_streams(event.connection);
}

void Client::on(const stoq::TicketReceived& event) {
    if (!resumes_ || event.connection != current_) return;
    config_.ticket = event.ticket;
    end_round();
}

void Client::open_streams(stoq::ConnectionHandle connection) {
    if (connection != current_) return;
    const Round& round = rounds_[next_round_ - 1];
    while (transfers_.size() < round.size()) {
        const auto stream =
            runtime_.endpoint().open_stream(connection, stoq::Directionality::kBidirectional);
        if (!stream) return;
        const std::string& path = round[transfers_.size()];
        Transfer& transfer = transfers_[stream->value()];
        transfer.unsent_request = "GET " + path + "\r\n";
        transfer.file.open(directory_ + "/" + last_component(path), std::ios::binary);
        if (!transfer.file) fail("cannot write to " + directory_);
        request(connection, *stream);
    }
}

void Client::request(stoq::ConnectionHandle connection, stoq::StreamId stream) {
    std::string& text = transfers_[stream.value()].unsent_request;
    if (text.empty()) return;
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    const auto taken =
        runtime_.endpoint().write(connection, stream, stoq::ByteView(bytes, text.size()));
    if (!taken) return;
    text.erase(0, *taken);
    if (text.empty()) (void)runtime_.endpoint().finish(connection, stream);
}

void Client::on(const stoq::StreamReadable& event) {
    Transfer& transfer = transfers_[event.stream.value()];
    stoq::Endpoint& endpoint = runtime_.endpoint();
    while (const auto view = endpoint.peek(event.connection, event.stream)) {
        if (view->bytes.empty() && !view->finished) return;
        const bool finished = view->finished;
        received_bytes_ += view->bytes.size();
        transfer.file.write(reinterpret_cast<const char*>(view->bytes.data()),
                            static_cast<std::streamsize>(view->bytes.size()));
        if (!endpoint.consume(event.connection, event.stream, view->bytes.size())) break;
        update_keys(event.connection);
        if (finished && feature_ == Feature::kResetAt) fail("a stream was not reset");
        if (finished) return on_end(transfer);
    }
    // The reset behind what was read may come with it.
    if (feature_ != Feature::kResetAt) fail("a stream ended before its file did");
}

void Client::update_keys(stoq::ConnectionHandle connection) {
    if (feature_ != Feature::kKeyUpdate || keys_updated_ || received_bytes_ < kUpdateKeysAfter)
        return;
    // Refused while the handshake is not confirmed: tried again with the next bytes.
    keys_updated_ = runtime_.endpoint().update_keys(connection).has_value();
}

void Client::on_end(Transfer& transfer) {
    transfer.file.close();
    if (!transfer.file) fail("cannot write to " + directory_);
    ++finished_;
    end_round();
}

void Client::end_round() {
    const bool last = next_round_ == rounds_.size();
    const bool awaits_ticket = resumes_ && !last && config_.ticket.empty();
    if (finished_ < rounds_[next_round_ - 1].size() || awaits_ticket) return;
    ++closing_;
    (void)runtime_.endpoint().close(*std::exchange(current_, std::nullopt), 0);
    if (!last) start();
}

void Client::on(const stoq::StreamReset& event) {
    if (feature_ == Feature::kResetAt && event.code == kResetAtCode) {
        return on_end(transfers_[event.stream.value()]);
    }
    fail("the server reset a stream: code " + std::to_string(event.code));
}

void Client::on(const stoq::ConnectionClosed& event) {
    if (event.connection == current_) fail(to_string(event.info));
    if (--closing_ == 0 && !current_) runtime_.stop();
}

}  // namespace stoq_hq
