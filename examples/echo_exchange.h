// What an echo client does with the events of its connection, in calls of stoq/endpoint.h.
#pragma once

#include <cstdio>
#include <string>
#include <utility>

#include "stoq/endpoint.h"

// Sends a text on a stream of its own and gathers what comes back.
struct EchoExchange {
    explicit EchoExchange(std::string to_send) : text(std::move(to_send)) {}

    std::string text;
    std::string answer;
    std::size_t written = 0;
    stoq::StreamId stream{};
    bool closed = false;

    void on_event(stoq::Endpoint& endpoint, const stoq::Event& event) {
        if (const auto* established = std::get_if<stoq::ConnectionEstablished>(&event)) {
            using enum stoq::Directionality;
            stream = endpoint.open_stream(established->connection, kBidirectional).value();
            write(endpoint, established->connection);
        } else if (const auto* writable = std::get_if<stoq::StreamWritable>(&event)) {
            write(endpoint, writable->connection);
        } else if (const auto* readable = std::get_if<stoq::StreamReadable>(&event)) {
            read(endpoint, readable->connection);
        } else if (const auto* end = std::get_if<stoq::ConnectionClosed>(&event)) {
            closed = true;
            if (end->info.kind == stoq::CloseKind::kLocalApplication) return;
            std::fprintf(stderr, "%s\n", to_string(end->info).c_str());
        }
    }

private:
    void write(stoq::Endpoint& endpoint, stoq::ConnectionHandle connection) {
        const auto* begin = reinterpret_cast<const std::uint8_t*>(text.data());
        const stoq::ByteView rest(begin + written, text.size() - written);
        written += endpoint.write(connection, stream, rest).value_or(0);
        if (written == text.size()) (void)endpoint.finish(connection, stream);
    }

    // Until nothing is left: only then the next bytes are told again.
    void read(stoq::Endpoint& endpoint, stoq::ConnectionHandle connection) {
        while (const auto view = endpoint.peek(connection, stream)) {
            answer.append(view->bytes.begin(), view->bytes.end());
            if (view->finished) (void)endpoint.close(connection, 0);
            if (view->finished || view->bytes.empty()) return;
            if (!endpoint.consume(connection, stream, view->bytes.size())) return;
        }
    }
};
