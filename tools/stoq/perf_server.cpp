// stoq perf server.
#include <map>
#include <memory>
#include <tuple>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "commands.h"
#include "perf.h"
#include "server.h"

namespace stoq::tool {
namespace {

class PerfServer {
public:
    explicit PerfServer(Runtime& runtime) : endpoint_(runtime.endpoint()) {}

    void on_event(const Event& event) {
        std::visit([this](const auto& each) { on(each); }, event);
    }

private:
    using Key = std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>;

    struct Request {
        std::size_t header = 0;    // bytes of the header that are here
        std::uint64_t wanted = 0;  // bytes to answer with
        bool answering = false;
    };

    static Key key(ConnectionHandle connection, StreamId stream) {
        return {connection.index, connection.generation, stream.value()};
    }

    void on(const StreamOpened& event) {
        if (!event.stream.is_unidirectional()) requests_[key(event.connection, event.stream)] = {};
    }
    void on(const StreamReadable& event) { receive(event.connection, event.stream); }
    void on(const StreamWritable& event) { send(event.connection, event.stream); }
    void on(const StreamReset& event) {
        (void)endpoint_.reset(event.connection, event.stream, 0);
        requests_.erase(key(event.connection, event.stream));
    }
    void on(const StreamStopped& event) { requests_.erase(key(event.connection, event.stream)); }
    void on(const ConnectionClosed& event) {
        const ConnectionHandle closed = event.connection;
        requests_.erase(requests_.lower_bound(key(closed, StreamId(0))),
                        requests_.lower_bound({closed.index, closed.generation, UINT64_MAX}));
    }
    void on(const auto&) {}

    void receive(ConnectionHandle connection, StreamId stream) {
        const auto at = requests_.find(key(connection, stream));
        if (at == requests_.end()) return;
        while (const auto view = endpoint_.peek(connection, stream)) {
            if (view->bytes.empty() && !view->finished) return;
            const bool finished = view->finished;
            read_header(at->second, view->bytes);
            if (!endpoint_.consume(connection, stream, view->bytes.size())) return;
            if (!finished) continue;
            at->second.answering = true;
            send(connection, stream);
            return;
        }
    }

    static void read_header(Request& request, ByteView bytes) {
        for (const std::uint8_t byte :
             bytes.first(std::min(bytes.size(), kPerfHeader - request.header))) {
            request.wanted = (request.wanted << 8) | byte;
            ++request.header;
        }
    }

    void send(ConnectionHandle connection, StreamId stream) {
        const auto at = requests_.find(key(connection, stream));
        if (at == requests_.end() || !at->second.answering) return;
        Request& request = at->second;
        while (request.wanted > 0) {
            const auto taken = endpoint_.write(connection, stream, perf_bytes(request.wanted));
            if (!taken || *taken == 0) return;
            request.wanted -= *taken;
        }
        (void)endpoint_.finish(connection, stream);
        requests_.erase(at);
    }

    Endpoint& endpoint_;
    std::map<Key, Request> requests_;
};

void run_perf_server(const ServerOptions& options) {
    Settings settings;
    settings.max_unidirectional_streams = 0;
    settings.max_bidirectional_streams = 1000;
    serve(options, kPerfProtocol, settings, [](Runtime& runtime) {
        return [server = std::make_unique<PerfServer>(runtime)](const Event& event) {
            server->on_event(event);
        };
    });
}

}  // namespace

void add_perf_server(CLI::App& perf) {
    auto options = std::make_shared<ServerOptions>();
    CLI::App* const command = perf.add_subcommand("server", "answers until it is stopped");
    add_server_options(*command, *options);
    command->callback([options] { run_perf_server(*options); });
}

void add_perf(CLI::App& program) {
    CLI::App* const perf = program.add_subcommand(
        "perf", "measure throughput and latency (the QUIC performance protocol)");
    perf->require_subcommand(1);
    add_perf_server(*perf);
    add_perf_client(*perf);
    add_perf_handshake(*perf);
}

}  // namespace stoq::tool
