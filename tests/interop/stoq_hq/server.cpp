#include "server.h"

#include <cstdio>
#include <optional>
#include <string_view>

namespace stoq_hq {
namespace {

constexpr std::size_t kLongestRequest = 4096;
constexpr std::size_t kBlock = std::size_t{1} << 20;
constexpr std::uint64_t kUnknownFile = 1;

}  // namespace

Server::StreamKey Server::key(stoq::ConnectionHandle connection, stoq::StreamId stream) {
    return {std::uint64_t{connection.generation} << 32 | connection.index, stream.value()};
}

void Server::on(const stoq::StreamReadable& event) {
    Exchange& exchange = exchanges_[key(event.connection, event.stream)];
    while (const auto view = endpoint_.peek(event.connection, event.stream)) {
        if (view->bytes.empty() && !view->finished) return;
        const bool finished = view->finished;
        if (exchange.request.size() < kLongestRequest)
            exchange.request.append(view->bytes.begin(), view->bytes.end());
        if (!endpoint_.consume(event.connection, event.stream, view->bytes.size())) break;
        if (!finished) continue;
        answer(event.connection, event.stream, exchange);
        return;
    }
    exchanges_.erase(key(event.connection, event.stream));
}

void Server::answer(stoq::ConnectionHandle connection, stoq::StreamId stream, Exchange& exchange) {
    std::string_view request = exchange.request;
    while (request.ends_with('\r') || request.ends_with('\n')) request.remove_suffix(1);
    std::optional<stoq::SharedBytes> contents;
    if (request.starts_with("GET /")) contents = root_.read(std::string(request.substr(5)));
    if (!contents) {
        (void)endpoint_.reset(connection, stream, kUnknownFile);
        return;
    }
    exchange.answer = std::move(*contents);
    exchange.answering = true;
    send(connection, stream);
}

void Server::send(stoq::ConnectionHandle connection, stoq::StreamId stream) {
    const auto found = exchanges_.find(key(connection, stream));
    if (found == exchanges_.end() || !found->second.answering) return;
    Exchange& exchange = found->second;
    while (exchange.sent < exchange.answer.size()) {
        const auto taken =
            endpoint_.write(connection, stream, exchange.answer.slice(exchange.sent, kBlock));
        if (!taken) break;
        if (*taken == 0) return;
        exchange.sent += *taken;
    }
    if (resets_) {
        const auto reset =
            endpoint_.reset_at(connection, stream, kResetAtCode, exchange.answer.size() / 2);
        if (!reset) std::printf("reset: %s\n", std::string(to_string(reset.error())).c_str());
    } else {
        (void)endpoint_.finish(connection, stream);
    }
    exchanges_.erase(found);
}

void Server::on(const stoq::StreamStopped& event) {
    exchanges_.erase(key(event.connection, event.stream));
}

void Server::on(const stoq::StreamReset& event) {
    if (exchanges_.erase(key(event.connection, event.stream)) != 0)
        (void)endpoint_.reset(event.connection, event.stream, event.code);
}

void Server::on(const stoq::ConnectionClosed& event) {
    std::printf("%s\n", to_string(event.info).c_str());
    std::fflush(stdout);
    const StreamKey first = key(event.connection, stoq::StreamId(0));
    exchanges_.erase(exchanges_.lower_bound(first), exchanges_.lower_bound({first.first + 1, 0}));
}

}  // namespace stoq_hq
