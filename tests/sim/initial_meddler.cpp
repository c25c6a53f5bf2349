#include "sim/initial_meddler.h"

#include <algorithm>

#include "connection/packet_builder.h"
#include "sim/elements.h"
#include "wire/frame_decode.h"
#include "wire/frame_encode.h"

namespace stoq::sim {
namespace {

constexpr std::size_t kLeastDatagram = 1200;
constexpr std::size_t kHelloPerPacket = 1100;

class Passing final : public Element {
public:
    using Function = std::function<void(InFlight, std::vector<InFlight>&)>;
    explicit Passing(Function function) : function_(std::move(function)) {}
    void process(InFlight in, std::vector<InFlight>& out) override {
        function_(std::move(in), out);
    }

private:
    Function function_;
};

// How long the message is that begins with these bytes.
std::size_t message_length(const std::vector<std::uint8_t>& begin) {
    if (begin.size() < 4) return SIZE_MAX;
    return 4 + (std::size_t{begin[1]} << 16 | std::size_t{begin[2]} << 8 | begin[3]);
}

}  // namespace

InitialMeddler::InitialMeddler(Change client_hello, Change server_hello) {
    client_.change = std::move(client_hello);
    server_.change = std::move(server_hello);
}

std::unique_ptr<Element> InitialMeddler::toward_server() {
    return std::make_unique<Passing>(
        [this](InFlight in, std::vector<InFlight>& out) { process(client_, std::move(in), out); });
}

std::unique_ptr<Element> InitialMeddler::toward_client() {
    return std::make_unique<Passing>(
        [this](InFlight in, std::vector<InFlight>& out) { process(server_, std::move(in), out); });
}

void InitialMeddler::process(Direction& direction, InFlight in, std::vector<InFlight>& out) {
    auto packet = open(direction, in);
    if (!packet) return out.push_back(std::move(in));
    // A close, or an acknowledgement, need not wait for a hello.
    if (!direction.done && packet->crypto.empty())
        return out.push_back(std::move(packet->in_flight));
    if (direction.done) {
        shift_crypto(direction, *packet);
        return out.push_back(seal(direction, *packet));
    }
    const bool complete = take_hello(direction, *packet);
    direction.held.push_back(std::move(*packet));
    if (!complete) return;
    replace_hello(direction);
    release_held(direction, out);
}

// A client that begins again does so under another connection ID, and is attended to once more.
void InitialMeddler::learn_keys(ByteView destination) {
    client_ = {.change = std::move(client_.change)};
    server_ = {.change = std::move(server_.change)};
    client_.keys_to_open.emplace().install_initial(Role::kServer, destination);
    client_.keys_to_seal.emplace().install_initial(Role::kClient, destination);
    server_.keys_to_open.emplace().install_initial(Role::kClient, destination);
    server_.keys_to_seal.emplace().install_initial(Role::kServer, destination);
}

protection::PacketToOpen InitialMeddler::try_to_open(Direction& direction,
                                                     const wire::ProtectedPacket& packet) {
    protection::PacketToOpen to_open = protection::packet_to_open(packet);
    if (!direction.keys_to_open) return to_open;
    (void)direction.keys_to_open->open(EncryptionLevel::kInitial, {&to_open, 1},
                                       {.next_expected = PacketNumber(direction.next_expected)});
    return to_open;
}

std::optional<InitialMeddler::Opened> InitialMeddler::open(Direction& direction, InFlight& in) {
    Buffer copy = in.datagram.bytes;
    const auto decoded = wire::decode_packet(copy, 8, wire::FixedBit::kMayBeClear);
    const auto* found = decoded ? std::get_if<wire::ProtectedPacket>(&*decoded) : nullptr;
    if (found == nullptr || found->type != wire::PacketType::kInitial) return std::nullopt;
    protection::PacketToOpen to_open = try_to_open(direction, *found);
    if (!to_open.opened && &direction == &client_) {
        std::ranges::copy(in.datagram.bytes, copy.begin());
        learn_keys(found->destination.view());
        to_open = try_to_open(direction, *found);
    }
    if (!to_open.opened) return std::nullopt;
    Opened packet;
    packet.destination = found->destination;
    packet.source = found->source;
    packet.token.assign(found->token.begin(), found->token.end());
    packet.number = to_open.opened->number();
    packet.length = found->bytes.size();
    packet.rest.assign(copy.begin() + static_cast<std::ptrdiff_t>(packet.length), copy.end());
    direction.next_expected = std::max(direction.next_expected, packet.number.value() + 1);
    Buffer room(copy.size());
    ByteWriter others(room);
    ByteReader reader(to_open.opened->payload());
    while (!reader.empty()) {
        const auto frame = wire::decode_frame(reader, wire::PacketType::kInitial);
        if (!frame) break;
        if (const auto* crypto = std::get_if<wire::CryptoFrame>(&*frame)) {
            packet.crypto.emplace_back(crypto->offset,
                                       Buffer(crypto->data.begin(), crypto->data.end()));
        } else if (!std::holds_alternative<wire::PaddingFrame>(*frame)) {
            (void)wire::encode(others, *frame);
        }
    }
    packet.other_frames.assign(others.written_bytes().begin(), others.written_bytes().end());
    packet.in_flight = std::move(in);
    return packet;
}

// Whether the whole hello is there now.
bool InitialMeddler::take_hello(Direction& direction, const Opened& packet) {
    for (const auto& [offset, bytes] : packet.crypto) {
        if (offset > direction.hello.size()) continue;  // no reordering on this path
        direction.hello.resize(offset);
        direction.hello.insert(direction.hello.end(), bytes.begin(), bytes.end());
    }
    return direction.hello.size() >= message_length(direction.hello);
}

void InitialMeddler::replace_hello(Direction& direction) {
    direction.done = true;
    direction.old_length = direction.hello.size();
    direction.replacement = direction.hello;
    auto hello = test::HelloMessage::parse(direction.hello);
    if (!hello || !direction.change) return;
    direction.change(*hello);
    direction.replacement = hello->encode();
    if (direction.replacement != direction.hello) ++changed_;
}

// The packets that brought the old hello bring the new one, each under its own number.
void InitialMeddler::release_held(Direction& direction, std::vector<InFlight>& out) {
    std::size_t offset = 0;
    for (Opened& packet : direction.held) {
        packet.crypto.clear();
        const std::size_t length = std::min(kHelloPerPacket, direction.replacement.size() - offset);
        const auto from = direction.replacement.begin() + static_cast<std::ptrdiff_t>(offset);
        if (length > 0) {
            packet.crypto.emplace_back(offset,
                                       Buffer(from, from + static_cast<std::ptrdiff_t>(length)));
        }
        offset += length;
        const Instant now = direction.held.back().in_flight.at;
        out.push_back(seal(direction, packet));
        out.back().at = now;
    }
    direction.held.clear();
}

// What follows the hello keeps its distance from it; repetitions of the hello vanish.
void InitialMeddler::shift_crypto(const Direction& direction, Opened& packet) {
    std::erase_if(packet.crypto,
                  [&](const auto& piece) { return piece.first < direction.old_length; });
    for (auto& [offset, bytes] : packet.crypto) {
        offset = offset - direction.old_length + direction.replacement.size();
    }
}

InFlight InitialMeddler::seal(Direction& direction, Opened& packet) {
    Buffer room(packet.length + kLeastDatagram);
    auto builder = connection::PacketBuilder::begin(room, {.level = EncryptionLevel::kInitial,
                                                           .destination = packet.destination,
                                                           .source = packet.source,
                                                           .token = packet.token,
                                                           .number = packet.number,
                                                           .largest_acknowledged = {}});
    ByteWriter& writer = builder->payload().bytes();
    (void)writer.write_bytes(packet.other_frames);
    for (const auto& [offset, bytes] : packet.crypto) {
        (void)wire::encode(writer, wire::CryptoFrame{offset, bytes});
    }
    if (packet.crypto.empty() && packet.other_frames.empty()) {
        (void)wire::encode(writer, wire::PingFrame{});
    }
    builder->pad_to(std::max(builder->length(), packet.length));
    const protection::PacketToSeal to_seal = builder->finish();
    (void)direction.keys_to_seal->seal(EncryptionLevel::kInitial, {&to_seal, 1});
    room.resize(builder->length());
    room.insert(room.end(), packet.rest.begin(), packet.rest.end());
    packet.in_flight.datagram.bytes = std::move(room);
    return std::move(packet.in_flight);
}

}  // namespace stoq::sim
