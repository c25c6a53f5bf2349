// What is behind stoq::Endpoint: the connections, how datagrams find them, and who gets in.
#pragma once

#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "base/deadline_wheel.h"
#include "base/slab.h"
#include "connection/connection.h"
#include "endpoint/admission.h"
#include "endpoint/connection_table.h"
#include "endpoint/held_datagrams.h"
#include "endpoint/stateless_replies.h"
#include "observe/counters.h"
#include "stoq/endpoint.h"

namespace stoq {

class Endpoint::Implementation {
public:
    // What a client needs in order to begin again without post-quantum key shares.
    struct ClassicalRetry {
        ClientConfig config;
        bool used = false;
    };
    struct Entry {
        std::unique_ptr<connection::Connection> connection;
        std::unique_ptr<ClassicalRetry> retry;          // client, until it is established
        std::vector<wire::StatelessResetToken> tokens;  // as registered in the table
        std::uint32_t tokens_version = 0;
        bool half_open = false;
        bool transmit_queued = false;
        bool events_queued = false;
        bool settle_queued = false;
        bool closed_told = false;
    };

    Implementation(const EndpointSettings& settings, RandomSource& random);

    ApiResult<void> listen(const ServerConfig& config);
    ApiResult<void> replace_credentials(const Credentials& credentials);
    void stop_listening();
    ApiResult<ConnectionHandle> connect(const ClientConfig& config, Instant now);

    void receive(std::span<ReceivedDatagram> datagrams, Instant now);
    std::size_t connection_id_length() const { return generator_->length(); }
    std::span<const ForeignDatagram> foreign_datagrams() const { return queues_.foreign; }
    void settle();
    void admit_handshakes(std::size_t count, Instant now);
    std::size_t held_datagrams() const { return admission_.held.size(); }
    bool transmit(TransmitSlot& slot, Instant now);
    Instant next_timeout() const;
    void on_timeout(Instant now);
    void on_unreachable(const Address& remote, Instant now);
    std::optional<Event> poll_event();

    void close_all(std::uint64_t code, std::string_view reason);

    // The connection of a handle that the application may still use.
    // @error kUnknownConnection.
    ApiResult<Entry*> find(ConnectionHandle handle) {
        Entry* const entry = connections_.find({handle.index, handle.generation});
        if (entry == nullptr || entry->closed_told) {
            return std::unexpected(ApiError::kUnknownConnection);
        }
        return entry;
    }
    // The same for calls that send. @error kClosed.
    ApiResult<Entry*> find_open(ConnectionHandle handle) {
        const auto entry = find(handle);
        if (entry && !(*entry)->connection->is_open()) return std::unexpected(ApiError::kClosed);
        return entry;
    }
    // The connection had to begin again with classical groups.
    bool retried_with_classical_groups(ConnectionHandle handle);
    // The application did something: there may be datagrams to send, or events.
    void touch(ConnectionHandle handle);
    // The same for something that concerns streams alone.
    void touch_streams(ConnectionHandle handle, Entry& entry) {
        if (entry.transmit_queued && entry.events_queued) [[likely]]
            return;
        queue_transmit({handle.index, handle.generation}, entry);
        queue_events({handle.index, handle.generation}, entry);
    }

    Instant latest_time() const { return now_; }
    EndpointStatistics statistics() const;
    void set_event_sink(observe::EventSink* sink) { sink_ = sink; }

private:
    // Connections that wait for their turn, each at most once in each queue; and datagrams that
    // wait for other workers, until settle().
    struct Queues {
        Ring<SlabHandle> transmit;
        Ring<SlabHandle> events;
        Ring<SlabHandle> settle;
        std::vector<ForeignDatagram> foreign;
        bool reply_is_next = false;  // before any connection's datagrams
    };
    static constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();
    // Server: whom it lets in, and when.
    struct Admission {
        std::unique_ptr<endpoint::AdmissionPolicy> policy;
        std::shared_ptr<tls::StrikeRegister> strikes;  // 0-RTT data that was let in
        std::size_t half_open = 0;
        endpoint::HeldDatagrams held{};                         // their handshakes have not begun
        std::vector<endpoint::HeldDatagrams::Held> borrowed{};  // until settle()
        std::size_t permits = kNoLimit;
        Duration waited{};  // of the datagram that is looked at
    };
    struct Server {
        std::shared_ptr<const tls::Context> tls;
        Settings settings;
        bool accepting = true;  // false: refuses, in words that a client understands
    };
    struct ClientContext {
        std::shared_ptr<const Credentials> credentials;
        std::shared_ptr<const tls::Context> tls;
        std::shared_ptr<const tls::Context> classical;  // without post-quantum groups; once needed
    };

    // routing.cpp
    std::size_t receive_for_one(std::span<ReceivedDatagram> datagrams);
    void count_data(ByteView datagram, std::size_t bytes);
    void receive_unrouted(ReceivedDatagram& datagram);
    void receive_unrouted_long(ReceivedDatagram& datagram);
    void negotiate_version(const ReceivedDatagram& datagram,
                           const wire::UnsupportedVersionPacket& packet);
    void receive_unrouted_short(ReceivedDatagram& datagram);
    bool is_foreign(const ReceivedDatagram& datagram);
    void drop(DropReason reason, const ReceivedDatagram& datagram);

    bool transmit_reply(TransmitSlot& slot);
    bool transmit_connection(TransmitSlot& slot);

    // accept.cpp
    void on_initial(ReceivedDatagram& datagram, const wire::ProtectedPacket& packet);
    void refuse(const ReceivedDatagram& datagram, const wire::ProtectedPacket& packet);
    void accept(ReceivedDatagram& datagram, const wire::ProtectedPacket& packet,
                const std::optional<endpoint::AddressToken>& token);
    void send_retry(const ReceivedDatagram& datagram, const wire::ProtectedPacket& packet);
    void give_token(connection::Connection& connection);
    Instant token_time() const;
    bool is_routed(ByteView datagram) const;
    wire::ConnectionId new_connection_id();
    wire::ConnectionId new_destination_id();

    // connect.cpp
    ApiResult<std::unique_ptr<connection::Connection>> make_client(
        const ClientConfig& config, std::shared_ptr<const tls::Context> tls);
    ApiResult<std::shared_ptr<const tls::Context>> client_context(
        const std::shared_ptr<const Credentials>& credentials);
    ApiResult<std::shared_ptr<const tls::Context>> classical_context(
        const std::shared_ptr<const Credentials>& credentials);
    void retry_if_stalled(SlabHandle handle, Entry& entry);
    void begin_again(SlabHandle handle, Entry& entry, std::uint32_t version);
    void replace_connection(SlabHandle handle, Entry& entry,
                            std::unique_ptr<connection::Connection> made);

    // implementation.cpp
    SlabHandle add(std::unique_ptr<connection::Connection> connection);
    void after_activity(SlabHandle handle);
    void update_table(SlabHandle handle, Entry& entry);
    void update_half_open(Entry& entry);
    void queue_events(SlabHandle handle, Entry& entry);
    void queue_transmit(SlabHandle handle, Entry& entry);
    void set_timer(SlabHandle handle, const Entry& entry);
    void remove_if_done(SlabHandle handle);
    void forget_ids(SlabHandle handle, Entry& entry);
    void tell_next_event(SlabHandle handle, Entry& entry, std::optional<Event>& event);

    EndpointSettings settings_;
    PersistentKey root_key_;
    std::unique_ptr<path::ConnectionIdGenerator> generator_;
    path::ResetTokenKey reset_key_;
    endpoint::TokenSealer tokens_;
    Admission admission_;
    streams::StreamResources stream_resources_;
    connection::SharedResources shared_;
    endpoint::ConnectionTable table_;
    endpoint::StatelessReplies replies_;
    Slab<Entry> connections_;
    DeadlineWheel timers_;
    Queues queues_;
    std::optional<Server> server_;
    ClientContext client_;
    EndpointStatistics counters_;  // what is counted; statistics() adds what is looked up
    observe::DropCounters dropped_;
    observe::EventSink* sink_ = nullptr;
    Instant now_{};
};

}  // namespace stoq
