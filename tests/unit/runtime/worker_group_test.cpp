// Two workers on one port, and a client whose address changes again and again on the way to them.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "io/udp/port_selector.h"
#include "io/udp/udp_datapath.h"
#include "stoq/workers.h"
#include "support/echo_runtimes.h"

namespace stoq {
namespace {

using namespace std::chrono_literals;
using test::EchoClient;
using test::EchoServer;

io::UdpSettings loopback(bool reuse_port = false) {
    io::UdpSettings settings;
    settings.local = parse_address("127.0.0.1:0");
    settings.reuse_port = reuse_port;
    return settings;
}

// A port that nobody else shares.
std::string free_address() {
    return to_string((*io::UdpDatapath::create(loopback()))->local_address());
}

// Where they can, the kernel has to choose.
bool programs_can_be_loaded() {
    return io::PortSelector::create({.key = {}, .id_length = 9, .first = 0, .count = 1})
        .has_value();
}

// Stands between client and server as a NAT does, and forgets its binding on demand.
class Relay {
public:
    explicit Relay(const Address& server) : server_(server) { rebind(); }

    Address address() const { return inside_->local_address(); }

    // From now on the server sees another port.
    void rebind() { outside_ = *io::UdpDatapath::create(loopback()); }

    void turn() {
        for (const ReceivedDatagram& datagram : inside_->receive_batch()) {
            client_ = datagram.remote;
            forward(*outside_, datagram, server_);
        }
        outside_->flush();
        for (const ReceivedDatagram& datagram : outside_->receive_batch()) {
            forward(*inside_, datagram, client_);
        }
        inside_->flush();
    }

private:
    static void forward(io::Datapath& to, const ReceivedDatagram& datagram, const Address& remote) {
        TransmitSlot* slot = to.transmit_slot();
        if (slot == nullptr) {
            to.flush();
            slot = to.transmit_slot();
        }
        ASSERT_NE(slot, nullptr);
        std::ranges::copy(datagram.data, slot->buffer.begin());
        slot->length = slot->datagram_length = datagram.data.size();
        slot->remote = remote;
        to.commit(*slot);
    }

    Address server_;
    Address client_;
    std::unique_ptr<io::UdpDatapath> inside_ = *io::UdpDatapath::create(loopback());
    std::unique_ptr<io::UdpDatapath> outside_;
};

RuntimeSettings worker_of(const std::shared_ptr<WorkerGroup>& group, std::uint8_t index) {
    RuntimeSettings settings;
    settings.group = group;
    settings.worker = index;
    return settings;
}

class WorkerGroupTest : public testing::Test {
protected:
    static constexpr int kRebindings = 24;
    static constexpr std::size_t kBytesEach = 5'000;

    void make_workers(bool kernel_selection) {
        auto made = WorkerGroup::create({.count = 2, .kernel_selection = kernel_selection});
        ASSERT_TRUE(made);
        group_ = *made;
        const std::string address = free_address();
        for (std::uint8_t i = 0; i < 2; ++i) {
            workers_.push_back(std::make_unique<EchoServer>(address, worker_of(group_, i)));
        }
    }

    // The client's bytes come back while its address changes before each part of them.
    void echo_over_many_rebindings() {
        Relay relay(workers_[0]->local);
        EchoClient client(kBytesEach * kRebindings);
        client.hold_back();
        client.connect(relay.address());
        const auto turn_until = [&](auto done) {
            for (int i = 0; i < test::kMaxTurns && !done(); ++i) {
                bool worked = client.runtime->run_once(0ms);
                relay.turn();
                for (const auto& worker : workers_) worked |= worker->runtime->run_once(0ms);
                if (!worked) client.runtime->run_once(1ms);
            }
            return done();
        };
        ASSERT_TRUE(turn_until([&] { return client.established; }));
        for (std::size_t part = 1; part <= kRebindings; ++part) {
            // Not before the handshake is confirmed, as it is once the first bytes are back.
            if (part > 1) relay.rebind();
            client.release(kBytesEach);
            ASSERT_TRUE(turn_until([&] { return client.received.size() == part * kBytesEach; }))
                << "part " << part;
        }
        EXPECT_EQ(client.received, client.sent);
    }

    EndpointStatistics statistics(std::size_t worker) const {
        return workers_[worker]->runtime->endpoint().statistics();
    }
    // The worker that accepted the connection; the other accepted none.
    std::size_t home() const {
        EXPECT_EQ(statistics(0).connections_accepted + statistics(1).connections_accepted, 1u);
        return statistics(0).connections_accepted == 1 ? 0 : 1;
    }

    std::shared_ptr<WorkerGroup> group_;
    std::vector<std::unique_ptr<EchoServer>> workers_;
};

TEST_F(WorkerGroupTest, KernelKeepsAMigratingClientWithItsWorker) {
    make_workers(true);
    if (!group_->report().kernel_selection) {
        ASSERT_FALSE(programs_can_be_loaded()) << group_->report().hint;
        std::printf("skipped: %s\n", group_->report().hint.c_str());
        GTEST_SKIP() << group_->report().hint;
    }
    echo_over_many_rebindings();
    // The other has seen nothing at all: neither the connection nor a datagram to hand over.
    const std::size_t other = 1 - home();
    EXPECT_EQ(statistics(other).datagrams_received, 0u);
    EXPECT_EQ(group_->report().handed_over, 0u);
}

//= test 9000-21.11-2
TEST_F(WorkerGroupTest, WorkersHandOverWhereTheKernelDoesNotChoose) {
    make_workers(false);
    EXPECT_FALSE(group_->report().kernel_selection);
    echo_over_many_rebindings();
    // All that came to the wrong one went to the right one, and no connection was reset.
    const std::size_t other = 1 - home();
    EXPECT_GT(statistics(other).foreign_datagrams, 0u);
    EXPECT_EQ(statistics(other).foreign_datagrams, statistics(other).datagrams_received);
    EXPECT_EQ(statistics(other).stateless_resets_sent, 0u);
    EXPECT_EQ(group_->report().handed_over, statistics(other).foreign_datagrams);
    EXPECT_EQ(group_->report().hand_over_drops, 0u);
}

TEST_F(WorkerGroupTest, EachWorkerIsOneRuntime) {
    auto group = WorkerGroup::create({.count = 2});
    ASSERT_TRUE(group);
    auto first = Runtime::create(worker_of(*group, 0));
    ASSERT_TRUE(first);
    EXPECT_FALSE(Runtime::create(worker_of(*group, 0)));
    EXPECT_FALSE(Runtime::create(worker_of(*group, 2)));
    first->reset();
    EXPECT_TRUE(Runtime::create(worker_of(*group, 0)));
    EXPECT_FALSE(WorkerGroup::create({.count = 0}));
    EXPECT_FALSE(WorkerGroup::create({.count = WorkerGroup::kMaxWorkers + 1}));
}

// What a server with one worker says of early data of a client that has its ticket.
EarlyDataState early_data_of(std::size_t groups_register, std::size_t own_register) {
    auto group = WorkerGroup::create(
        {.count = 1, .early_data_register = groups_register, .kernel_selection = false});
    EXPECT_TRUE(group);
    if (!group) return EarlyDataState::kNone;
    RuntimeSettings settings = worker_of(*group, 0);
    settings.endpoint.early_data_register = own_register;
    EchoServer server("127.0.0.1:0", settings);
    EchoClient first(100);
    first.connect(server.local);
    EXPECT_TRUE(test::turn_both(*first.runtime, *server.runtime,
                                [&] { return first.finished && !first.ticket.empty(); }));
    EchoClient again(100);
    again.connect(server.local, first.ticket);
    EXPECT_TRUE(test::turn_both(*again.runtime, *server.runtime, [&] { return again.finished; }));
    EXPECT_EQ(again.received, again.sent);
    return again.runtime->endpoint().info(again.connection)->early_data;
}

TEST(WorkerGroup, TakesEarlyDataOnlyWhereItIsRemembered) {
    EXPECT_EQ(early_data_of(2, 2), EarlyDataState::kAccepted);
    EXPECT_EQ(early_data_of(0, 2), EarlyDataState::kRejected);
    EXPECT_EQ(early_data_of(2, 0), EarlyDataState::kRejected);
}

// A process with one worker, as another would be. Its threads are ours, the rest is as it will be.
struct Process {
    explicit Process(const std::string& path, const std::string& address,
                     bool kernel_selection = true) {
        auto made = WorkerGroup::create(
            {.count = 1, .kernel_selection = kernel_selection, .takeover_path = path});
        EXPECT_TRUE(made) << made.error().message();
        if (!made) return;
        group = *made;
        group->set_taken_handler([this](bool may_finish) {
            taken.store(may_finish ? kMayFinish : kMustEnd);
            taken.notify_all();
        });
        server = std::make_unique<EchoServer>(address, worker_of(group, 0));
        const auto taken_over = group->take_over();
        EXPECT_TRUE(taken_over) << taken_over.error().message();
    }

    static constexpr int kNo = 0;
    static constexpr int kMayFinish = 1;
    static constexpr int kMustEnd = 2;

    std::uint64_t accepted() const {
        return server->runtime->endpoint().statistics().connections_accepted;
    }

    // Before the group, whose thread uses it.
    std::atomic<int> taken = kNo;
    std::shared_ptr<WorkerGroup> group;
    std::unique_ptr<EchoServer> server;
};

std::string takeover_path() {
    static int number = 0;
    return testing::TempDir() + "stoq_takeover_" + std::to_string(::getpid()) + "_" +
           std::to_string(number++);
}

bool turn_all(const std::vector<Runtime*>& runtimes, const std::function<bool()>& done) {
    for (int i = 0; i < test::kMaxTurns && !done(); ++i) {
        bool worked = false;
        for (Runtime* const runtime : runtimes) worked |= runtime->run_once(0ms);
        if (!worked) runtimes.front()->run_once(1ms);
    }
    return done();
}

TEST(Takeover, OldConnectionsFinishWithTheOldProcessAndNewOnesComeToTheNew) {
    const std::string path = takeover_path();
    const std::string address = free_address();
    Process old_process(path, address);
    if (!old_process.group->report().kernel_selection) {
        ASSERT_FALSE(programs_can_be_loaded()) << old_process.group->report().hint;
        std::printf("skipped: %s\n", old_process.group->report().hint.c_str());
        GTEST_SKIP() << old_process.group->report().hint;
    }
    EchoClient before(400'000);
    before.hold_back();
    before.connect(old_process.server->local);
    ASSERT_TRUE(turn_all({before.runtime.get(), old_process.server->runtime.get()},
                         [&] { return before.established; }));
    before.release(1'000);
    ASSERT_TRUE(turn_all({before.runtime.get(), old_process.server->runtime.get()},
                         [&] { return before.received.size() == 1'000; }));

    Process new_process(path, address);
    old_process.taken.wait(Process::kNo);
    ASSERT_EQ(old_process.taken, Process::kMayFinish);
    std::vector<std::unique_ptr<EchoClient>> after;
    for (int i = 0; i < 8; ++i) {
        after.push_back(std::make_unique<EchoClient>(10'000));
        after.back()->connect(old_process.server->local);
    }
    before.release(399'000);
    std::vector<Runtime*> runtimes{before.runtime.get(), old_process.server->runtime.get(),
                                   new_process.server->runtime.get()};
    for (const auto& client : after) runtimes.push_back(client->runtime.get());
    ASSERT_TRUE(turn_all(runtimes, [&] {
        return before.finished &&
               std::ranges::all_of(after, [](const auto& client) { return client->finished; });
    }));
    EXPECT_EQ(before.received, before.sent);
    EXPECT_EQ(old_process.accepted(), 1u);
    EXPECT_EQ(new_process.accepted(), 8u);
    EXPECT_EQ(new_process.server->runtime->endpoint().statistics().stateless_resets_sent, 0u);
}

TEST(Takeover, GoesFromProcessToProcess) {
    const std::string path = takeover_path();
    const std::string address = free_address();
    auto present = std::make_unique<Process>(path, address);
    for (int generation = 0; generation < 4; ++generation) {
        auto next = std::make_unique<Process>(path, address);
        present->taken.wait(Process::kNo);
        present = std::move(next);
        EchoClient client(5'000);
        client.connect(present->server->local);
        ASSERT_TRUE(turn_all({client.runtime.get(), present->server->runtime.get()},
                             [&] { return client.finished; }));
        EXPECT_EQ(present->accepted(), 1u);
    }
}

// Without a program in the kernel the old process has to end at once; the new one, which has the
// key, resets its connections at their next packet.
TEST(Takeover, WithoutTheKernelOldConnectionsAreResetAtTheirNextPacket) {
    const std::string path = takeover_path();
    const std::string address = free_address();
    auto old_process = std::make_unique<Process>(path, address, false);
    EchoClient client(2'000);
    client.hold_back();
    client.connect(old_process->server->local);
    ASSERT_TRUE(turn_all({client.runtime.get(), old_process->server->runtime.get()},
                         [&] { return client.established; }));
    client.release(1'000);
    ASSERT_TRUE(turn_all({client.runtime.get(), old_process->server->runtime.get()},
                         [&] { return client.received.size() == 1'000; }));
    Process new_process(path, address, false);
    old_process->taken.wait(Process::kNo);
    ASSERT_EQ(old_process->taken, Process::kMustEnd);
    old_process.reset();
    client.release(1'000);
    ASSERT_TRUE(turn_all({client.runtime.get(), new_process.server->runtime.get()},
                         [&] { return client.closed.has_value(); }));
    EXPECT_EQ(client.closed->kind, CloseKind::kStatelessReset);
    // One packet of the client, one answer: it learned within a round trip.
    EXPECT_EQ(new_process.server->runtime->endpoint().statistics().stateless_resets_sent, 1u);
}

// While it lives, this process opens no further descriptor.
class NoMoreDescriptors {
public:
    NoMoreDescriptors() {
        EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
        // The lowest that is free: all below it are open.
        const int lowest = ::dup(STDERR_FILENO);
        ::close(lowest);
        const rlimit none{static_cast<rlim_t>(lowest), before_.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    }
    ~NoMoreDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    NoMoreDescriptors(const NoMoreDescriptors&) = delete;
    NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;

private:
    rlimit before_{};
};

TEST(Takeover, LackOfADescriptorForASuccessorOnlyDelaysIt) {
    const std::string path = takeover_path();
    const std::string address = free_address();
    Process old_process(path, address, false);
    {
        const int early = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        ASSERT_GE(early, 0);
        sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
        ASSERT_LT(path.size(), sizeof name.sun_path);
        std::ranges::copy(path, name.sun_path);
        const NoMoreDescriptors none;
        ASSERT_EQ(::connect(early, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
        EXPECT_TRUE(turn_all({old_process.server->runtime.get()},
                             [&] { return old_process.group->report().takeover_delays > 0; }));
        ::close(early);
    }
    EXPECT_EQ(old_process.taken, Process::kNo);
    const Process new_process(path, address, false);
    old_process.taken.wait(Process::kNo);
    EXPECT_EQ(old_process.taken, Process::kMustEnd);
    EXPECT_EQ(new_process.group->report().takeover_delays, 0u);
}

TEST(Takeover, WantsTheSameKeyAndAName) {
    const std::string path = takeover_path();
    const std::string address = free_address();
    const Process present(path, address);
    WorkerGroupSettings other{.count = 1, .takeover_path = path};
    other.persistent_key.fill(1);
    EXPECT_FALSE(WorkerGroup::create(other));
    const auto nameless = WorkerGroup::create({.count = 1});
    ASSERT_TRUE(nameless);
    EXPECT_FALSE((*nameless)->take_over());
    // One that asks and does not take changes nothing.
    {
        EXPECT_TRUE(WorkerGroup::create({.count = 1, .takeover_path = path}));
    }
    EXPECT_EQ(present.taken, Process::kNo);
}

}  // namespace
}  // namespace stoq
