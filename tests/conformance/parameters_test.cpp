// Peers whose TLS leaves out transport parameters that have to be there (RFC 9000 section 7.3).
#include <gtest/gtest.h>

#include "protection/keyring.h"
#include "stoq/endpoint.h"
#include "support/forged_initial.h"
#include "support/test_credentials.h"
#include "tls/session.h"
#include "wire/frame_decode.h"
#include "wire/frame_encode.h"
#include "wire/transport_parameters.h"

namespace stoq::test {
namespace {

using Packet = std::vector<std::uint8_t>;

enum class Missing : std::uint8_t {
    kNothing,
    kInitialSource,
    kOriginalDestination,
    kTheRightVersion,  // version_information names another one than the packets
};

Credentials with_one_group(Credentials credentials) {
    credentials.groups = "X25519";
    return credentials;
}

// The other side of an endpoint: TLS as it should be, behind transport parameters of our choice.
class TlsPeer {
public:
    // `destination` is the client's first Destination Connection ID.
    TlsPeer(Role role, Missing missing, const wire::ConnectionId& destination) {
        wire::TransportParameters parameters;
        if (missing != Missing::kInitialSource) parameters.initial_source_connection_id = id_;
        if (role == Role::kServer && missing != Missing::kOriginalDestination) {
            parameters.original_destination_connection_id = destination;
        }
        if (missing == Missing::kTheRightVersion) {
            parameters.version_information.emplace().chosen = wire::kVersion2;
            parameters.version_information->add_available(wire::kVersion2);
            parameters.version_information->add_available(wire::kVersion1);
        }
        std::array<std::uint8_t, 200> memory;
        ByteWriter writer(memory);
        EXPECT_TRUE(wire::encode_transport_parameters(writer, parameters, role));
        const Credentials credentials =
            with_one_group(role == Role::kServer ? server_credentials() : client_credentials());
        session_ = tls::Session::create(tls::Context::create(role, credentials).value(),
                                        {.server_name = "localhost",
                                         .local_transport_parameters = writer.written_bytes(),
                                         .ticket = {},
                                         .alpn = {}})
                       .value();
        keys_.install_initial(role, destination.view());
    }

    void receive_initial(ByteView crypto) {
        ASSERT_TRUE(session_->receive(EncryptionLevel::kInitial, crypto));
        while (auto event = session_->poll_event()) {
            const auto* secret = std::get_if<tls::SecretInstalled>(&*event);
            if (secret == nullptr || secret->direction != tls::Direction::kSend) continue;
            keys_.install(secret->level, crypto::Direction::kSeal, secret->cipher_suite,
                          secret->secret);
        }
    }

    // What TLS wants to say, in datagrams to the endpoint whose connection ID is `to`.
    std::vector<Packet> send(const wire::ConnectionId& to) {
        std::vector<Packet> packets;
        for (const EncryptionLevel level :
             {EncryptionLevel::kInitial, EncryptionLevel::kHandshake}) {
            const ByteView all = session_->pending(level);
            for (std::size_t at = 0; at < all.size(); at += 1'000) {
                const ByteView part =
                    all.subspan(at, std::min<std::size_t>(1'000, all.size() - at));
                packets.push_back(seal(level, to, at / 1'000, {at, part}));
            }
        }
        return packets;
    }

private:
    Packet seal(EncryptionLevel level, const wire::ConnectionId& to, std::uint64_t number,
                const wire::CryptoFrame& frame) {
        Packet bytes(1'200);
        auto packet = connection::PacketBuilder::begin(bytes, {.level = level,
                                                               .destination = to,
                                                               .source = id_,
                                                               .token = {},
                                                               .number = PacketNumber(number),
                                                               .largest_acknowledged = {}});
        EXPECT_TRUE(packet && wire::encode(packet->payload().bytes(), frame));
        packet->pad_to(bytes.size());
        const protection::PacketToSeal to_seal = packet->finish();
        EXPECT_TRUE(keys_.seal(level, {&to_seal, 1}));
        return bytes;
    }

    SeededRandom random_{5};
    wire::ConnectionId id_ = random_connection_id(random_);
    std::unique_ptr<tls::Session> session_;
    protection::Keyring keys_;
};

// How an endpoint of ours takes what such a peer sends.
class MissingParameters : public testing::Test {
protected:
    void deliver(std::vector<Packet> packets) {
        for (Packet& packet : packets) {
            ReceivedDatagram received{.data = packet, .local = here_, .remote = there_};
            endpoint_.receive({&received, 1}, now_);
            endpoint_.settle();
        }
        while (const auto event = endpoint_.poll_event()) {
            if (std::holds_alternative<ConnectionEstablished>(*event)) established_ = true;
            if (const auto* closed = std::get_if<ConnectionClosed>(&*event)) closed_ = closed->info;
        }
    }

    void meet_client(Missing missing) {
        ASSERT_TRUE(endpoint_.listen({with_one_group(server_credentials()), {}}));
        const wire::ConnectionId destination = random_connection_id(peer_random_);
        TlsPeer peer(Role::kClient, missing, destination);
        deliver(peer.send(destination));
    }

    void meet_server(Missing missing) {
        const auto credentials =
            std::make_shared<const Credentials>(with_one_group(client_credentials()));
        ASSERT_TRUE(endpoint_.connect(
            {.remote = there_, .server_name = "localhost", .credentials = credentials}, now_));
        Packet datagram(1'500);
        TransmitSlot slot;
        slot.buffer = datagram;
        ASSERT_TRUE(endpoint_.transmit(slot, now_));
        datagram.resize(slot.length);
        const auto packet = wire::decode_packet(datagram, 0);
        ASSERT_TRUE(packet && std::holds_alternative<wire::ProtectedPacket>(*packet));
        const auto& initial = std::get<wire::ProtectedPacket>(*packet);
        const wire::ConnectionId source = initial.source;
        TlsPeer peer(Role::kServer, missing, initial.destination);
        const Packet frames = initial_frames(datagram);
        ByteReader reader(frames);
        while (!reader.empty()) {
            const auto frame = wire::decode_frame(reader, wire::PacketType::kInitial);
            ASSERT_TRUE(frame);
            const auto* crypto = std::get_if<wire::CryptoFrame>(&*frame);
            if (crypto != nullptr) peer.receive_initial(crypto->data);
        }
        deliver(peer.send(source));
    }

    void expect_refusal() const {
        ASSERT_TRUE(closed_);
        EXPECT_EQ(closed_->kind, CloseKind::kLocalTransport);
        EXPECT_EQ(closed_->code,
                  static_cast<std::uint64_t>(TransportErrorCode::kTransportParameterError));
        EXPECT_EQ(closed_->reason, Reason::kMissingParameter);
        EXPECT_FALSE(established_);
    }

    SeededRandom random_{3};
    SeededRandom peer_random_{4};
    const Address here_ = parse_address("192.0.2.1:1000");
    const Address there_ = parse_address("192.0.2.2:443");
    Endpoint endpoint_ = Endpoint::create({}, random_).value();
    Instant now_{std::chrono::seconds(1)};
    bool established_ = false;
    std::optional<CloseInfo> closed_;
};

//= test 9000-7.3-3
TEST_F(MissingParameters, ClientWithoutInitialSourceConnectionIdIsRefused) {
    meet_client(Missing::kInitialSource);
    expect_refusal();
}

//= test 9000-7.3-3
TEST_F(MissingParameters, ServerWithoutInitialSourceConnectionIdIsRefused) {
    meet_server(Missing::kInitialSource);
    expect_refusal();
}

//= test 9000-7.3-3
TEST_F(MissingParameters, ServerWithoutOriginalDestinationConnectionIdIsRefused) {
    meet_server(Missing::kOriginalDestination);
    expect_refusal();
}

// Somebody on the way has changed the version of the packets, or the peer is in error.
//= test 9368-4-8
//= test 9368-4-9
//= test 9368-4-10
//= test 9369-4-2
TEST_F(MissingParameters, ClientOfAnotherVersionThanThatOfItsPacketsIsRefused) {
    meet_client(Missing::kTheRightVersion);
    ASSERT_TRUE(closed_);
    EXPECT_EQ(closed_->code,
              static_cast<std::uint64_t>(TransportErrorCode::kVersionNegotiationError));
}

//= test 9368-4-13
//= test 9368-4-18
TEST_F(MissingParameters, ServerOfAnotherVersionThanThatOfItsPacketsIsRefused) {
    meet_server(Missing::kTheRightVersion);
    ASSERT_TRUE(closed_);
    EXPECT_EQ(closed_->code,
              static_cast<std::uint64_t>(TransportErrorCode::kVersionNegotiationError));
    EXPECT_FALSE(established_);
}

TEST_F(MissingParameters, ClientThatLeavesNothingOutIsAccepted) {
    meet_client(Missing::kNothing);
    EXPECT_FALSE(closed_);
    EXPECT_EQ(endpoint_.statistics().connections_now, 1u);
}

TEST_F(MissingParameters, ServerThatLeavesNothingOutIsAccepted) {
    meet_server(Missing::kNothing);
    EXPECT_FALSE(closed_);
    EXPECT_TRUE(established_);
}

}  // namespace
}  // namespace stoq::test
