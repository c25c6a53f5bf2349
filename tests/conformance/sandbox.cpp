#include "conformance/sandbox.h"

#include <gtest/gtest.h>

#include "wire/packet_number_codec.h"

namespace stoq::test {
namespace {

std::vector<std::uint8_t> from_hex(std::string_view text) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        bytes.push_back(
            static_cast<std::uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
    }
    return bytes;
}

// Only AES-128, so that one set of key parameters serves.
Credentials with_one_cipher(Credentials credentials) {
    credentials.cipher_suites = {.aes_256_gcm = false, .chacha20_poly1305 = false};
    return credentials;
}

}  // namespace

Sandbox::Sandbox(Role victim, Settings victim_settings, Settings peer_settings) : role_(victim) {
    client_.emplace(std::move(Endpoint::create({}, client_random_).value()));
    server_.emplace(std::move(Endpoint::create({}, server_random_).value()));
    // MTU probes would only be in the way of tests that read what is sent.
    victim_settings.max_datagram_size = victim_settings.initial_datagram_size;
    peer_settings.max_datagram_size = peer_settings.initial_datagram_size;
    const Settings& server_settings = victim == Role::kServer ? victim_settings : peer_settings;
    const Settings& client_settings = victim == Role::kClient ? victim_settings : peer_settings;
    EXPECT_TRUE(server_->listen({with_one_cipher(server_credentials()), server_settings}));
    auto credentials = std::make_shared<Credentials>(with_one_cipher(client_credentials()));
    credentials->key_log = [this](std::string_view line) { on_key_log(line); };
    const auto connection = client_->connect({.remote = kServer,
                                              .local = kClient,
                                              .server_name = "localhost",
                                              .credentials = credentials,
                                              .settings = client_settings,
                                              .token = {}},
                                             now_);
    EXPECT_TRUE(connection);
    if (victim == Role::kClient) victim_connection_ = *connection;
    handshake();
}

void Sandbox::on_key_log(std::string_view line) {
    const auto label = line.substr(0, line.find(' '));
    secrets_[std::string(label)] = from_hex(line.substr(line.rfind(' ') + 1));
}

void Sandbox::handshake() {
    for (int round = 0; round < 20; ++round) {
        const bool there = exchange(*client_, *server_, kClient, kServer);
        const bool back = exchange(*server_, *client_, kServer, kClient);
        if (!there && !back) break;
    }
    ready_ = established_ == 2;
    if (!ready_) return;
    const auto keys = [&](const char* label, crypto::Direction direction) {
        return protection::make_packet_keys({}, direction, crypto::Secret(secrets_.at(label)));
    };
    const char* const client_label = "CLIENT_TRAFFIC_SECRET_0";
    const char* const server_label = "SERVER_TRAFFIC_SECRET_0";
    const bool server = role_ == Role::kServer;
    peer_keys_ = keys(server ? client_label : server_label, crypto::Direction::kSeal);
    victim_keys_ = keys(server ? server_label : client_label, crypto::Direction::kOpen);
}

// Both sides' IDs stand in the long headers of the handshake.
void Sandbox::note_ids(const Datagram& datagram) {
    Datagram copy = datagram;
    if (!wire::has_long_header(copy[0])) return;
    const auto packet = wire::decode_packet(copy, 8, wire::FixedBit::kMayBeClear);
    if (!packet) return;
    if (const auto* found = std::get_if<wire::ProtectedPacket>(&*packet))
        victim_id_ = found->source;
}

bool Sandbox::exchange(Endpoint& from, Endpoint& to, const Address& from_address,
                       const Address& to_address) {
    bool any = false;
    for (Datagram& datagram : transmit(from)) {
        any = true;
        if (&from == &victim()) note_ids(datagram);
        if (&from == &helper()) {
            Datagram copy = datagram;
            const auto packet = wire::decode_packet(copy, 8, wire::FixedBit::kMayBeClear);
            if (packet && std::holds_alternative<wire::ProtectedPacket>(*packet)) {
                const auto& found = std::get<wire::ProtectedPacket>(*packet);
                if (found.type != wire::PacketType::kOneRtt) peer_id_ = found.source;
            }
        }
        now_ += std::chrono::milliseconds(1);
        ReceivedDatagram received{datagram, to_address, from_address, Ecn::kNotEct};
        to.receive({&received, 1}, now_);
        to.settle();
    }
    while (const auto event = to.poll_event()) take_event(to, *event);
    while (const auto event = from.poll_event()) take_event(from, *event);
    return any;
}

void Sandbox::take_event(Endpoint& endpoint, const Event& event) {
    if (const auto* established = std::get_if<ConnectionEstablished>(&event)) {
        ++established_;
        if (&endpoint == &victim()) victim_connection_ = established->connection;
    }
    if (&endpoint != &victim()) return;
    if (const auto* end = std::get_if<ConnectionClosed>(&event)) closed_ = end->info;
    events_.push_back(event);
}

std::vector<Sandbox::Datagram> Sandbox::transmit(Endpoint& endpoint) {
    std::vector<Datagram> datagrams;
    std::vector<std::uint8_t> memory(65507);
    for (;;) {
        TransmitSlot slot;
        slot.buffer = memory;
        slot.max_datagrams = 44;
        if (!endpoint.transmit(slot, now_)) return datagrams;
        for (std::size_t at = 0; at < slot.length; at += slot.datagram_length) {
            const std::size_t length = std::min(slot.datagram_length, slot.length - at);
            const auto begin = memory.begin() + static_cast<std::ptrdiff_t>(at);
            datagrams.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(length));
        }
    }
}

Sandbox::Datagram Sandbox::seal(ByteView frames, std::uint64_t number, std::uint8_t bits_to_set) {
    Datagram room(1452);
    auto packet = connection::PacketBuilder::begin(room, {.level = EncryptionLevel::kOneRtt,
                                                          .destination = victim_id_,
                                                          .source = {},
                                                          .token = {},
                                                          .number = PacketNumber(number),
                                                          // The peer's own packets do not count.
                                                          .largest_acknowledged = {}});
    EXPECT_TRUE(packet);
    if (frames.empty()) {
        // The builder would pad: an empty payload needs a four-byte packet number.
        ByteWriter writer(room);
        const wire::ShortHeader header{.destination = victim_id_};
        const auto offset = wire::encode_short_header(writer, header, PacketNumber(number), 4);
        protection::seal(*peer_keys_, std::array{protection::PacketToSeal{
                                          room.data(), static_cast<std::uint32_t>(*offset),
                                          static_cast<std::uint32_t>(writer.written()), 4,
                                          PacketNumber(number)}});
        room.resize(writer.written() + crypto::kTagSize);
        return room;
    }
    EXPECT_TRUE(packet->payload().bytes().write_bytes(frames));
    const protection::PacketToSeal to_seal = packet->finish();
    room[0] |= bits_to_set;
    protection::seal(*peer_keys_, {&to_seal, 1});
    room.resize(packet->length());
    return room;
}

void Sandbox::send(ByteView frames, std::optional<std::uint64_t> number) {
    receive(seal(frames, number.value_or(next_number())));
}

void Sandbox::send_frames(const std::function<void(ByteWriter&)>& write) {
    std::vector<std::uint8_t> room(1300);
    ByteWriter writer(room);
    write(writer);
    send(writer.written_bytes());
}

void Sandbox::send_with_first_byte(ByteView frames, std::uint8_t bits_to_set) {
    receive(seal(frames, next_number(), bits_to_set));
}

void Sandbox::receive(Datagram datagram, const Address& from) {
    ReceivedDatagram received{datagram, victim_address(), from, Ecn::kNotEct};
    victim().receive({&received, 1}, now_);
    while (const auto event = victim().poll_event()) take_event(victim(), *event);
    victim().settle();
}

std::vector<std::vector<std::uint8_t>> Sandbox::sent_payloads() {
    std::vector<std::vector<std::uint8_t>> payloads;
    for (Datagram& datagram : transmit(victim())) {
        const auto packet =
            wire::decode_short_header(datagram, peer_id_.length(), wire::FixedBit::kMayBeClear);
        if (!packet || wire::has_long_header(datagram[0])) continue;
        protection::PacketToOpen to_open;
        to_open.packet = packet->bytes;
        to_open.packet_number_offset = static_cast<std::uint32_t>(packet->packet_number_offset);
        to_open.type = wire::PacketType::kOneRtt;
        protection::remove_header_protection(*victim_keys_->header, {&to_open, 1});
        to_open.packet_number = wire::expand_packet_number(
            to_open.truncated_packet_number, to_open.packet_number_length, largest_read_ + 1);
        protection::open(victim_keys_->payload, {&to_open, 1});
        if (!to_open.opened) continue;
        largest_read_ = std::max(largest_read_, to_open.packet_number.value());
        const ByteView payload = to_open.opened->payload();
        payloads.emplace_back(payload.begin(), payload.end());
    }
    while (const auto event = victim().poll_event()) take_event(victim(), *event);
    return payloads;
}

std::optional<SeenClose> Sandbox::close_sent() {
    const auto frames = frames_sent<wire::ConnectionCloseFrame>();
    if (frames.empty()) return std::nullopt;
    return SeenClose{frames[0].application, frames[0].error_code, frames[0].frame_type};
}

std::optional<CloseInfo> Sandbox::closed() {
    while (const auto event = victim().poll_event()) take_event(victim(), *event);
    return closed_;
}

void Sandbox::wait_for_timer() {
    now_ = std::max(now_, victim().next_timeout());
    victim().on_timeout(now_);
}

void Sandbox::wait(Duration duration) {
    const Instant end = now_ + duration;
    transmit(victim());
    while (victim().next_timeout() <= end) {
        now_ = std::max(now_, victim().next_timeout());
        victim().on_timeout(now_);
        // Let what came due leave, or the same deadline would come again.
        transmit(victim());
    }
    now_ = end;
    while (const auto event = victim().poll_event()) take_event(victim(), *event);
}

std::vector<Event> Sandbox::take_events() {
    while (const auto event = victim().poll_event()) take_event(victim(), *event);
    return std::exchange(events_, {});
}

}  // namespace stoq::test
