// 0-RTT: what a client says before the server has answered, and that nobody can make a server hear
// it twice.
#include <map>

#include <gtest/gtest.h>

#include "sim/scenario.h"
#include "support/test_credentials.h"
#include "tls/strike_register.h"

namespace stoq::sim {
namespace {

using std::chrono::milliseconds;
using Ticket = std::vector<std::uint8_t>;

constexpr Duration kOneWay = milliseconds(10);

// Reads everything, and remembers what came and when.
class Reader final : public Application {
public:
    struct Connection {
        std::string bytes;
        std::size_t early = 0;  // of them, those before ConnectionEstablished
        bool established = false;
        Instant first{};
    };

    explicit Reader(Host& host) : host_(host) { host.set_application(this); }

    void on_event(const Event& event, Instant now) override {
        if (const auto* opened = std::get_if<ConnectionEstablished>(&event)) {
            connections_[opened->connection.index].established = true;
        } else if (const auto* readable = std::get_if<StreamReadable>(&event)) {
            read(readable->connection, readable->stream, now);
        }
    }
    bool pump(Instant) override { return false; }

    // All that was read, over all connections.
    std::string all() const {
        std::string bytes;
        for (const auto& [index, connection] : connections_) bytes += connection.bytes;
        return bytes;
    }
    std::size_t early() const {
        std::size_t count = 0;
        for (const auto& [index, connection] : connections_) count += connection.early;
        return count;
    }
    Instant first() const {
        Instant earliest = kNever;
        for (const auto& [index, connection] : connections_) {
            if (!connection.bytes.empty()) earliest = std::min(earliest, connection.first);
        }
        return earliest;
    }
    void forget() { connections_.clear(); }

private:
    void read(ConnectionHandle handle, StreamId stream, Instant now) {
        Connection& connection = connections_[handle.index];
        while (const auto view = host_.endpoint().peek(handle, stream)) {
            if (view->bytes.empty()) return;
            if (connection.bytes.empty()) connection.first = now;
            connection.bytes.append(view->bytes.begin(), view->bytes.end());
            if (!connection.established) connection.early += view->bytes.size();
            ASSERT_TRUE(host_.endpoint().consume(handle, stream, view->bytes.size()));
        }
    }

    Host& host_;
    std::map<std::uint32_t, Connection> connections_;
};

// Keeps a copy of what passes, while it is asked to.
class Tap final : public Element {
public:
    explicit Tap(std::vector<Datagram>& copies, const bool& open) : copies_(copies), open_(open) {}
    void process(InFlight in, std::vector<InFlight>& out) override {
        if (open_) copies_.push_back(in.datagram);
        out.push_back(std::move(in));
    }

private:
    std::vector<Datagram>& copies_;
    const bool& open_;
};

EndpointSettings with_key(std::uint8_t fill) {
    EndpointSettings settings;
    settings.persistent_key.fill(fill);
    return settings;
}

Credentials early_server() {
    Credentials credentials = test::server_credentials();
    credentials.early_data = true;
    return credentials;
}

struct Outcome {
    bool ready = false;  // early data could be sent at once
    bool rejected = false;
    ConnectionInfo info;
    Duration heard{};  // when the server's application had the first byte, from connect() on
    std::size_t early = 0;
    std::string received;
};

class EarlyPair {
public:
    explicit EarlyPair(const EndpointSettings& endpoint = with_key(1),
                       const Credentials& server = early_server(), const Settings& settings = {},
                       double loss = 0, std::uint64_t seed = 1)
        : client_(simulation_.add_host(
              {.address = client_address(), .endpoint = {}, .seed = 100 + seed})),
          server_(simulation_.add_host(
              {.address = server_address(), .endpoint = endpoint, .seed = 200 + seed})) {
        client_.uplink().add(std::make_unique<Tap>(copies_, tapping_));
        for (Host* host : {&client_, &server_}) {
            if (loss > 0) host->uplink().add(std::make_unique<Loss>(loss, seed++));
            host->uplink().add(std::make_unique<Delay>(Delay::Settings{.delay = kOneWay}, 1));
        }
        listen(server, settings);
        Credentials credentials = test::client_credentials();
        credentials.early_data = true;
        credentials_ = std::make_shared<const Credentials>(credentials);
    }

    void listen(const Credentials& credentials, const Settings& settings) {
        EXPECT_TRUE(server_.endpoint().listen({credentials, settings}));
    }
    void restart(const EndpointSettings& endpoint, const Credentials& server = early_server(),
                 const Settings& settings = {}) {
        server_.restart(endpoint, 7);
        listen(server, settings);
        reader_.forget();
    }
    // From now on, streams are reset behind so many bytes.
    void reset_at(std::uint64_t promise) { promise_ = promise; }
    void use(const Credentials& credentials) {
        credentials_ = std::make_shared<const Credentials>(credentials);
    }

    Ticket first_ticket(const Settings& settings = {}) {
        (void)connect({}, "", settings, milliseconds(2000));
        reader_.forget();
        EXPECT_FALSE(tickets_.empty());
        return tickets_.empty() ? Ticket{} : tickets_.front();
    }

    // Connects with the ticket, and says `words` on a stream as soon as that is possible.
    Outcome connect(const Ticket& ticket, const std::string& words, const Settings& settings = {},
                    Duration patience = milliseconds(400)) {
        ClientConfig config = client_config(settings);
        config.credentials = credentials_;
        config.server_name = "localhost";
        config.ticket = ticket;
        Outcome outcome;
        const Instant begun = simulation_.now();
        reader_.forget();
        tapping_ = true;
        copies_.clear();
        handle_ = client_.endpoint().connect(config, begun).value();
        while (const auto event = client_.endpoint().poll_event()) {
            outcome.ready |= std::holds_alternative<EarlyDataReady>(*event);
        }
        if (outcome.ready) say(words);
        tickets_.clear();
        bool said = outcome.ready;
        for (const Instant end = begun + patience; simulation_.now() < end;) {
            simulation_.run_for(milliseconds(1));
            tapping_ = tapping_ && simulation_.now() < begun + kOneWay;
            for (const Event& event : client_.take_events()) {
                const auto* closed = std::get_if<ConnectionClosed>(&event);
                if (closed != nullptr && closed->connection == handle_) {
                    ADD_FAILURE() << to_string(closed->info);
                }
                outcome.rejected |= std::holds_alternative<EarlyDataRejected>(event);
                if (const auto* received = std::get_if<TicketReceived>(&event)) {
                    tickets_.push_back(received->ticket);
                }
                if (std::holds_alternative<ConnectionEstablished>(event) && !said) {
                    said = true;
                    say(words);
                }
            }
        }
        outcome.info = client_.endpoint().info(handle_).value_or(ConnectionInfo{});
        outcome.heard = reader_.first() - begun;
        outcome.early = reader_.early();
        outcome.received = reader_.all();
        return outcome;
    }

    const std::vector<Ticket>& tickets() const { return tickets_; }
    bool is_open() { return client_.endpoint().info(handle_).has_value(); }
    Simulation& simulation() { return simulation_; }
    Endpoint& server() { return server_.endpoint(); }
    const Reader& reader() const { return reader_; }
    // The client's first flight of the last connection.
    const std::vector<Datagram>& first_flight() const { return copies_; }
    void close() {
        (void)client_.endpoint().close(handle_, 0);
        simulation_.run_for(milliseconds(100));
    }

private:
    void say(const std::string& words) {
        if (words.empty()) return;
        const auto stream =
            client_.endpoint().open_stream(handle_, Directionality::kUnidirectional);
        ASSERT_TRUE(stream);
        const auto taken = client_.endpoint().write(
            handle_, *stream,
            ByteView(reinterpret_cast<const std::uint8_t*>(words.data()), words.size()));
        ASSERT_TRUE(taken);
        ASSERT_EQ(*taken, words.size());
        ASSERT_TRUE(promise_ ? client_.endpoint().reset_at(handle_, *stream, 9, *promise_)
                             : client_.endpoint().finish(handle_, *stream));
    }

    Simulation simulation_;
    std::vector<Datagram> copies_;
    bool tapping_ = false;
    Host& client_;
    Host& server_;
    Reader reader_{server_};
    std::shared_ptr<const Credentials> credentials_;
    ConnectionHandle handle_;
    std::vector<Ticket> tickets_;
    std::optional<std::uint64_t> promise_;
};

std::string words_of(std::size_t length) {
    std::string words(length, ' ');
    for (std::size_t i = 0; i < length; ++i) words[i] = static_cast<char>('a' + i * 7 % 26);
    return words;
}

TEST(SimEarlyData, ArrivesWithTheFirstFlight) {
    EarlyPair pair;
    const Ticket ticket = pair.first_ticket();
    const std::string words = words_of(3'000);
    const Outcome outcome = pair.connect(ticket, words);
    EXPECT_TRUE(outcome.ready);
    EXPECT_FALSE(outcome.rejected);
    EXPECT_EQ(outcome.info.early_data, EarlyDataState::kAccepted);
    EXPECT_TRUE(outcome.info.resumed);
    // Before the server had anything but the client's first flight.
    EXPECT_EQ(outcome.heard, kOneWay);
    EXPECT_EQ(outcome.early, words.size());
    EXPECT_TRUE(outcome.received == words) << outcome.received.size();
    // And so on, with a ticket of this connection.
    ASSERT_FALSE(pair.tickets().empty());
    EXPECT_EQ(pair.connect(pair.tickets().front(), words).info.early_data,
              EarlyDataState::kAccepted);
}

//= test 9001-5.6-1
TEST(SimEarlyData, IsNotOfferedUnlessBothSidesWantIt) {
    EarlyPair without(with_key(1), test::server_credentials());
    const Ticket ticket = without.first_ticket();
    const Outcome outcome = without.connect(ticket, "hello");
    EXPECT_FALSE(outcome.ready);
    EXPECT_TRUE(outcome.info.resumed);
    EXPECT_EQ(outcome.info.early_data, EarlyDataState::kNone);
    EXPECT_EQ(outcome.received, "hello");
    EXPECT_EQ(outcome.early, 0u);

    EarlyPair pair;
    const Ticket good = pair.first_ticket();
    pair.use(test::client_credentials());
    EXPECT_FALSE(pair.connect(good, "hello").ready);
}

// Whatever the reason: the bytes arrive once, after the handshake, and the application is told.
void expect_rejected(const Outcome& outcome, const std::string& words) {
    EXPECT_TRUE(outcome.ready);
    EXPECT_TRUE(outcome.rejected);
    EXPECT_TRUE(outcome.info.established);
    EXPECT_EQ(outcome.info.early_data, EarlyDataState::kRejected);
    EXPECT_EQ(outcome.early, 0u);
    EXPECT_TRUE(outcome.received == words) << outcome.received.size();
}

//= test 9001-4.6.2-3
TEST(SimEarlyData, OfAServerWithAnotherKeyIsSentAgain) {
    EarlyPair pair;
    const Ticket ticket = pair.first_ticket();
    pair.restart(with_key(2));
    const Outcome outcome = pair.connect(ticket, words_of(20'000));
    expect_rejected(outcome, words_of(20'000));
    EXPECT_FALSE(outcome.info.resumed);
}

// The one before may have seen it.
//= test 9001-4.6.2-1
TEST(SimEarlyData, OfAServerThatWasRestartedIsSentAgain) {
    EarlyPair pair;
    const Ticket ticket = pair.first_ticket();
    pair.restart(with_key(1));
    const Outcome outcome = pair.connect(ticket, words_of(5'000));
    expect_rejected(outcome, words_of(5'000));
    EXPECT_TRUE(outcome.info.resumed);
}

TEST(SimEarlyData, ThatTheServerNoLongerWantsIsSentAgain) {
    EarlyPair pair;
    const Ticket ticket = pair.first_ticket();
    pair.listen(test::server_credentials(), {});
    const Outcome outcome = pair.connect(ticket, words_of(5'000));
    expect_rejected(outcome, words_of(5'000));
}

// draft-ietf-quic-reliable-stream-reset section 3.
TEST(SimEarlyData, ItsStreamsCanBeResetBehindAPromise) {
    EarlyPair pair;
    const Ticket ticket = pair.first_ticket();
    pair.reset_at(2'000);
    const std::string words = words_of(5'000);
    Outcome outcome = pair.connect(ticket, words);
    EXPECT_EQ(outcome.info.early_data, EarlyDataState::kAccepted);
    EXPECT_TRUE(outcome.received == words.substr(0, 2'000)) << outcome.received.size();
    // What was rejected is promised anew.
    ASSERT_FALSE(pair.tickets().empty());
    const Ticket next = pair.tickets().front();
    pair.restart(with_key(2));
    expect_rejected(pair.connect(next, words), words.substr(0, 2'000));
    // A server that has unlearned it accepts no 0-RTT data, and the stream is reset as usual.
    ASSERT_FALSE(pair.tickets().empty());
    Settings without;
    without.reset_stream_at = false;
    pair.listen(early_server(), without);
    expect_rejected(pair.connect(pair.tickets().front(), words), "");
    EXPECT_TRUE(pair.is_open());
}

// The server answers with as much as its window takes. What it says before that, and is lost, must
// not wait for room.
TEST(SimEarlyData, LostServerHelloIsSentAgainBeyondAFullWindow) {
    for (std::size_t lost = 0; lost < 3; ++lost) {
        Scenario scenario = plain_scenario(8 + lost, 100'000);
        scenario.early = EarlyStart{};
        scenario.plan.streams.push_back({.initiator = Role::kServer, .request = 300'000});
        World world(scenario);
        world.server_host().uplink().add_front(std::make_unique<ScriptedDrop>(
            [lost](std::size_t index, const Datagram&) { return index == lost; }));
        world.start();
        ASSERT_TRUE(world.run_transfer()) << world.describe();
        EXPECT_LT(world.simulation().now() - Simulation::kStart, milliseconds(1'500));
        EXPECT_EQ(world.client_host().endpoint().info(world.client_connection())->early_data,
                  EarlyDataState::kAccepted);
    }
}

//= test 9000-7.4.1-9
TEST(SimEarlyData, UnderLimitsThatHaveBecomeNarrowerIsSentAgain) {
    EarlyPair pair;
    const Ticket ticket = pair.first_ticket();
    Settings narrow;
    narrow.max_unidirectional_streams = 50;
    pair.listen(early_server(), narrow);
    expect_rejected(pair.connect(ticket, words_of(2'000)), words_of(2'000));
    Settings wide;
    wide.max_unidirectional_streams = 150;
    pair.listen(early_server(), wide);
    EXPECT_EQ(pair.connect(ticket, words_of(2'000)).info.early_data, EarlyDataState::kAccepted);
}

TEST(SimEarlyData, ThatNobodyCouldRememberIsSentAgain) {
    EndpointSettings endpoint = with_key(1);
    endpoint.early_data_register = 0;
    EarlyPair pair(endpoint);
    expect_rejected(pair.connect(pair.first_ticket(), "hello"), "hello");
    endpoint.early_data_register = 2;
    EarlyPair two(endpoint);
    const Ticket ticket = two.first_ticket();
    EXPECT_EQ(two.connect(ticket, "hello").info.early_data, EarlyDataState::kAccepted);
    EXPECT_EQ(two.connect(ticket, "hello").info.early_data, EarlyDataState::kAccepted);
    expect_rejected(two.connect(ticket, "hello"), "hello");
    // What was remembered is forgotten once a copy of it is too old to be taken.
    two.simulation().run_for(2 * tls::StrikeRegister::kWindow);
    EXPECT_EQ(two.connect(ticket, "hello").info.early_data, EarlyDataState::kAccepted);
}

//= test 9001-9.2-1
TEST(SimEarlyData, IsNotHeardTwiceHoweverOftenItIsSent) {
    EarlyPair pair;
    const Ticket ticket = pair.first_ticket();
    const std::string words = words_of(2'000);
    const Outcome outcome = pair.connect(ticket, words);
    ASSERT_TRUE(outcome.received == words);
    const std::vector<Datagram> flight = pair.first_flight();
    ASSERT_GE(flight.size(), 2u);
    // From the client's own address and from others, while the connection lives, when it is gone,
    // and when the server has given up waiting for the rest of a copy's handshake.
    for (int round = 0; round < 6; ++round) {
        if (round == 3) pair.close();
        if (round == 5) pair.simulation().run_for(std::chrono::seconds(11));
        for (Datagram copy : flight) {
            copy.source.port = static_cast<std::uint16_t>(copy.source.port + round);
            pair.simulation().inject(copy, pair.simulation().now());
        }
        pair.simulation().run_for(milliseconds(500));
        EXPECT_TRUE(pair.reader().all() == words) << "round " << round;
    }
    // The copies did get as far as the register.
    EXPECT_GE(pair.server().statistics().connections_accepted, 4u);
}

//= test 9001-4.6.2-4
TEST(SimEarlyData, SurvivesARetry) {
    EndpointSettings endpoint = with_key(1);
    endpoint.retry = RetryPolicy::kAlways;
    EarlyPair pair(endpoint);
    const Outcome outcome = pair.connect(pair.first_ticket(), words_of(2'000));
    EXPECT_EQ(outcome.info.early_data, EarlyDataState::kAccepted);
    EXPECT_EQ(outcome.heard, 3 * kOneWay);
    EXPECT_TRUE(outcome.received == words_of(2'000)) << outcome.received.size();
}

TEST(SimEarlyData, ThatMeetsAHelloRetryRequestIsSentAgain) {
    EarlyPair pair;
    const Ticket ticket = pair.first_ticket();
    Credentials other = early_server();
    other.groups = "P-256";
    pair.listen(other, {});
    expect_rejected(pair.connect(ticket, words_of(2'000)), words_of(2'000));
}

//= test 9000-7.4.1-4
//= test 9000-7.4.1-10
TEST(SimEarlyData, RespectsTheLimitsThatTheTicketRemembers) {
    Settings narrow;
    narrow.initial_stream_window = narrow.max_stream_window = 1'500;
    narrow.initial_connection_window = narrow.max_connection_window = 1'500;
    EarlyPair pair(with_key(1), early_server(), narrow);
    const Ticket ticket = pair.first_ticket();
    const Outcome outcome = pair.connect(ticket, words_of(4'000));
    EXPECT_EQ(outcome.info.early_data, EarlyDataState::kAccepted);
    EXPECT_EQ(outcome.early, 1'500u);
    EXPECT_TRUE(outcome.received == words_of(4'000)) << outcome.received.size();
}

//= test 9369-5-1
TEST(SimEarlyData, OfAConnectionWithAnotherVersionIsNotSent) {
    EarlyPair pair;
    Settings version_2;
    version_2.original_version = QuicVersion::kVersion2;
    version_2.versions = {QuicVersion::kVersion2, QuicVersion::kNone};
    const Ticket ticket = pair.first_ticket(version_2);
    Settings version_1;
    version_1.versions = {QuicVersion::kVersion1, QuicVersion::kNone};
    const Outcome outcome = pair.connect(ticket, "hello", version_1);
    EXPECT_FALSE(outcome.ready);
    EXPECT_FALSE(outcome.info.resumed);
    EXPECT_EQ(outcome.received, "hello");
    EXPECT_EQ(pair.connect(ticket, "hello", version_2).info.early_data, EarlyDataState::kAccepted);
}

TEST(SimEarlyData, OfATicketThatWasCutOrChangedIsNotLost) {
    EarlyPair pair;
    const Ticket ticket = pair.first_ticket();
    for (std::size_t cut = 1; cut < ticket.size(); cut += 37) {
        const Ticket shorter(ticket.begin(), ticket.end() - static_cast<std::ptrdiff_t>(cut));
        const Outcome outcome = pair.connect(shorter, "hello");
        EXPECT_FALSE(outcome.ready) << cut;
        EXPECT_EQ(outcome.received, "hello") << cut;
    }
}

TEST(SimEarlyData, ArrivesWholeAndOnceWhateverIsLost) {
    int ready = 0;
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        EarlyPair pair(with_key(1), early_server(), {}, 0.2, seed);
        const Ticket ticket = pair.first_ticket();
        const std::string words = words_of(8'000);
        const Outcome outcome = pair.connect(ticket, words, {}, std::chrono::seconds(20));
        EXPECT_TRUE(outcome.received == words) << outcome.received.size();
        ready += outcome.ready ? 1 : 0;
    }
    // The others had lost so much that they began again with a shorter ClientHello, whose tickets
    // are of no use to a client that wants more.
    EXPECT_GE(ready, 25);
}

// 0-RTT packets that come before their keys are counted once: by the datagram that brought them.
//= test 9000-8.1-2
TEST(SimEarlyData, PacketsThatWaitedGiveTheirAddressNoSecondCredit) {
    Scenario scenario = plain_scenario(21, 0);
    scenario.plan.streams = {{.request = 300, .response = 200'000}};
    scenario.early.emplace();
    World world(scenario);
    world.start();
    std::size_t sent = 0;
    std::size_t received = 0;
    // The second half of the ClientHello, with 0-RTT behind it, comes first; then nothing more.
    world.client_host().uplink().add(
        std::make_unique<ScriptedDrop>([&](std::size_t index, const Datagram& datagram) {
            if (index < 2) received += datagram.bytes.size();
            return index >= 2;
        }));
    world.client_host().uplink().add(
        std::make_unique<sim::Tap>([first = true](InFlight& in) mutable {
            if (std::exchange(first, false)) in.at += milliseconds(5);
        }));
    world.server_host().uplink().add_front(
        std::make_unique<sim::Tap>([&](InFlight& in) { sent += in.datagram.bytes.size(); }));
    world.simulation().run_for(std::chrono::seconds(3));
    EXPECT_GT(received, 2'300u);
    EXPECT_GT(sent, 5'000u) << "what it may";
    EXPECT_LE(sent, 3 * received);
}

}  // namespace
}  // namespace stoq::sim
