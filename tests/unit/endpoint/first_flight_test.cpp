// The first datagrams of a connection: sizes and connection IDs, Version Negotiation, Retry.
#include <deque>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "connection/packet_builder.h"
#include "protection/keyring.h"
#include "protection/retry_integrity.h"
#include "stoq/endpoint.h"
#include "support/counting_sink.h"
#include "support/test_credentials.h"
#include "wire/frame_decode.h"
#include "wire/frame_encode.h"
#include "wire/packet_header.h"
#include "wire/retry_packet.h"
#include "wire/version.h"

namespace stoq {
namespace {

using namespace std::chrono_literals;
using Datagram = std::vector<std::uint8_t>;
using Datagrams = std::deque<Datagram>;

constexpr std::size_t kIdLength = 8;
constexpr std::size_t kLeastInitialDatagram = 1200;

// What an observer with the keys of the first flight sees of a client's Initial packets.
struct ClientInitial {
    wire::ConnectionId destination;
    wire::ConnectionId source;
    Datagram token;
    std::uint64_t number = 0;
    std::map<std::uint64_t, std::uint8_t> crypto;  // byte by offset
};

ClientInitial read_initial(Datagram datagram) {
    ClientInitial seen;
    const auto packet = wire::decode_packet(datagram, kIdLength);
    if (!packet || !std::holds_alternative<wire::ProtectedPacket>(*packet)) {
        ADD_FAILURE() << "not a packet";
        return seen;
    }
    const auto& initial = std::get<wire::ProtectedPacket>(*packet);
    seen.destination = initial.destination;
    seen.source = initial.source;
    seen.token.assign(initial.token.begin(), initial.token.end());
    protection::Keyring keys;
    keys.install_initial(Role::kServer, initial.destination.view());
    protection::PacketToOpen to_open = protection::packet_to_open(initial);
    keys.open(EncryptionLevel::kInitial, {&to_open, 1}, {});
    if (!to_open.opened) {
        ADD_FAILURE() << "does not open";
        return seen;
    }
    seen.number = to_open.opened->number().value();
    ByteReader reader(to_open.opened->payload());
    while (!reader.empty()) {
        const auto frame = wire::decode_frame(reader, wire::PacketType::kInitial);
        if (!frame) break;
        if (const auto* crypto = std::get_if<wire::CryptoFrame>(&*frame)) {
            std::uint64_t at = crypto->offset;
            for (const std::uint8_t byte : crypto->data) seen.crypto[at++] = byte;
        }
    }
    return seen;
}

// The frames of a client's Initial packet.
Datagram payload_of(Datagram datagram) {
    const auto packet = wire::decode_packet(datagram, kIdLength);
    if (!packet || !std::holds_alternative<wire::ProtectedPacket>(*packet)) return {};
    const auto& initial = std::get<wire::ProtectedPacket>(*packet);
    protection::Keyring keys;
    keys.install_initial(Role::kServer, initial.destination.view());
    protection::PacketToOpen to_open = protection::packet_to_open(initial);
    keys.open(EncryptionLevel::kInitial, {&to_open, 1}, {});
    if (!to_open.opened) return {};
    return {to_open.opened->payload().begin(), to_open.opened->payload().end()};
}

std::map<std::uint64_t, std::uint8_t> crypto_of(const Datagrams& datagrams) {
    std::map<std::uint64_t, std::uint8_t> all;
    for (const Datagram& datagram : datagrams) all.merge(read_initial(datagram).crypto);
    return all;
}

class FirstFlight : public testing::Test {
protected:
    void start(const std::string& token = {}, const EndpointSettings& server_settings = {},
               const Credentials& credentials = test::client_credentials(),
               const Identity& server_identity = test::test_identity().identity) {
        server_.emplace(*Endpoint::create(server_settings, server_random_));
        Credentials server_credentials = test::server_credentials();
        server_credentials.identities = {server_identity};
        ASSERT_TRUE(server_->listen({server_credentials, {}}));
        const auto connection =
            client_->connect({.remote = server_address_,
                              .server_name = "localhost",
                              .credentials = std::make_shared<Credentials>(credentials),
                              .token = token},
                             now_);
        ASSERT_TRUE(connection);
        connection_ = *connection;
        first_ = drain(*client_);
        ASSERT_FALSE(first_.empty());
        initial_ = read_initial(first_.front());
    }

    Datagrams drain(Endpoint& endpoint) {
        Datagrams datagrams;
        Datagram buffer(1500);
        for (int i = 0; i < 100; ++i) {
            TransmitSlot slot;
            slot.buffer = buffer;
            if (!endpoint.transmit(slot, now_)) break;
            datagrams.emplace_back(buffer.begin(),
                                   buffer.begin() + static_cast<std::ptrdiff_t>(slot.length));
        }
        return datagrams;
    }
    void deliver(Endpoint& endpoint, Datagrams datagrams) {
        const bool to_client = &endpoint == &*client_;
        for (Datagram& datagram : datagrams) {
            ReceivedDatagram received{.data = datagram,
                                      .local = to_client ? client_address_ : server_address_,
                                      .remote = to_client ? server_address_ : client_address_};
            endpoint.receive({&received, 1}, now_);
            endpoint.settle();
        }
    }
    // Runs both sides until nothing is said any more.
    void exchange() {
        for (int round = 0; round < 20; ++round) {
            now_ += 5ms;
            deliver(*server_, drain(*client_));
            deliver(*client_, drain(*server_));
            client_->on_timeout(now_);
            server_->on_timeout(now_);
        }
    }
    std::optional<CloseKind> end() {
        while (const auto event = client_->poll_event()) {
            if (std::holds_alternative<ConnectionEstablished>(*event)) established_ = true;
            if (const auto* closed = std::get_if<ConnectionClosed>(&*event)) {
                return closed->info.kind;
            }
        }
        return std::nullopt;
    }

    Datagram version_negotiation(std::initializer_list<std::uint32_t> versions) const {
        Datagram bytes{0x80, 0, 0, 0, 0};
        append_id(bytes, initial_.source);
        append_id(bytes, initial_.destination);
        for (const std::uint32_t version : versions) {
            for (int shift = 24; shift >= 0; shift -= 8) {
                bytes.push_back(static_cast<std::uint8_t>(version >> shift));
            }
        }
        return bytes;
    }
    Datagram retry(const wire::ConnectionId& source, const Datagram& token) const {
        Datagram bytes(500);
        ByteWriter writer(bytes);
        EXPECT_TRUE(wire::encode_retry_without_tag(writer, {.version = wire::kVersion1,
                                                            .destination = initial_.source,
                                                            .source = source,
                                                            .token = token}));
        const auto tag = protection::retry_integrity_tag(initial_.destination.view(),
                                                         ByteView(bytes).first(writer.written()));
        EXPECT_TRUE(writer.write_bytes(tag));
        bytes.resize(writer.written());
        return bytes;
    }
    // What whoever saw the client's first datagram can send: an Initial packet of either side.
    struct Forgery {
        std::uint64_t number = 0;
        wire::ConnectionId source{};
        Datagram token{};
        Datagram frames{0x01};  // PING
        std::uint8_t reserved_bits = 0;
    };
    Datagram initial_of_server(const Forgery& forgery) const {
        return initial_of(Role::kServer, forgery);
    }
    Datagram initial_of(Role sender, const Forgery& forgery) const {
        const wire::ConnectionId& destination =
            sender == Role::kServer ? initial_.source : initial_.destination;
        Datagram bytes(1200);
        auto packet =
            connection::PacketBuilder::begin(bytes, {.level = EncryptionLevel::kInitial,
                                                     .version = wire::kVersion1,
                                                     .destination = destination,
                                                     .source = forgery.source,
                                                     .token = forgery.token,
                                                     .fixed_bit = true,
                                                     .number = PacketNumber(forgery.number),
                                                     .largest_acknowledged = {}});
        EXPECT_TRUE(packet && packet->payload().bytes().write_bytes(forgery.frames));
        if (sender == Role::kClient) packet->pad_to(bytes.size());
        const protection::PacketToSeal to_seal = packet->finish();
        bytes[0] |= forgery.reserved_bits;
        protection::Keyring keys;
        keys.install_initial(sender, initial_.destination.view());
        EXPECT_TRUE(keys.seal(EncryptionLevel::kInitial, {&to_seal, 1}));
        bytes.resize(packet->length());
        return bytes;
    }
    std::uint64_t received() const { return client_->statistics(connection_)->packets_received; }

    static void append_id(Datagram& bytes, const wire::ConnectionId& id) {
        bytes.push_back(static_cast<std::uint8_t>(id.length()));
        bytes.insert(bytes.end(), id.view().begin(), id.view().end());
    }

    SeededRandom client_random_{11};
    SeededRandom server_random_{12};
    const Address client_address_ = parse_address("192.0.2.1:1000");
    const Address server_address_ = parse_address("192.0.2.2:4433");
    const std::array<std::uint8_t, 9> other_id_bytes_{9, 8, 7, 6, 5, 4, 3, 2, 1};
    const wire::ConnectionId other_id_ = *wire::ConnectionId::from(other_id_bytes_);
    Instant now_{1s};
    ApiResult<Endpoint> client_ = Endpoint::create({}, client_random_);
    std::optional<Endpoint> server_;
    ConnectionHandle connection_;
    Datagrams first_;
    ClientInitial initial_;
    bool established_ = false;
};

// Jumbo frames and loopback take datagrams of which a packet can fill no more than a part.
TEST(LongPacket, IsNoLongerThanItsLengthFieldCanTell) {
    Datagram room(40'000);
    const std::array<std::uint8_t, 8> id{1, 2, 3, 4, 5, 6, 7, 8};
    auto packet =
        connection::PacketBuilder::begin(room, {.level = EncryptionLevel::kHandshake,
                                                .destination = *wire::ConnectionId::from(id),
                                                .source = *wire::ConnectionId::from(id),
                                                .token = {},
                                                .number = PacketNumber(0),
                                                .largest_acknowledged = {}});
    ASSERT_TRUE(packet);
    ByteWriter& writer = packet->payload().bytes();
    ASSERT_TRUE(writer.write(std::uint8_t{1}));  // PING
    ASSERT_TRUE(writer.write_zeros(writer.remaining()));
    const protection::PacketToSeal to_seal = packet->finish();
    EXPECT_EQ(packet->length() - to_seal.packet_number_offset, wire::kMaxLongPacketLength);
    const auto read = wire::decode_packet(Bytes(room).first(packet->length()), kIdLength);
    ASSERT_TRUE(read && std::holds_alternative<wire::ProtectedPacket>(*read));
    EXPECT_EQ(std::get<wire::ProtectedPacket>(*read).bytes.size(), packet->length());
}

//= test 9000-7.2-1
//= test 9000-7.2-2
//= test 9000-8.1-4
//= test 9000-14.1-1
//= test 9001-9.3-1
//= test 9000-17.2-2
//= test 9000-17.2-5
//= test 9000-17.2.3-2
TEST_F(FirstFlight, ClientsDatagramsAreFullAndGoToOneRandomId) {
    start();
    now_ += 2s;
    client_->on_timeout(now_);  // the probe timeout: the same once more
    Datagrams all = first_;
    for (Datagram& datagram : drain(*client_)) all.push_back(std::move(datagram));
    ASSERT_GT(all.size(), first_.size());
    std::uint64_t next = 0;
    for (const Datagram& datagram : all) {
        EXPECT_GE(datagram.size(), kLeastInitialDatagram);
        const ClientInitial seen = read_initial(datagram);
        EXPECT_GE(seen.destination.length(), 8u);
        EXPECT_LE(std::max(seen.destination.length(), seen.source.length()), 20u);
        EXPECT_EQ(seen.destination, initial_.destination);
        EXPECT_EQ(seen.source, initial_.source);
        EXPECT_GE(seen.number, next);
        next = seen.number + 1;
    }
}

// The whole answer is there before the client has said anything in Handshake packets.
//= test 9000-14.1-1
//= test 9000-10.2.3-1
TEST_F(FirstFlight, RefusalOfACertificateIsAFullDatagramThatAServerTakes) {
    Credentials credentials = test::client_credentials();
    credentials.trust = Trust::fingerprint(std::string(64, '0')).value();
    start({}, {}, credentials);
    deliver(*server_, first_);
    deliver(*client_, drain(*server_));
    EXPECT_EQ(end(), CloseKind::kLocalTransport);
    Datagrams refusal = drain(*client_);
    ASSERT_EQ(refusal.size(), 1u);
    const auto packet = wire::decode_packet(refusal.front(), kIdLength);
    ASSERT_TRUE(packet && std::holds_alternative<wire::ProtectedPacket>(*packet));
    EXPECT_EQ(std::get<wire::ProtectedPacket>(*packet).type, wire::PacketType::kInitial);
    EXPECT_GE(refusal.front().size(), kLeastInitialDatagram);
    deliver(*server_, refusal);
    std::optional<CloseKind> told;
    while (const auto event = server_->poll_event()) {
        if (const auto* closed = std::get_if<ConnectionClosed>(&*event)) told = closed->info.kind;
    }
    EXPECT_EQ(told, CloseKind::kPeerTransport);
}

//= test 9000-8.1-5
//= test 9000-8.1-6
TEST_F(FirstFlight, SilentServerIsProbedWithFullDatagrams) {
    start();
    int probes = 0;
    while (now_ < Instant(8s)) {
        now_ = client_->next_timeout();
        client_->on_timeout(now_);
        for (const Datagram& datagram : drain(*client_)) {
            ++probes;
            EXPECT_GE(datagram.size(), kLeastInitialDatagram);
        }
    }
    EXPECT_GE(probes, 3);
}

// A client with one datagram, and a server with more to say than that allows.
class ShortHello : public FirstFlight {
protected:
    void start_short(const test::TestIdentity& server) {
        Credentials credentials = test::client_credentials();
        credentials.trust = Trust::ca_pem(server.pem.certificate()).value();
        credentials.groups = "X25519";
        start({}, {}, credentials, server.identity);
        ASSERT_EQ(first_.size(), 1u);
        ASSERT_EQ(first_.front().size(), kLeastInitialDatagram);
        deliver(*server_, first_);
    }
    std::size_t server_sends() {
        std::size_t bytes = 0;
        for (const Datagram& datagram : drain(*server_)) bytes += datagram.size();
        return bytes;
    }
};

//= test 9000-8-1
//= test 9000-8.1-3
TEST_F(ShortHello, WhatIsDiscardedCountsForTheAmplificationLimit) {
    start_short(test::test_identity(KeyType::kMlDsa87));
    const std::size_t first = server_sends();
    EXPECT_GT(first, 2 * kLeastInitialDatagram);
    EXPECT_LE(first, 3 * kLeastInitialDatagram);
    EXPECT_EQ(server_sends(), 0u);
    // 0-RTT that this server has no keys for, and never will.
    Datagram early{0xd0, 0, 0, 0, 1};
    append_id(early, initial_.destination);
    append_id(early, initial_.source);
    const std::size_t rest = 700;
    early.push_back(0x40 | rest >> 8);
    early.push_back(rest & 0xff);
    early.resize(early.size() + rest, 7);
    deliver(*server_, {early});
    const std::size_t second = server_sends();
    EXPECT_GT(second, early.size());
    EXPECT_LE(first + second, 3 * (kLeastInitialDatagram + early.size())) << "it counts once";
}

//= test 9000-14.1-2
TEST_F(ShortHello, AServerThatMaySendLittleMoreSendsNoShortInitials) {
    std::vector<std::string> names{"localhost"};
    for (int i = 100; i < 200; ++i) names.push_back("name" + std::to_string(i) + ".example");
    start_short(test::make_identity(test::make_pem(KeyType::kP256, names)));
    std::size_t sent = 0;
    int flights = 0;
    do {
        ASSERT_LT(++flights, 100);
        for (const Datagram& datagram : drain(*server_)) {
            sent += datagram.size();
            const bool initial = (datagram[0] & 0xf0) == 0xc0;
            EXPECT_TRUE(!initial || datagram.size() >= kLeastInitialDatagram) << flights;
        }
        now_ = server_->next_timeout();
        if (now_ != kNever) server_->on_timeout(now_);
    } while (now_ != kNever);  // it has given up
    EXPECT_LE(sent, 3 * kLeastInitialDatagram);
    EXPECT_GT(sent, 2 * kLeastInitialDatagram);
}

//= test 9000-6.2-3
TEST_F(FirstFlight, VersionNegotiationThatListsOurVersionIsIgnored) {
    start();
    deliver(*client_, {version_negotiation({0xff00001d, wire::kVersion1})});
    EXPECT_EQ(end(), std::nullopt);
    deliver(*client_, {version_negotiation({0xff00001d})});
    EXPECT_EQ(end(), CloseKind::kVersionMismatch);
}

TEST_F(FirstFlight, WhatTheApplicationClosedDoesNotBeginAgainWithAnotherVersion) {
    start();
    ASSERT_TRUE(client_->close(connection_, 7, "enough"));
    EXPECT_EQ(end(), CloseKind::kLocalApplication);
    EXPECT_FALSE(drain(*client_).empty());
    deliver(*client_, {version_negotiation({wire::kVersion2})});
    exchange();
    EXPECT_EQ(server_->statistics().connections_accepted, 0u);
    EXPECT_EQ(end(), std::nullopt);
    EXPECT_FALSE(established_);
    now_ += 60s;
    client_->on_timeout(now_);
    EXPECT_EQ(end(), std::nullopt);
    EXPECT_EQ(client_->statistics().connections_now, 0u);
}

//= test 9000-6.2-2
TEST_F(FirstFlight, VersionNegotiationBehindAnAnswerIsIgnored) {
    start();
    deliver(*server_, first_);
    deliver(*client_, drain(*server_));
    deliver(*client_, {version_negotiation({0xff00001d})});
    exchange();
    EXPECT_EQ(end(), std::nullopt);
    EXPECT_TRUE(established_);
}

//= test 9000-8.1.2-1
//= test 9000-17.2.5.1-3
//= test 9000-17.2.5.2-5
//= test 9000-17.2.5.3-1
//= test 9000-17.2.5.3-4
TEST_F(FirstFlight, RetryStartsAnewWithTokenAndNewIdAndTheSameBytes) {
    start();
    const Datagram token{1, 2, 3};
    deliver(*client_, {retry(other_id_, token)});
    const Datagrams second = drain(*client_);
    ASSERT_FALSE(second.empty());
    const std::uint64_t last = read_initial(first_.back()).number;
    for (const Datagram& datagram : second) {
        const ClientInitial seen = read_initial(datagram);
        EXPECT_EQ(seen.token, token);
        EXPECT_EQ(seen.destination, other_id_);
        EXPECT_EQ(seen.source, initial_.source);
        EXPECT_GT(seen.number, last);
    }
    EXPECT_FALSE(crypto_of(first_).empty());
    EXPECT_EQ(crypto_of(second), crypto_of(first_));
}

//= test 9000-7.2-4
//= test 9000-17.2.5.2-1
TEST_F(FirstFlight, SecondRetryIsIgnored) {
    start();
    deliver(*client_, {retry(other_id_, {1})});
    EXPECT_FALSE(drain(*client_).empty());
    deliver(*client_, {retry(*wire::ConnectionId::from(ByteView(other_id_bytes_).first(4)), {2})});
    EXPECT_TRUE(drain(*client_).empty());
    now_ += 3s;
    client_->on_timeout(now_);
    const Datagrams probe = drain(*client_);
    ASSERT_FALSE(probe.empty());
    EXPECT_EQ(read_initial(probe.front()).destination, other_id_);
    EXPECT_EQ(read_initial(probe.front()).token, Datagram{1});
}

//= test 9000-17.2.5.2-3
//= test 9000-17.2.5.1-2
TEST_F(FirstFlight, RetryWithAWrongTagOrOurOwnIdIsIgnored) {
    start();
    Datagram forged = retry(other_id_, {1});
    forged.back() ^= 1;
    deliver(*client_, {forged});
    EXPECT_TRUE(drain(*client_).empty());
    deliver(*client_, {retry(initial_.destination, {1})});
    EXPECT_TRUE(drain(*client_).empty());
}

//= test 9000-17.2.5.2-2
TEST_F(FirstFlight, RetryBehindAnAnswerIsIgnored) {
    start();
    deliver(*server_, first_);
    deliver(*client_, drain(*server_));
    deliver(*client_, {retry(other_id_, {1})});
    exchange();
    EXPECT_EQ(end(), std::nullopt);
    EXPECT_TRUE(established_);
}

//= test 9000-8.1.3-2
TEST_F(FirstFlight, TokenOfTheApplicationGoesIntoEveryInitial) {
    start("a token");
    for (const Datagram& datagram : first_) {
        const ClientInitial seen = read_initial(datagram);
        EXPECT_EQ(std::string(seen.token.begin(), seen.token.end()), "a token");
    }
}

//= test 9000-17.2.5.1-1
//= test 9000-17.2.5.1-5
//= test 9000-8.1.3-14
TEST_F(FirstFlight, ServerThatAlwaysAsksSendsOneRetryADatagramAndThenAccepts) {
    EndpointSettings settings;
    settings.retry = RetryPolicy::kAlways;
    start({}, settings);
    deliver(*server_, {first_.front()});
    Datagrams answers = drain(*server_);
    ASSERT_EQ(answers.size(), 1u);
    const auto packet = wire::decode_packet(answers.front(), kIdLength);
    ASSERT_TRUE(packet);
    const auto* answer = std::get_if<wire::RetryPacket>(&*packet);
    ASSERT_NE(answer, nullptr);
    EXPECT_NE(answer->source, initial_.destination);
    EXPECT_EQ(server_->statistics().connections_now, 0u);
    deliver(*client_, answers);
    exchange();
    EXPECT_EQ(end(), std::nullopt);
    EXPECT_TRUE(established_);
    EXPECT_EQ(server_->statistics().connections_now, 1u);
}

//= test 9000-8.1.3-3
//= test 9000-8.1.3-12
TEST_F(FirstFlight, TokenThatIsKeptIsThatOfNewTokenNotThatOfRetry) {
    EndpointSettings settings;
    settings.retry = RetryPolicy::kAlways;
    settings.send_new_token = false;
    start({}, settings);
    deliver(*server_, first_);
    deliver(*client_, drain(*server_));
    exchange();
    const auto established = client_->poll_event();
    ASSERT_TRUE(established);
    const auto* event = std::get_if<ConnectionEstablished>(&*established);
    ASSERT_NE(event, nullptr);
    EXPECT_EQ(client_->address_token(event->connection), "");
}

//= test 9000-14.1-4
//= test 9000-14-4
TEST_F(FirstFlight, InitialInASmallDatagramIsDroppedAndTheRealOneStillAccepted) {
    start();
    Datagram small = first_.front();
    small.resize(kLeastInitialDatagram - 1);
    deliver(*server_, {small});
    EXPECT_TRUE(drain(*server_).empty());
    EXPECT_EQ(server_->statistics().connections_now, 0u);
    deliver(*server_, first_);
    EXPECT_EQ(server_->statistics().connections_now, 1u);
}

// Neither noise behind a good header nor damage anywhere in the packet makes a connection, not even
// one that is given up at once, and nothing is answered. The packet itself is accepted afterwards.
TEST_F(FirstFlight, InitialThatDoesNotOpenMakesNoConnection) {
    start();
    observe::CountingSink sink;
    server_->set_event_sink(&sink);
    Datagram noise = first_.front();
    for (std::size_t i = noise.size() / 2; i < noise.size(); ++i) noise[i] ^= 0x5a;
    deliver(*server_, {noise});
    for (std::size_t at = 0; at < first_.front().size(); at += 7) {
        Datagram damaged = first_.front();
        damaged[at] ^= 0x04;
        deliver(*server_, {damaged});
    }
    EXPECT_TRUE(drain(*server_).empty());
    EXPECT_EQ(sink.count<observe::ConnectionStarted>(), 0u);
    EXPECT_GE(sink.dropped()[DropReason::kDecryptionFailed], 150u);
    EXPECT_EQ(server_->statistics().connections_now, 0u);
    deliver(*server_, first_);
    EXPECT_EQ(sink.count<observe::ConnectionStarted>(), 1u);
    EXPECT_FALSE(drain(*server_).empty());
}

//= test 9000-5.2.2-3
//= test 9000-17.2.1-7
TEST_F(FirstFlight, UnknownVersionIsAnsweredOnceWhenItIsLargeEnough) {
    start();
    Datagram unknown = first_.front();
    unknown[1] = unknown[2] = unknown[3] = unknown[4] = 0xee;
    Datagram small = unknown;
    small.resize(kLeastInitialDatagram - 1);
    deliver(*server_, {small});
    EXPECT_TRUE(drain(*server_).empty());
    deliver(*server_, {unknown});
    Datagrams answers = drain(*server_);
    ASSERT_EQ(answers.size(), 1u);
    const auto packet = wire::decode_packet(answers.front(), kIdLength);
    ASSERT_TRUE(packet);
    EXPECT_TRUE(std::holds_alternative<wire::VersionNegotiationPacket>(*packet));
}

//= test 9000-5.2.2-8
TEST_F(FirstFlight, LongHeaderPacketsOfNoConnectionAreDroppedInSilence) {
    start();
    constexpr std::array<std::uint8_t, 3> kFirstBytes{0xd0, 0xe0, 0xf0};  // 0-RTT, Handshake, Retry
    for (const std::uint8_t first_byte : kFirstBytes) {
        Datagram stray = first_.front();
        stray[0] = first_byte;
        deliver(*server_, {stray});
        EXPECT_TRUE(drain(*server_).empty());
    }
    EXPECT_EQ(server_->statistics().connections_now, 0u);
}

//= test 9000-14.1-2
//= test 9000-14.1-6
//= test 9000-7.2-5
//= test 9000-10.3.2-2
TEST_F(FirstFlight, ServerFillsItsDatagramsAndKeepsToThreeTimesWhatCame) {
    start();
    deliver(*server_, first_);
    const std::size_t came = first_.size() * first_.front().size();
    std::size_t sent = 0;
    const Datagrams answers = drain(*server_);
    ASSERT_FALSE(answers.empty());
    EXPECT_GE(answers.front().size(), kLeastInitialDatagram);
    for (Datagram datagram : answers) {
        sent += datagram.size();
        const auto packet = wire::decode_packet(datagram, kIdLength, wire::FixedBit::kMayBeClear);
        ASSERT_TRUE(packet);
        EXPECT_EQ(std::get<wire::ProtectedPacket>(*packet).destination, initial_.source);
        EXPECT_EQ(std::get<wire::ProtectedPacket>(*packet).source.length(), kIdLength);
    }
    for (int i = 0; i < 20 && server_->next_timeout() != kNever; ++i) {
        now_ = server_->next_timeout();
        server_->on_timeout(now_);
        for (const Datagram& datagram : drain(*server_)) sent += datagram.size();
    }
    EXPECT_LE(sent, 3 * came);
}

//= test 9000-10.2.3-6
//= test 9000-10.2.3-7
TEST_F(FirstFlight, ApplicationsCloseBeforeTheHandshakeDoesNotTellWhatTheApplicationSaid) {
    start();
    ASSERT_TRUE(client_->close(connection_, 77, "secret reason"));
    const Datagrams sent = drain(*client_);
    ASSERT_FALSE(sent.empty());
    Datagram payload = payload_of(sent.front());
    ByteReader reader(payload);
    std::optional<wire::ConnectionCloseFrame> close;
    while (!reader.empty()) {
        const auto frame = wire::decode_frame(reader, wire::PacketType::kInitial);
        ASSERT_TRUE(frame);
        if (const auto* found = std::get_if<wire::ConnectionCloseFrame>(&*frame)) close = *found;
    }
    ASSERT_TRUE(close);
    EXPECT_FALSE(close->application);
    EXPECT_EQ(close->error_code, static_cast<std::uint64_t>(TransportErrorCode::kApplicationError));
    EXPECT_TRUE(close->reason.empty());
}

//= test 9000-14.2.1-4
TEST_F(FirstFlight, ClosingAllEndsAHandshakeInProgress) {
    start();
    deliver(*server_, {first_.front()});
    ASSERT_EQ(server_->statistics().half_open_now, 1u);
    EXPECT_EQ(server_->close_all(std::uint64_t{1} << 62).error(), ApiError::kInvalidArgument);
    EXPECT_TRUE(server_->close_all(7));
    deliver(*client_, drain(*server_));
    EXPECT_EQ(end(), CloseKind::kPeerTransport);
}

TEST_F(FirstFlight, UnreachableCountsOnlyForTheVeryAddressAndOnlyBeforeAnAnswer) {
    start();
    client_->on_unreachable(parse_address("192.0.2.2:4434"), now_);
    client_->on_unreachable(parse_address("192.0.2.3:4433"), now_);
    EXPECT_EQ(end(), std::nullopt);
    client_->on_unreachable(server_address_, now_);
    EXPECT_EQ(end(), CloseKind::kRefused);
}

TEST_F(FirstFlight, UnreachableBehindAnAnswerIsIgnored) {
    start();
    deliver(*server_, first_);
    deliver(*client_, drain(*server_));
    client_->on_unreachable(server_address_, now_);
    exchange();
    EXPECT_EQ(end(), std::nullopt);
    EXPECT_TRUE(established_);
}

//= test 9000-17.2.2-1
TEST_F(FirstFlight, InitialOfTheServerWithATokenIsDropped) {
    start();
    deliver(*client_, {initial_of_server({.source = other_id_, .token = {1}})});
    EXPECT_EQ(received(), 0u);
    deliver(*client_, {initial_of_server({.source = other_id_})});
    EXPECT_EQ(received(), 1u);
}

//= test 9000-7.2-3
TEST_F(FirstFlight, InitialsOfTheServerUnderASecondSourceIdAreDropped) {
    start();
    deliver(*client_, {initial_of_server({.number = 0, .source = other_id_})});
    deliver(*client_, {initial_of_server({.number = 1, .source = initial_.destination})});
    EXPECT_EQ(received(), 1u);
    deliver(*client_, {initial_of_server({.number = 2, .source = other_id_})});
    EXPECT_EQ(received(), 2u);
}

//= test 9000-17.2-9
TEST_F(FirstFlight, ReservedBitsInAnOpenedInitialEndTheConnection) {
    start();
    deliver(*client_, {initial_of_server({.source = other_id_, .reserved_bits = 0x04})});
    EXPECT_EQ(end(), CloseKind::kLocalTransport);
}

//= test 9000-5.2-2
TEST_F(FirstFlight, UnknownFrameInAnOpenedInitialEndsTheConnection) {
    start();
    deliver(*client_, {initial_of_server({.source = other_id_, .frames = {0x01, 0x3f}})});
    EXPECT_EQ(end(), CloseKind::kLocalTransport);
}

//= test 9000-5.2.1-2
TEST_F(FirstFlight, PacketOfAnotherVersionIsDropped) {
    start();
    Datagram other = initial_of_server({.source = other_id_});
    other[1] = 0xee;
    deliver(*client_, {other});
    EXPECT_EQ(received(), 0u);
    EXPECT_EQ(end(), std::nullopt);
}

//= test 9000-12.2-6
TEST_F(FirstFlight, EveryPacketOfADatagramIsProcessedWhateverBecomesOfTheOnesBefore) {
    start();
    Datagram joined = initial_of_server({.number = 0, .source = other_id_});
    joined.back() ^= 1;
    for (const std::uint64_t number : {1u, 2u}) {
        const Datagram next = initial_of_server({.number = number, .source = other_id_});
        joined.insert(joined.end(), next.begin(), next.end());
    }
    deliver(*client_, {joined});
    EXPECT_EQ(received(), 2u);
}

//= test 9000-12.3-5
TEST_F(FirstFlight, PacketThatDoesNotOpenLeavesItsNumberFree) {
    start();
    const Datagram good = initial_of_server({.number = 5, .source = other_id_});
    Datagram spoiled = good;
    spoiled.back() ^= 1;
    deliver(*client_, {spoiled});
    deliver(*client_, {good});
    EXPECT_EQ(received(), 1u);
    deliver(*client_, {good});
    EXPECT_EQ(received(), 1u);
}

//= test 9000-7.3-2
//= test 9000-7.3-4
TEST_F(FirstFlight, RetryThatTheServerNeverSentIsFoundOutByTheTransportParameters) {
    start();
    deliver(*client_, {retry(other_id_, {1, 2, 3})});
    exchange();
    while (const auto event = client_->poll_event()) {
        if (const auto* closed = std::get_if<ConnectionClosed>(&*event)) {
            EXPECT_EQ(closed->info.kind, CloseKind::kLocalTransport);
            EXPECT_EQ(closed->info.code,
                      static_cast<std::uint64_t>(TransportErrorCode::kTransportParameterError));
            EXPECT_EQ(closed->info.reason, Reason::kConnectionIdMismatch);
            return;
        }
    }
    ADD_FAILURE() << "the connection was not closed";
}

//= test 9000-7.3-1
TEST_F(FirstFlight, ParametersOfBothSidesMatchTheIdsOfTheHandshake) {
    start();
    deliver(*server_, first_);
    deliver(*client_, drain(*server_));
    exchange();
    EXPECT_EQ(end(), std::nullopt);
    EXPECT_TRUE(established_);
}

//= test 9000-7.2-6
TEST_F(FirstFlight, InitialsOfTheClientUnderASecondSourceIdAreDropped) {
    start();
    deliver(*server_, first_);
    // Processed, this one would end the connection.
    deliver(*server_, {initial_of(Role::kClient,
                                  {.number = 90, .source = other_id_, .frames = {0x01, 0x3f}})});
    deliver(*client_, drain(*server_));
    exchange();
    EXPECT_EQ(end(), std::nullopt);
    EXPECT_TRUE(established_);
}

//= test 9000-10.2.1-7
TEST_F(FirstFlight, ClosingServerSendsAnUnprovedAddressAtMostThreeTimesWhatCame) {
    start();
    std::size_t came = 0;
    std::size_t sent = 0;
    for (std::uint64_t number = 0; number < 40; ++number) {
        const Datagram bad = initial_of(
            Role::kClient, {.number = number, .source = initial_.source, .frames = {0x01, 0x3f}});
        if (number == 0) came = bad.size();
        deliver(*server_, {bad});
        for (const Datagram& datagram : drain(*server_)) sent += datagram.size();
    }
    EXPECT_GT(sent, 0u);
    EXPECT_LE(sent, 3 * came);
}

//= test 9000-12.2-4
TEST_F(FirstFlight, PacketsOfOneDatagramOfTheServerGoToOneId) {
    start();
    deliver(*server_, first_);
    std::size_t most = 0;
    for (Datagram datagram : drain(*server_)) {
        Bytes rest = datagram;
        std::size_t packets = 0;
        while (!rest.empty()) {
            const auto packet = wire::decode_packet(rest, kIdLength, wire::FixedBit::kMayBeClear);
            if (!packet || !std::holds_alternative<wire::ProtectedPacket>(*packet)) break;
            const auto& found = std::get<wire::ProtectedPacket>(*packet);
            EXPECT_EQ(found.destination, initial_.source);
            rest = rest.subspan(found.bytes.size());
            ++packets;
        }
        most = std::max(most, packets);
    }
    EXPECT_GE(most, 2u);
}

//= test 9000-19.20-1
//= test 9000-13.3-3
TEST_F(FirstFlight, HandshakeIsConfirmedOnlyByTheServersWordWhichIsRepeatedWhenLost) {
    start();
    deliver(*server_, first_);
    deliver(*client_, drain(*server_));
    EXPECT_TRUE(client_->info(connection_)->established);
    EXPECT_FALSE(client_->info(connection_)->confirmed);
    deliver(*server_, drain(*client_));
    EXPECT_FALSE(drain(*server_).empty());  // lost, HANDSHAKE_DONE among it
    EXPECT_FALSE(client_->info(connection_)->confirmed);
    for (int i = 0; i < 10 && !client_->info(connection_)->confirmed; ++i) {
        now_ = std::max(now_, server_->next_timeout());
        server_->on_timeout(now_);
        deliver(*client_, drain(*server_));
    }
    EXPECT_TRUE(client_->info(connection_)->confirmed);
}

}  // namespace
}  // namespace stoq
