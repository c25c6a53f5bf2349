// Somebody on the path who opens Initial packets, whose keys everybody can compute (RFC 9001
// section 5.2), changes the ClientHello and the ServerHello in them, and seals them again.
//
// One object serves both directions of one connection: put toward_server() and toward_client() into
// the two pipes. It has to outlive them.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "protection/keyring.h"
#include "sim/element.h"
#include "support/hello_message.h"
#include "wire/frame.h"
#include "wire/packet_header.h"

namespace stoq::sim {

class InitialMeddler {
public:
    using Change = std::function<void(test::HelloMessage& hello)>;

    // Either may be null: those hellos travel as they were.
    InitialMeddler(Change client_hello, Change server_hello);

    std::unique_ptr<Element> toward_server();
    std::unique_ptr<Element> toward_client();

    // How many hellos were really changed.
    int changed() const { return changed_; }

private:
    using Buffer = std::vector<std::uint8_t>;
    // An Initial packet at the front of a datagram, opened.
    struct Opened {
        InFlight in_flight;
        wire::ConnectionId destination;
        wire::ConnectionId source;
        Buffer token;
        PacketNumber number;
        std::size_t length = 0;  // of the packet
        Buffer other_frames;     // without CRYPTO and PADDING
        std::vector<std::pair<std::uint64_t, Buffer>> crypto;
        Buffer rest;  // of the datagram
    };
    // One direction: what of the hello has come, and what takes its place.
    struct Direction {
        Change change{};
        std::optional<protection::Keyring> keys_to_open{};  // of the role that hears this direction
        std::optional<protection::Keyring> keys_to_seal{};  // of the role that speaks
        std::uint64_t next_expected = 0;
        Buffer hello{};
        std::size_t old_length = 0;
        Buffer replacement{};
        bool done = false;
        std::vector<Opened> held{};
    };

    void process(Direction& direction, InFlight in, std::vector<InFlight>& out);
    std::optional<Opened> open(Direction& direction, InFlight& in);
    void learn_keys(ByteView destination);
    static protection::PacketToOpen try_to_open(Direction& direction,
                                                const wire::ProtectedPacket& packet);
    static bool take_hello(Direction& direction, const Opened& packet);
    void replace_hello(Direction& direction);
    void release_held(Direction& direction, std::vector<InFlight>& out);
    static void shift_crypto(const Direction& direction, Opened& packet);
    static InFlight seal(Direction& direction, Opened& packet);

    Direction client_;
    Direction server_;
    int changed_ = 0;
};

}  // namespace stoq::sim
