// The server of the race.
#include <unordered_map>

#include "application.h"

namespace race {
namespace {

class Server final : public Application {
public:
    explicit Server(Transport& transport) : transport_(transport) {}

    void on_data(const StreamKey& key, Bytes bytes, bool end) override {
        Served& served = streams_[key];
        const bool began = served.has_answer();
        served.on_bytes(bytes);
        if (end) served.on_end();
        if (!served.has_answer()) return;
        if (!began && served.is_bulk()) transport_.set_background(key);
        send(key, served);
    }

    void on_writable(const StreamKey& key) override {
        const auto at = streams_.find(key);
        if (at != streams_.end()) send(key, at->second);
    }

    void on_datagram(ConnectionId connection, Bytes bytes) override {
        (void)transport_.send_datagram(connection, bytes);
    }

    void on_closed(ConnectionId connection, const std::string&) override {
        std::erase_if(streams_, [&](const auto& it) { return it.first.connection == connection; });
    }

private:
    void send(const StreamKey& key, Served& served) {
        while (!served.is_done()) {
            const std::size_t taken = transport_.write(key, served.next(), served.next_is_static());
            if (taken == 0) return;
            served.on_sent(taken);
        }
        transport_.finish(key);
        streams_.erase(key);
    }

    Transport& transport_;
    std::unordered_map<StreamKey, Served, StreamKeyHash> streams_;
};

}  // namespace

void serve(Transport& transport) {
    Server server(transport);
    transport.set_application(server);
    for (;;) transport.turn(std::chrono::milliseconds(1000));
}

}  // namespace race
