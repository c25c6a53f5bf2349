// How fast one connection carries one stream over loopback, and what that is of what the machine
// allows. Each end is a process with a core of its own; the ceiling is measured before and after.
//
//     end_to_end_bench [seconds]
//
// docs/performance.md says what each figure is.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "allocation_count.h"
#include "ceiling.h"
#include "end.h"
#include "process.h"

namespace {

using namespace stoq;
using namespace stoq::bench;

constexpr unsigned kServerCore = 0;
constexpr unsigned kClientCore = 1;

struct Reports {
    EndReport server;
    EndReport client;
};

ServerConfig server_config(const PemIdentity& pem) {
    auto identity = Identity::from_pem(pem.certificate(), pem.key());
    if (!identity) give_up("no identity");
    ServerConfig config;
    config.credentials.identities = {*identity};
    config.credentials.alpn = {"bench"};
    config.credentials.cipher_suites = {true, false, false};
    config.settings = bulk_settings();
    return config;
}

ClientConfig client_config(const PemIdentity& pem, const Address& remote) {
    auto trust = Trust::ca_pem(pem.certificate());
    if (!trust) give_up("no trust");
    auto credentials = std::make_shared<Credentials>();
    credentials->trust = *trust;
    credentials->alpn = {"bench"};
    credentials->cipher_suites = {true, false, false};
    ClientConfig config;
    config.remote = remote;
    config.server_name = "localhost";
    config.credentials = credentials;
    config.settings = bulk_settings();
    return config;
}

void transfer(Reports& reports, Duration span) {
    auto pem = generate_identity({.names = {"localhost"}});
    if (!pem) give_up("no identity");
    const auto server = open_datapath();
    const auto client = open_datapath();
    const pid_t serving = fork_process([&] {
        pin_to_core(kServerCore);
        run_receiver(*server, server_config(*pem), span, reports.server);
    });
    const pid_t sending = fork_process([&] {
        pin_to_core(kClientCore);
        run_sender(*client, client_config(*pem, server->local_address()), span, reports.client);
    });
    const bool sent = join_process(sending);
    if (!join_process(serving) || !sent) give_up("an end failed");
    if (!server->capabilities().buffer_hint.empty()) {
        std::printf("%s\n", server->capabilities().buffer_hint.c_str());
    }
}

// What a packet of the steady state cost one end, in nanoseconds.
struct Stages {
    double crypto = 0;
    double system_calls = 0;
    double protocol = 0;  // all the rest: protocol, application, loop
    double waiting = 0;
    double processor_share = 0;  // of a core
    double packets = 0;          // full datagrams that passed
    double allocations_per_packet = 0;
    double bytes_copied_per_packet = 0;

    double total() const { return crypto + system_calls + protocol; }
};

// Clock readings around system calls also count the time that other programs had the core; what is
// reported is their share of the processor time.
Stages stages_of(const EndReport& report, double packets, double crypto) {
    const Snapshot& begin = report.begin;
    const Snapshot& end = report.end;
    const double wall = end.wall_ns - begin.wall_ns;
    const double waited = end.wait_ns - begin.wait_ns;
    const double processor = end.processor_ns - begin.processor_ns;
    const double calls = end.receive_ns - begin.receive_ns + end.send_ns - begin.send_ns;
    Stages stages;
    stages.packets = packets;
    stages.crypto = crypto;
    stages.system_calls = calls * std::min(1.0, processor / (wall - waited)) / packets;
    stages.protocol = processor / packets - stages.system_calls - stages.crypto;
    stages.waiting = waited / packets;
    stages.processor_share = processor / wall;
    stages.allocations_per_packet =
        static_cast<double>(end.allocations - begin.allocations) / packets;
    stages.bytes_copied_per_packet =
        static_cast<double>(end.bytes_copied - begin.bytes_copied) / packets;
    return stages;
}

void print_stages(const char* name, const Stages& stages) {
    std::printf(
        "%-8s %5.1f ns a packet: crypto %5.1f, system calls %5.1f, protocol %5.1f; %3.0f %% of its "
        "core, %.6f allocations a packet\n",
        name, stages.total(), stages.crypto, stages.system_calls, stages.protocol,
        stages.processor_share * 100, stages.allocations_per_packet);
}

void print_ceiling(const char* when, const Ceiling& ceiling) {
    std::printf(
        "ceiling %s: U %.1f Gbit/s (processor time of a datagram: sending %.0f ns, receiving "
        "%.0f), "
        "A %.1f; C %.1f; seal %.0f ns a packet, open %.0f\n",
        when, ceiling.udp_gbps, ceiling.udp_send_ns, ceiling.udp_receive_ns, ceiling.aead_gbps,
        ceiling.gbps(), ceiling.seal_ns, ceiling.open_ns);
}

// Other programs take time from both ends and from the ceiling, but not in equal parts.
void print_load() {
    double load = 0;
    if (::getloadavg(&load, 1) == 1) std::printf("load of the machine: %.1f\n", load);
}

double difference(std::uint64_t begin, std::uint64_t end) {
    return static_cast<double>(end - begin);
}

void print_flow(const Reports& reports) {
    const ConnectionStatistics& sent = reports.client.connection;
    const Snapshot& begin = reports.server.begin;
    const Snapshot& end = reports.server.end;
    const double datagrams =
        difference(begin.datapath.received_datagrams, end.datapath.received_datagrams);
    std::printf(
        "%llu packets sent, %llu lost, %llu probe timeouts; %.1f acknowledgements a thousand "
        "packets; window %llu kB, round trip %.0f us\n",
        static_cast<unsigned long long>(sent.packets_sent),
        static_cast<unsigned long long>(sent.packets_lost),
        static_cast<unsigned long long>(sent.probe_timeouts),
        1000 * difference(begin.datapath.sent_datagrams, end.datapath.sent_datagrams) / datagrams,
        static_cast<unsigned long long>(sent.congestion_window / 1024),
        static_cast<double>(sent.smoothed_rtt.count()) / 1000);
    const Snapshot& sender_begin = reports.client.begin;
    const Snapshot& sender_end = reports.client.end;
    std::printf(
        "%.1f packets a send call, %.1f a coalesced buffer, %.1f a receive call\n",
        difference(sender_begin.datapath.sent_datagrams, sender_end.datapath.sent_datagrams) /
            difference(sender_begin.datapath.send_calls, sender_end.datapath.send_calls),
        datagrams / difference(begin.trains, end.trains),
        datagrams / difference(begin.datapath.receive_calls, end.datapath.receive_calls));
}

double packets_sent(const EndReport& report) {
    return difference(report.begin.datapath.sent_datagrams, report.end.datapath.sent_datagrams);
}

double packets_received(const EndReport& report) {
    return difference(report.begin.datapath.received_datagrams,
                      report.end.datapath.received_datagrams);
}

void print_result(const Reports& reports, const Ceiling& ceiling) {
    const double gbps = static_cast<double>(reports.server.bytes) * 8e-9 / reports.server.seconds;
    const Stages sender = stages_of(reports.client, packets_sent(reports.client), ceiling.seal_ns);
    const Stages receiver =
        stages_of(reports.server, packets_received(reports.server), ceiling.open_ns);
    const double payload =
        difference(reports.server.begin.payload_bytes, reports.server.end.payload_bytes) /
        receiver.packets;
    const double processor_gbps = payload * 8 / std::max(sender.total(), receiver.total());
    print_stages("sender", sender);
    print_stages("receiver", receiver);
    print_flow(reports);
    print_load();
    if (!allocations_are_counted()) std::puts("allocations were not counted");
    const auto drops = reports.server.whole.datapath.receive_buffer_drops +
                       reports.client.whole.datapath.receive_buffer_drops;
    std::printf(
        "RESULT gbps=%.2f ceiling_gbps=%.2f share=%.3f processor_gbps=%.2f processor_share=%.3f "
        "udp_gbps=%.2f "
        "aead_gbps=%.2f bytes=%llu verified=%s allocs_per_packet=%.6f "
        "sender_copied_per_packet=%.1f receiver_copied_per_packet=%.1f socket_drops=%llu lost=%llu "
        "sender_crypto_ns=%.1f sender_syscall_ns=%.1f sender_protocol_ns=%.1f sender_cpu=%.3f "
        "receiver_crypto_ns=%.1f receiver_syscall_ns=%.1f receiver_protocol_ns=%.1f "
        "receiver_cpu=%.3f\n",
        gbps, ceiling.gbps(), gbps / ceiling.gbps(), processor_gbps,
        processor_gbps / ceiling.processor_gbps(), ceiling.udp_gbps, ceiling.aead_gbps,
        static_cast<unsigned long long>(reports.server.bytes),
        reports.server.verified ? "ok" : "failed",
        std::max(sender.allocations_per_packet, receiver.allocations_per_packet),
        sender.bytes_copied_per_packet, receiver.bytes_copied_per_packet,
        static_cast<unsigned long long>(drops),
        static_cast<unsigned long long>(reports.client.connection.packets_lost), sender.crypto,
        sender.system_calls, sender.protocol, sender.processor_share, receiver.crypto,
        receiver.system_calls, receiver.protocol, receiver.processor_share);
}

}  // namespace

int main(int argc, char** argv) {
    const int seconds = argc > 1 ? std::atoi(argv[1]) : 10;
    if (seconds < 1) give_up("seconds: 1 or more");
    const Duration span = std::chrono::seconds(seconds);
    auto& reports = make_shared_value<Reports>();
    const Ceiling before = measure_ceiling(span / 5);
    print_ceiling("before", before);
    transfer(reports, span);
    const Ceiling after = measure_ceiling(span / 5);
    print_ceiling("after ", after);
    print_result(reports, mean(before, after));
    const bool whole = reports.client.complete && reports.server.complete &&
                       reports.server.bytes == reports.client.bytes;
    if (!whole) give_up("not everything was delivered");
    if (!reports.server.verified) give_up("what arrived is not what was sent");
    return 0;
}
