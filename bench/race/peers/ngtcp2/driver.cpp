// The race's driver on ngtcp2. See bench/race/README.md.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>
#include <unordered_map>
#include <utility>

#include "connection.h"

namespace race {
namespace {

// After so many trains it is time to see what the peer has acknowledged.
constexpr int kTrainsPerTurn = 4;
// Acknowledgements and requests come one by one: take many before answering.
constexpr int kReceivesPerTurn = 32;

class Ngtcp2 final : public Transport, public Keeper {
public:
    explicit Ngtcp2(const Options& options)
        : options_(options),
          tls_(options),
          socket_(options.is_server ? options.listen : "127.0.0.1:0",
                  std::chrono::microseconds(options.spin_us)),
          buffer_(std::min<std::size_t>(kLongestTrain / options.datagram, 64) * options.datagram) {
        if (options.is_server) {
            std::printf("ready: %s\n", to_string(socket_.local()).c_str());
            std::fflush(stdout);
        } else {
            remote_ = parse_address(options.connect);
        }
    }

    // --- For the application ---

    ConnectionId dial() override {
        Connection& connection = add({.ssl = tls_.make(), .remote = remote_});
        queue(connection);
        return connection.id();
    }
    bool was_resumed(ConnectionId id) override { return at(id).was_resumed(); }
    std::optional<StreamKey> open(ConnectionId id) override {
        const auto stream = at(id).open();
        if (!stream) return {};
        return StreamKey{id, static_cast<std::uint64_t>(*stream)};
    }
    std::size_t write(const StreamKey& key, Bytes bytes, bool live_for_ever) override {
        queue(at(key.connection));
        return at(key.connection).write(stream_of(key), bytes, live_for_ever);
    }
    void finish(const StreamKey& key) override {
        queue(at(key.connection));
        at(key.connection).finish(stream_of(key));
    }
    void set_background(const StreamKey& key) override {
        at(key.connection).set_background(stream_of(key));
    }
    void abandon(const StreamKey& key) override { at(key.connection).abandon(stream_of(key)); }
    bool send_datagram(ConnectionId id, Bytes bytes) override {
        queue(at(id));
        return at(id).send_datagram(bytes);
    }
    // The library must not be taken away while it is calling: what is closed goes after the turn.
    void close(ConnectionId id) override {
        closing_.push_back(id);
        if (!in_turn_) close_all();
    }

    void turn(std::chrono::milliseconds most) override {
        in_turn_ = true;
        receive();
        expire();
        close_all();
        transmit();
        close_all();
        in_turn_ = false;
        if (queue_.empty()) sleep(most);
    }

    // --- For the connections ---

    void on_new_id(const ngtcp2_cid& id, Connection& connection) override {
        by_id_[key_of(id)] = &connection;
    }
    void on_retired_id(const ngtcp2_cid& id) override { by_id_.erase(key_of(id)); }
    Application& application_of_all() override { return application(); }

private:
    static std::int64_t stream_of(const StreamKey& key) {
        return static_cast<std::int64_t>(key.stream);
    }

    Connection& at(ConnectionId id) { return *connections_.at(id); }

    Connection& add(ConnectionStart start) {
        start.id = ++last_id_;
        start.local = socket_.local();
        auto connection = std::make_unique<Connection>(*this, options_, start);
        Connection& added = *connection;
        connections_[start.id] = std::move(connection);
        return added;
    }

    void queue(Connection& connection) {
        if (connection.is_queued) return;
        connection.is_queued = true;
        queue_.push_back(connection.id());
    }

    void remove(ConnectionId id) {
        const auto at = connections_.find(id);
        if (at == connections_.end()) return;
        for (const std::string& key : at->second->ids()) by_id_.erase(key);
        timers_.erase({at->second->armed, id});
        connections_.erase(at);
    }

    void on_end(ConnectionId id, const std::string& why) {
        remove(id);
        application().on_closed(id, why);
    }

    void close_all() {
        for (const ConnectionId id : std::exchange(closing_, {})) {
            const auto at = connections_.find(id);
            if (at == connections_.end()) continue;
            const std::size_t length = at->second->fill_close(buffer_);
            if (length > 0) {
                (void)socket_.send(Bytes(buffer_).first(length), length, at->second->remote());
            }
            remove(id);
        }
    }

    // --- Receiving ---

    void receive() {
        for (int trains = 0; trains < kReceivesPerTurn; ++trains) {
            const auto train = socket_.receive();
            if (!train) return;
            last_ = nullptr;
            for (std::size_t begin = 0; begin < train->bytes.size(); begin += train->segment) {
                const std::size_t length = std::min(train->segment, train->bytes.size() - begin);
                receive_one(train->bytes.subspan(begin, length), train->from);
            }
        }
    }

    void receive_one(std::span<std::uint8_t> packet, const sockaddr_in& from) {
        ngtcp2_version_cid ids{};
        if (ngtcp2_pkt_decode_version_cid(&ids, packet.data(), packet.size(),
                                          kConnectionIdLength) != 0) {
            return;
        }
        const std::string key(reinterpret_cast<const char*>(ids.dcid), ids.dcidlen);
        // The packets of a train are mostly of one connection.
        if (last_ == nullptr || key != last_key_) {
            const auto found = by_id_.find(key);
            last_ = found != by_id_.end() ? found->second : accept(packet, from);
            last_key_ = key;
            now_ = timestamp();  // after accept(): a connection's time must not go back
        }
        if (last_ == nullptr) return;
        std::string why;
        if (last_->receive(packet, now_, why)) {
            queue(*last_);
        } else {
            on_end(std::exchange(last_, nullptr)->id(), why);
        }
    }

    Connection* accept(std::span<std::uint8_t> packet, const sockaddr_in& from) {
        ngtcp2_pkt_hd first{};
        if (!options_.is_server || ngtcp2_accept(&first, packet.data(), packet.size()) != 0) {
            return nullptr;
        }
        return &add({.ssl = tls_.make(), .remote = from, .first = &first});
    }

    // --- Sending ---

    void transmit() {
        std::vector<ConnectionId> round;
        round.swap(queue_);
        for (const ConnectionId id : round) {
            const auto at = connections_.find(id);
            if (at == connections_.end()) continue;
            at->second->is_queued = false;
            transmit(*at->second);
        }
    }

    void transmit(Connection& connection) {
        for (int trains = 0; trains < kTrainsPerTurn; ++trains) {
            std::size_t segment = 0;
            const std::ptrdiff_t length = connection.fill(buffer_, segment);
            if (length < 0)
                return on_end(connection.id(), ngtcp2_strerror(static_cast<int>(length)));
            if (length == 0) return arm(connection);
            const Bytes bytes = Bytes(buffer_).first(static_cast<std::size_t>(length));
            while (!socket_.send(bytes, segment, connection.remote())) socket_.wait_writable();
        }
        arm(connection);
        queue(connection);
    }

    // --- Time ---

    void arm(Connection& connection) {
        const ngtcp2_tstamp expiry = connection.expiry();
        if (expiry == connection.armed) return;
        timers_.erase({connection.armed, connection.id()});
        connection.armed = expiry;
        timers_.insert({expiry, connection.id()});
    }

    void expire() {
        const ngtcp2_tstamp now = timestamp();
        while (!timers_.empty() && timers_.begin()->first <= now) {
            const ConnectionId id = timers_.begin()->second;
            timers_.erase(timers_.begin());
            Connection& connection = at(id);
            connection.armed = 0;
            std::string why;
            if (connection.on_expiry(why)) {
                queue(connection);
            } else {
                on_end(id, why);
            }
        }
    }

    void sleep(std::chrono::nanoseconds most) {
        const ngtcp2_tstamp now = timestamp();
        if (!timers_.empty()) {
            const ngtcp2_tstamp first = timers_.begin()->first;
            most = std::min(most, std::chrono::nanoseconds(first > now ? first - now : 0));
        }
        socket_.wait_readable(most);
    }

    const Options& options_;
    TlsContext tls_;
    UdpSocket socket_;
    std::vector<std::uint8_t> buffer_;
    sockaddr_in remote_{};
    ConnectionId last_id_ = 0;
    std::unordered_map<ConnectionId, std::unique_ptr<Connection>> connections_;
    std::unordered_map<std::string, Connection*> by_id_;
    std::set<std::pair<ngtcp2_tstamp, ConnectionId>> timers_;
    std::vector<ConnectionId> queue_;
    std::vector<ConnectionId> closing_;
    bool in_turn_ = false;
    // Of the train that is being received.
    ngtcp2_tstamp now_ = 0;
    std::string last_key_;
    Connection* last_ = nullptr;
};

}  // namespace
}  // namespace race

int main(int argc, char** argv) {
    const race::Options options = race::parse_options(argc, argv);
    if (ngtcp2_crypto_ossl_init() != 0) race::fail("ngtcp2's crypto does not start");
    race::Ngtcp2 transport(options);
    if (options.is_server) race::serve(transport);
    race::drive(transport, options);
    return 0;
}
