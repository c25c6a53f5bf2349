// stoq_link: carries packets between two network namespaces over a link of chosen quality.
//
//     ip netns add near; ip netns add far
//     stoq_link --client near --server far simple-p2p --delay=15ms --bandwidth=10Mbps --queue=25
//
// It makes a TUN device in each, prints `ready`, and runs until SIGTERM or --longest; addresses and
// routes are the caller's. At the end it prints its counters.
#include <poll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <exception>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "link.h"
#include "pcap.h"
#include "scenario.h"
#include "tun.h"

namespace {

using namespace stoq;
using namespace stoq::link;

// Packets that are read from one device before the other gets its turn.
constexpr int kBatch = 64;

volatile std::sig_atomic_t g_stopping = 0;

void on_signal(int) {
    g_stopping = 1;
}

Instant now() {
    return Instant(std::chrono::steady_clock::now().time_since_epoch());
}

std::chrono::nanoseconds wall_clock() {
    return std::chrono::system_clock::now().time_since_epoch();
}

class Carrier {
public:
    explicit Carrier(const Options& options)
        : client_(options.client_namespace, options.device),
          server_(options.server_namespace, options.device),
          link_(options.link),
          end_(now() + options.longest) {
        if (options.captures.empty()) return;
        client_capture_ = Pcap(options.captures + "/client.pcap");
        server_capture_ = Pcap(options.captures + "/server.pcap");
    }

    void run(const sigset_t& waiting_mask) {
        while (g_stopping == 0 && now() < end_) {
            wait(waiting_mask);
            take_in(client_, client_capture_, Direction::kToServer);
            take_in(server_, server_capture_, Direction::kToClient);
            while (auto delivery = link_.take(now())) hand_out(*delivery);
        }
        client_capture_.flush();
        server_capture_.flush();
    }

    void print_counters() const {
        for (const auto& [direction, name] :
             {std::pair{Direction::kToServer, "to_server"}, {Direction::kToClient, "to_client"}}) {
            const Counters& c = link_.counters(direction);
            fmt::print(
                "{} offered={} delivered={} bytes={} queue_drops={} list_drops={} random_drops={} "
                "blackhole_drops={} binding_drops={} corrupted={}\n",
                name, c.offered, c.delivered, c.delivered_bytes, c.queue_drops, c.list_drops,
                c.random_drops, c.blackhole_drops, c.binding_drops, c.corrupted);
        }
        fmt::print("rebinds={} refused={}\n", link_.rebinds(), refused_);
    }

private:
    void wait(const sigset_t& mask) {
        std::array<pollfd, 2> devices = {
            {{client_.descriptor(), POLLIN, 0}, {server_.descriptor(), POLLIN, 0}}};
        const Duration left =
            std::max(std::min(link_.next_event(), end_) - now(), Duration::zero());
        const timespec limit = {left / std::chrono::seconds(1),
                                (left % std::chrono::seconds(1)).count()};
        if (::ppoll(devices.data(), devices.size(), &limit, &mask) < 0 && errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "ppoll");
    }

    void take_in(Tun& device, Pcap& capture, Direction direction) {
        for (int i = 0; i < kBatch; ++i) {
            auto packet = device.read();
            if (!packet) return;
            capture.add(*packet, wall_clock());
            link_.offer(direction, std::move(*packet), now());
        }
    }

    void hand_out(const Delivery& delivery) {
        const bool to_server = delivery.direction == Direction::kToServer;
        (to_server ? server_capture_ : client_capture_).add(delivery.packet, wall_clock());
        if (!(to_server ? server_ : client_).write(delivery.packet)) ++refused_;
    }

    Tun client_, server_;
    Pcap client_capture_, server_capture_;
    Link link_;
    Instant end_;
    std::uint64_t refused_ = 0;  // packets that a namespace's kernel did not take
};

// Signals come while the loop waits, and at no other time. Returns the mask to wait with.
sigset_t prepare_signals() {
    std::signal(SIGTERM, &on_signal);
    std::signal(SIGINT, &on_signal);
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    return before;
}

int run(const std::vector<std::string>& arguments) {
    std::string help;
    Options options;
    try {
        options = parse_options(arguments, help);
    } catch (const CLI::CallForHelp&) {
        fmt::print("{}", help);
        return 0;
    } catch (const CLI::ParseError& error) {
        fmt::print(stderr, "stoq_link: {}\n", error.what());
        return 2;
    }
    ::prctl(PR_SET_TIMERSLACK, 1);  // the delay is to be what was asked for
    const sigset_t mask = prepare_signals();
    Carrier carrier(options);
    fmt::print("ready\n");
    std::fflush(stdout);
    carrier.run(mask);
    carrier.print_counters();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run({argv + 1, argv + argc});
    } catch (const std::exception& failure) {
        fmt::print(stderr, "stoq_link: {}\n", failure.what());
        return 1;
    }
}
