// Sandbox: one endpoint of ours, and on the other side a test that may say whatever it likes.
//
// A real handshake runs first. Its secrets, taken from the key log, then let the test seal packets
// with frames of its choice in the name of the peer, and read what the endpoint answers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connection/packet_builder.h"
#include "protection/open.h"
#include "protection/packet_keys.h"
#include "protection/seal.h"
#include "stoq/endpoint.h"
#include "support/test_credentials.h"
#include "wire/frame.h"

namespace stoq::test {

// A CONNECTION_CLOSE as the endpoint sent it.
struct SeenClose {
    bool application = false;
    std::uint64_t code = 0;
    std::uint64_t frame_type = 0;
};

class Sandbox {
public:
    using Datagram = std::vector<std::uint8_t>;

    // `victim` is the role of the endpoint under test.
    explicit Sandbox(Role victim, Settings victim_settings = {}, Settings peer_settings = {});

    // The handshake completed on both sides.
    bool ready() const { return ready_; }
    Endpoint& victim() { return role_ == Role::kServer ? *server_ : *client_; }
    Endpoint& helper() { return role_ == Role::kServer ? *client_ : *server_; }
    ConnectionHandle victim_connection() const { return victim_connection_; }
    Instant now() const { return now_; }
    const Address& victim_address() const { return role_ == Role::kServer ? kServer : kClient; }
    const Address& peer_address() const { return role_ == Role::kServer ? kClient : kServer; }

    // Seals `frames` (encoded) into one 1-RTT packet of the peer and lets the victim receive it.
    // `number` defaults to the next one.
    void send(ByteView frames, std::optional<std::uint64_t> number = {});
    // Writes frames with `write` first.
    void send_frames(const std::function<void(ByteWriter&)>& write);
    // Changes the header's first byte before it is sealed: reserved bits, for instance.
    void send_with_first_byte(ByteView frames, std::uint8_t bits_to_set);
    // A datagram as it is.
    void receive(Datagram datagram, const Address& from);
    void receive(Datagram datagram) { receive(std::move(datagram), peer_address()); }
    // A sealed packet that was not sent, for a test to spoil.
    Datagram seal(ByteView frames, std::uint64_t number, std::uint8_t bits_to_set = 0);
    std::uint64_t next_number() { return next_number_++; }

    // What the victim sends now: frames of all its 1-RTT packets, one payload each.
    std::vector<std::vector<std::uint8_t>> sent_payloads();
    // The first CONNECTION_CLOSE in what the victim sends now.
    std::optional<SeenClose> close_sent();
    // How the victim's application was told that the connection ended.
    std::optional<CloseInfo> closed();
    // Frames of one type in what the victim sends now.
    template <typename Frame>
    std::vector<Frame> frames_sent();
    // Time goes by for the victim.
    void wait(Duration duration);
    // Until the victim's next timer, whose doing can be looked at.
    void wait_for_timer();
    std::vector<Event> take_events();

    const wire::ConnectionId& victim_id() const { return victim_id_; }
    const wire::ConnectionId& peer_id() const { return peer_id_; }

    static inline const Address kClient = parse_address("192.0.2.1:1000");
    static inline const Address kServer = parse_address("192.0.2.2:443");

private:
    void handshake();
    void note_ids(const Datagram& datagram);
    bool exchange(Endpoint& from, Endpoint& to, const Address& from_address,
                  const Address& to_address);
    void take_event(Endpoint& endpoint, const Event& event);
    void on_key_log(std::string_view line);
    std::vector<Datagram> transmit(Endpoint& endpoint);

    Role role_;
    Instant now_{std::chrono::seconds(1000)};
    SeededRandom client_random_{11};
    SeededRandom server_random_{22};
    std::optional<Endpoint> client_;
    std::optional<Endpoint> server_;
    ConnectionHandle victim_connection_;
    bool ready_ = false;
    int established_ = 0;
    std::map<std::string, std::vector<std::uint8_t>> secrets_;
    std::optional<protection::PacketKeys> peer_keys_;    // to speak as the peer
    std::optional<protection::PacketKeys> victim_keys_;  // to read the victim
    wire::ConnectionId victim_id_;
    wire::ConnectionId peer_id_;
    std::uint64_t next_number_ = 1000;  // above all that the real peer used
    std::uint64_t largest_read_ = 0;
    std::optional<CloseInfo> closed_;
    std::vector<Event> events_;
};

}  // namespace stoq::test

#include "conformance/sandbox_frames.h"
