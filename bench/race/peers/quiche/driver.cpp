// The race's driver on quiche, over its C interface. See bench/race/README.md.
#include <quiche.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <unordered_map>
#include <utility>

#include "application.h"
#include "udp.h"

namespace race {
namespace {

constexpr std::size_t kIdLength = 8;
// After so many packets it is time to see what the peer has acknowledged.
constexpr int kPacketsPerTurn = 176;
constexpr std::size_t kMostSegments = 64;
// Acknowledgements and requests come one by one: take many before answering.
constexpr int kReceivesPerTurn = 32;
constexpr std::size_t kReadBuffer = 256 * 1024;
constexpr std::size_t kDatagramQueue = 1024;
constexpr std::uint64_t kMostStreams = 1000;
constexpr std::uint8_t kLeastUrgent = 255;

std::uint64_t timestamp() {
    return static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
}

struct Stream {
    std::vector<std::uint8_t> unsent;  // small things that found no room
    bool ends = false;
    bool is_waiting = false;  // in the list of those that could not go on
};

struct Connection {
    Connection(ConnectionId number, quiche_conn* conn, const sockaddr_in& to)
        : id(number), quic(conn), remote(to) {}
    ~Connection() { quiche_conn_free(quic); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    ConnectionId id;
    quiche_conn* quic;
    sockaddr_in remote;
    std::vector<std::string> ids;
    std::unordered_map<std::uint64_t, Stream> streams;
    std::vector<std::uint64_t> waiting;
    std::uint64_t next_stream = 0;
    std::uint64_t armed = 0;
    bool told_established = false;
    bool lacks_streams = false;
    bool is_queued = false;
};

class Quiche final : public Transport {
public:
    explicit Quiche(const Options& options)
        : options_(options),
          config_(quiche_config_new(QUICHE_PROTOCOL_VERSION)),
          socket_(options.is_server ? options.listen : "127.0.0.1:0",
                  std::chrono::microseconds(options.spin_us)),
          packets_(std::min<std::size_t>(kLongestTrain / options.datagram, 64) * options.datagram),
          read_(kReadBuffer) {
        configure();
        if (options.is_server) {
            std::printf("ready: %s\n", to_string(socket_.local()).c_str());
            std::fflush(stdout);
        } else {
            remote_ = parse_address(options.connect);
        }
    }
    ~Quiche() override {
        connections_.clear();
        quiche_config_free(config_);
    }

    // --- For the application ---

    ConnectionId dial() override {
        const std::string id = random_id();
        const sockaddr_in local = socket_.local();
        quiche_conn* const quic = quiche_connect(
            kServerName, bytes_of(id), id.size(), reinterpret_cast<const sockaddr*>(&local),
            sizeof local, reinterpret_cast<const sockaddr*>(&remote_), sizeof remote_, config_);
        if (quic == nullptr) fail("no connection");
        if (!session_.empty()) {
            (void)quiche_conn_set_session(quic, session_.data(), session_.size());
        }
        return add(quic, remote_, {id}).id;
    }

    bool was_resumed(ConnectionId id) override { return quiche_conn_is_resumed(at(id).quic); }

    std::optional<StreamKey> open(ConnectionId id) override {
        Connection& connection = at(id);
        if (quiche_conn_peer_streams_left_bidi(connection.quic) == 0) {
            connection.lacks_streams = true;
            return {};
        }
        return StreamKey{id, std::exchange(connection.next_stream, connection.next_stream + 4)};
    }

    std::size_t write(const StreamKey& key, Bytes bytes, bool live_for_ever) override {
        Connection& connection = at(key.connection);
        Stream& stream = connection.streams[key.stream];
        const Bytes part = live_for_ever ? bytes.first(std::min(bytes.size(), share_)) : bytes;
        const std::size_t taken =
            stream.unsent.empty() ? send(connection, key.stream, part, false) : 0;
        queue(connection);
        if (taken == bytes.size()) return taken;
        wait(connection, key.stream, stream);
        if (live_for_ever) return taken;
        stream.unsent.insert(stream.unsent.end(), bytes.begin() + static_cast<long>(taken),
                             bytes.end());
        return bytes.size();
    }

    void finish(const StreamKey& key) override {
        Connection& connection = at(key.connection);
        Stream& stream = connection.streams[key.stream];
        stream.ends = true;
        flush(connection, key.stream, stream);
        queue(connection);
    }

    void set_background(const StreamKey& key) override {
        (void)quiche_conn_stream_priority(at(key.connection).quic, key.stream, kLeastUrgent, true);
    }

    void abandon(const StreamKey& key) override {
        (void)quiche_conn_stream_shutdown(at(key.connection).quic, key.stream, QUICHE_SHUTDOWN_READ,
                                          0);
    }

    bool send_datagram(ConnectionId id, Bytes bytes) override {
        // A queue that is full loses what comes, as a network would.
        (void)quiche_conn_dgram_send(at(id).quic, bytes.data(), bytes.size());
        queue(at(id));
        return true;
    }

    // What is closed goes after the turn, in which it may still be in use.
    void close(ConnectionId id) override {
        closing_.push_back(id);
        if (!in_turn_) close_all();
    }

    void turn(std::chrono::milliseconds most) override {
        in_turn_ = true;
        receive();
        expire();
        serve_queue();
        close_all();
        in_turn_ = false;
        if (queue_.empty()) sleep(most);
    }

private:
    static const std::uint8_t* bytes_of(const std::string& text) {
        return reinterpret_cast<const std::uint8_t*>(text.data());
    }

    std::string random_id() {
        std::string id(kIdLength, '\0');
        for (char& byte : id) byte = static_cast<char>(random_());
        return id;
    }

    void configure() {
        static constexpr std::uint8_t kAlpnWire[] = {4, 'r', 'a', 'c', 'e'};
        (void)quiche_config_set_application_protos(config_, kAlpnWire, sizeof kAlpnWire);
        (void)quiche_config_set_curves_list(config_, "X25519");
        quiche_config_set_max_idle_timeout(config_, 60'000);
        quiche_config_set_max_recv_udp_payload_size(config_, 65'527);
        quiche_config_set_max_send_udp_payload_size(config_, options_.datagram);
        quiche_config_discover_pmtu(config_, false);
        quiche_config_set_initial_max_data(config_, options_.window);
        quiche_config_set_initial_max_stream_data_bidi_local(config_, options_.window);
        quiche_config_set_initial_max_stream_data_bidi_remote(config_, options_.window);
        quiche_config_set_max_connection_window(config_, options_.window);
        quiche_config_set_max_stream_window(config_, options_.window);
        quiche_config_set_initial_max_streams_bidi(config_, kMostStreams);
        quiche_config_set_cc_algorithm(config_, QUICHE_CC_CUBIC);
        quiche_config_enable_pacing(config_, false);
        quiche_config_enable_dgram(config_, true, kDatagramQueue, kDatagramQueue);
        quiche_config_grease(config_, false);
        int error = 0;
        if (options_.is_server) {
            error |= quiche_config_load_cert_chain_from_pem_file(config_, options_.cert.c_str());
            error |= quiche_config_load_priv_key_from_pem_file(config_, options_.key.c_str());
        } else {
            error |= quiche_config_load_verify_locations_from_file(config_, options_.ca.c_str());
            quiche_config_verify_peer(config_, true);
        }
        if (error != 0) fail("the certificate, key or authority cannot be used");
    }

    Connection& at(ConnectionId id) { return *connections_.at(id); }

    Connection& add(quiche_conn* quic, const sockaddr_in& remote, std::vector<std::string> ids) {
        const ConnectionId number = ++last_id_;
        auto connection = std::make_unique<Connection>(number, quic, remote);
        connection->ids = std::move(ids);
        for (const std::string& id : connection->ids) by_id_[id] = connection.get();
        Connection& added = *connection;
        connections_[number] = std::move(connection);
        queue(added);
        return added;
    }

    void remove(Connection& connection) {
        for (const std::string& id : connection.ids) by_id_.erase(id);
        timers_.erase({connection.armed, connection.id});
        connections_.erase(connection.id);
    }

    void queue(Connection& connection) {
        if (connection.is_queued) return;
        connection.is_queued = true;
        queue_.push_back(connection.id);
    }

    // --- Streams ---

    std::size_t send(Connection& connection, std::uint64_t stream, Bytes bytes, bool end) {
        std::uint64_t error = 0;
        const ssize_t taken = quiche_conn_stream_send(connection.quic, stream, bytes.data(),
                                                      bytes.size(), end, &error);
        if (taken >= 0) return static_cast<std::size_t>(taken);
        // What was refused for good, as by STOP_SENDING, must not be tried again.
        return taken == QUICHE_ERR_DONE ? 0 : bytes.size();
    }

    void wait(Connection& connection, std::uint64_t id, Stream& stream) {
        if (stream.is_waiting) return;
        stream.is_waiting = true;
        connection.waiting.push_back(id);
    }

    // Sends what was kept back, and the end when everything before it has gone.
    void flush(Connection& connection, std::uint64_t id, Stream& stream) {
        if (!stream.unsent.empty()) {
            const std::size_t taken = send(connection, id, stream.unsent, false);
            stream.unsent.erase(stream.unsent.begin(),
                                stream.unsent.begin() + static_cast<long>(taken));
        }
        if (!stream.unsent.empty()) return wait(connection, id, stream);
        if (!stream.ends) return;
        (void)send(connection, id, {}, true);
        connection.streams.erase(id);
    }

    // Those that could not go on try again, each with its share of what the library takes now: else
    // the first would take it all. Those that get nothing are the first of the next time.
    void resume(Connection& connection) {
        const std::vector<std::uint64_t> waiting = std::exchange(connection.waiting, {});
        std::vector<std::uint64_t> first;
        for (const std::uint64_t id : waiting) {
            const auto found = connection.streams.find(id);
            if (found == connection.streams.end()) continue;
            const ssize_t capacity = quiche_conn_stream_capacity(connection.quic, id);
            if (capacity <= 0) {
                first.push_back(id);
                continue;
            }
            found->second.is_waiting = false;
            share_ = std::max<std::size_t>(static_cast<std::size_t>(capacity) / waiting.size(),
                                           options_.datagram);
            const bool kept_back = !found->second.unsent.empty() || found->second.ends;
            if (kept_back) {
                flush(connection, id, found->second);
            } else {
                application().on_writable({connection.id, id});
            }
        }
        share_ = SIZE_MAX;
        connection.waiting.insert(connection.waiting.begin(), first.begin(), first.end());
    }

    void read(Connection& connection) {
        std::uint64_t error = 0;
        for (std::int64_t id; (id = quiche_conn_stream_readable_next(connection.quic)) >= 0;) {
            const auto stream = static_cast<std::uint64_t>(id);
            for (bool end = false; !end;) {
                const ssize_t length = quiche_conn_stream_recv(
                    connection.quic, stream, read_.data(), read_.size(), &end, &error);
                if (length < 0) break;
                application().on_data({connection.id, stream},
                                      Bytes(read_).first(static_cast<std::size_t>(length)), end);
            }
        }
        for (ssize_t length;
             (length = quiche_conn_dgram_recv(connection.quic, read_.data(), read_.size())) >= 0;) {
            application().on_datagram(connection.id,
                                      Bytes(read_).first(static_cast<std::size_t>(length)));
        }
    }

    // --- Receiving ---

    void receive() {
        for (int trains = 0; trains < kReceivesPerTurn; ++trains) {
            const auto train = socket_.receive();
            if (!train) return;
            for (std::size_t begin = 0; begin < train->bytes.size(); begin += train->segment) {
                const std::size_t length = std::min(train->segment, train->bytes.size() - begin);
                receive_one(train->bytes.subspan(begin, length), train->from);
            }
        }
    }

    void receive_one(std::span<std::uint8_t> packet, const sockaddr_in& from) {
        std::array<std::uint8_t, QUICHE_MAX_CONN_ID_LEN> scid{};
        std::array<std::uint8_t, QUICHE_MAX_CONN_ID_LEN> dcid{};
        std::array<std::uint8_t, 256> token{};
        std::size_t scid_length = scid.size();
        std::size_t dcid_length = dcid.size();
        std::size_t token_length = token.size();
        std::uint32_t version = 0;
        std::uint8_t type = 0;
        if (quiche_header_info(packet.data(), packet.size(), kIdLength, &version, &type,
                               scid.data(), &scid_length, dcid.data(), &dcid_length, token.data(),
                               &token_length) < 0) {
            return;
        }
        const std::string id(reinterpret_cast<const char*>(dcid.data()), dcid_length);
        const auto found = by_id_.find(id);
        Connection* const connection = found != by_id_.end() ? found->second : accept(id, from);
        if (connection == nullptr) return;
        sockaddr_in local = socket_.local();
        sockaddr_in remote = from;
        const quiche_recv_info info{reinterpret_cast<sockaddr*>(&remote), sizeof remote,
                                    reinterpret_cast<sockaddr*>(&local), sizeof local};
        (void)quiche_conn_recv(connection->quic, packet.data(), packet.size(), &info);
        queue(*connection);
    }

    Connection* accept(const std::string& original, const sockaddr_in& from) {
        if (!options_.is_server) return nullptr;
        const std::string id = random_id();
        const sockaddr_in local = socket_.local();
        quiche_conn* const quic = quiche_accept(
            bytes_of(id), id.size(), nullptr, 0, reinterpret_cast<const sockaddr*>(&local),
            sizeof local, reinterpret_cast<const sockaddr*>(&from), sizeof from, config_);
        return quic == nullptr ? nullptr : &add(quic, from, {id, original});
    }

    // --- What is to be done for connections about which something is new ---

    void serve_queue() {
        for (const ConnectionId id : std::exchange(queue_, {})) {
            const auto found = connections_.find(id);
            if (found == connections_.end()) continue;
            Connection& connection = *found->second;
            connection.is_queued = false;
            if (quiche_conn_is_draining(connection.quic) ||
                quiche_conn_is_closed(connection.quic)) {
                remove(connection);
                application().on_closed(id, "by the peer, or by silence");
                continue;
            }
            if (!connection.told_established && quiche_conn_is_established(connection.quic)) {
                connection.told_established = true;
                application().on_established(id);
            }
            read(connection);
            resume(connection);
            if (connection.lacks_streams &&
                quiche_conn_peer_streams_left_bidi(connection.quic) > 0) {
                connection.lacks_streams = false;
                application().on_streams_available();
            }
            transmit(connection);
        }
    }

    // quiche puts one STREAM frame into a packet, so packets may be small: a train is of those of
    // equal size, and at its end perhaps one that is smaller.
    void transmit(Connection& connection) {
        std::size_t length = 0;
        std::size_t segment = 0;
        for (int packets = 0; packets < kPacketsPerTurn; ++packets) {
            const std::size_t written = write_packet(connection, length);
            if (written == 0) {
                send_train(connection, length, segment);
                return arm(connection);
            }
            if (written > segment && length > 0) {
                send_train(connection, length, segment);
                std::memmove(packets_.data(), packets_.data() + length, written);
                length = 0;
            }
            if (length == 0) segment = written;
            length += written;
            const bool full =
                packets_.size() - length < options_.datagram || length / segment == kMostSegments;
            if (written < segment || full)
                send_train(connection, std::exchange(length, 0), segment);
        }
        send_train(connection, length, segment);
        arm(connection);
        queue(connection);
    }

    std::size_t write_packet(Connection& connection, std::size_t offset) {
        quiche_send_info info{};
        const ssize_t written =
            quiche_conn_send(connection.quic, packets_.data() + offset, options_.datagram, &info);
        return written > 0 ? static_cast<std::size_t>(written) : 0;
    }

    void send_train(const Connection& connection, std::size_t length, std::size_t segment) {
        if (length == 0) return;
        while (!socket_.send(Bytes(packets_).first(length), segment, connection.remote)) {
            socket_.wait_writable();
        }
    }

    void close_all() {
        for (const ConnectionId id : std::exchange(closing_, {})) {
            const auto found = connections_.find(id);
            if (found == connections_.end()) continue;
            Connection& connection = *found->second;
            keep_session(connection);
            (void)quiche_conn_close(connection.quic, true, 0, nullptr, 0);
            transmit(connection);
            remove(connection);
        }
    }

    void keep_session(const Connection& connection) {
        if (!options_.resumed || options_.is_server) return;
        const std::uint8_t* bytes = nullptr;
        std::size_t length = 0;
        quiche_conn_session(connection.quic, &bytes, &length);
        if (length > 0) session_.assign(bytes, bytes + length);
    }

    // --- Time ---

    void arm(Connection& connection) {
        const std::uint64_t left = quiche_conn_timeout_as_nanos(connection.quic);
        timers_.erase({connection.armed, connection.id});
        connection.armed = left == UINT64_MAX ? UINT64_MAX : timestamp() + left;
        timers_.insert({connection.armed, connection.id});
    }

    void expire() {
        const std::uint64_t now = timestamp();
        while (!timers_.empty() && timers_.begin()->first <= now) {
            Connection& connection = at(timers_.begin()->second);
            timers_.erase(timers_.begin());
            quiche_conn_on_timeout(connection.quic);
            queue(connection);
        }
    }

    void sleep(std::chrono::nanoseconds most) {
        const std::uint64_t now = timestamp();
        if (!timers_.empty() && timers_.begin()->first != UINT64_MAX) {
            const std::uint64_t first = timers_.begin()->first;
            most = std::min(most, std::chrono::nanoseconds(first > now ? first - now : 0));
        }
        socket_.wait_readable(most);
    }

    const Options& options_;
    quiche_config* config_;
    UdpSocket socket_;
    std::vector<std::uint8_t> packets_;
    std::vector<std::uint8_t> read_;
    sockaddr_in remote_{};
    std::random_device random_;
    ConnectionId last_id_ = 0;
    std::unordered_map<ConnectionId, std::unique_ptr<Connection>> connections_;
    std::unordered_map<std::string, Connection*> by_id_;
    std::set<std::pair<std::uint64_t, ConnectionId>> timers_;
    std::vector<ConnectionId> queue_;
    std::vector<ConnectionId> closing_;
    std::vector<std::uint8_t> session_;
    std::size_t share_ = SIZE_MAX;  // of what a write may take
    bool in_turn_ = false;
};

}  // namespace
}  // namespace race

extern "C" int race_main(int argc, char** argv) {
    const race::Options options = race::parse_options(argc, argv);
    race::Quiche transport(options);
    if (options.is_server) race::serve(transport);
    race::drive(transport, options);
    return 0;
}
