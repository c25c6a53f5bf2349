// The server of the race's driver on STOQ.
#include <cstdio>
#include <unordered_map>

#include "driver.h"

namespace race {
namespace {

class Server {
public:
    explicit Server(stoq::Endpoint& endpoint) : endpoint_(endpoint) {}

    void on_event(const stoq::Event& event) {
        if (const auto* opened = std::get_if<stoq::StreamOpened>(&event)) {
            streams_.try_emplace(StreamKey{opened->connection, opened->stream});
        } else if (const auto* readable = std::get_if<stoq::StreamReadable>(&event)) {
            receive({readable->connection, readable->stream});
        } else if (const auto* writable = std::get_if<stoq::StreamWritable>(&event)) {
            send({writable->connection, writable->stream});
        } else if (const auto* closed = std::get_if<stoq::ConnectionClosed>(&event)) {
            std::erase_if(streams_, [&](const auto& entry) {
                return entry.first.connection == closed->connection;
            });
        }
    }

private:
    void receive(const StreamKey& key) {
        const auto at = streams_.find(key);
        if (at == streams_.end()) return;
        const bool ended =
            read_all(endpoint_, key, [&](stoq::ByteView bytes) { at->second.on_bytes(bytes); });
        if (ended) at->second.on_end();
        if (at->second.has_answer()) send(key);
    }

    void send(const StreamKey& key) {
        const auto at = streams_.find(key);
        if (at == streams_.end()) return;
        Served& served = at->second;
        while (!served.is_done()) {
            const Bytes next = served.next();
            const std::size_t taken = served.next_is_static() ? write_pattern(endpoint_, key, next)
                                                              : write_copy(endpoint_, key, next);
            if (taken == 0) return;
            served.on_sent(taken);
        }
        (void)endpoint_.finish(key.connection, key.stream);
        streams_.erase(at);
    }

    stoq::Endpoint& endpoint_;
    std::unordered_map<StreamKey, Served, StreamKeyHash> streams_;
};

}  // namespace

void run_server(const Options& options) {
    auto identity = stoq::Identity::from_files(options.cert, options.key);
    if (!identity) fail(identity.error().message());
    const auto runtime = make_runtime(options);
    stoq::ListenConfig config;
    config.address = options.listen;
    config.credentials.identities = {*identity};
    config.credentials.alpn = {kAlpn};
    config.credentials.groups = "X25519";
    config.credentials.cipher_suites = {true, false, false};
    config.settings = settings_of(options);
    const auto address = runtime->listen(config);
    if (!address) fail(address.error().message());
    Server server(runtime->endpoint());
    runtime->set_event_handler([&](const stoq::Event& event) { server.on_event(event); });
    std::printf("ready: %s\n", stoq::to_string(*address).c_str());
    std::fflush(stdout);
    runtime->run();
}

}  // namespace race
