// stoq doctor: what this machine offers, and what to do about what it does not.
#include <sys/utsname.h>

#include <string_view>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <openssl/crypto.h>

#include "commands.h"
#include "crypto/aead.h"
#include "exit_code.h"
#include "io/udp/udp_datapath.h"
#include "quantity.h"
#include "stoq/identity.h"

namespace stoq::tool {
namespace {

void line(bool good, std::string_view what, std::string_view value, std::string_view advice) {
    fmt::print("{:<6}{:<22}{}\n", good ? "ok" : "note", what, value);
    if (!good && !advice.empty()) fmt::print("{:<28}-> {}\n", "", advice);
}

void yes_or_no(bool there, std::string_view what, std::string_view gives, std::string_view advice) {
    line(there, what, there ? gives : "not here", advice);
}

void show_system() {
    utsname name{};
    ::uname(&name);
    line(true, "system", fmt::format("{} {} {}", name.sysname, name.release, name.machine), {});
    const unsigned processors = std::thread::hardware_concurrency();
    line(processors > 1, "processors", fmt::format("{}", processors),
         "one connection at full speed keeps a processor busy at each end");
}

void show_crypto() {
    line(true, "OpenSSL", OpenSSL_version(OPENSSL_VERSION), {});
    line(true, "key exchange", "X25519MLKEM768 (post-quantum); required between STOQ programs", {});
    const bool openssl_leads = crypto::is_available(crypto::Backend::kIpsecMb) &&
                               crypto::automatic_backend(crypto::CipherSuite::kAes128GcmSha256) !=
                                   crypto::Backend::kIpsecMb;
    if (openssl_leads) {
        line(true, "packet protection", "OpenSSL, which is faster here than intel-ipsec-mb", {});
        return;
    }
    yes_or_no(
        crypto::is_available(crypto::Backend::kIpsecMb), "packet protection",
        "intel-ipsec-mb: batches of packets",
        "OpenSSL does it, at about half the speed; on x86-64 build with intel-ipsec-mb >= 2.0 "
        "(`make setup`)");
}

void show_offloads(const io::DatapathCapabilities& has) {
    yes_or_no(has.segmentation_offload, "send trains (GSO)", "UDP_SEGMENT",
              "needs Linux 4.18; a system call per datagram costs about a third of the speed");
    yes_or_no(has.receive_coalescing, "receive trains (GRO)", "UDP_GRO",
              "needs Linux 5.0; a buffer per datagram costs about a third of the speed");
    yes_or_no(has.ecn, "ECN", "marks are sent and read",
              "congestion is noticed by loss alone; a sandbox or an old kernel hides the marks");
    yes_or_no(has.packet_info, "packet info", "the local address is known and chosen",
              "on a machine with several addresses listen on one of them");
    yes_or_no(has.dont_fragment, "don't fragment", "path MTU discovery works",
              "datagrams stay at 1200 bytes");
    yes_or_no(has.drop_counter, "drop counter", "SO_RXQ_OVFL",
              "a full receive buffer cannot be told from loss in the network");
    yes_or_no(has.path_errors, "ICMP errors", "IP_RECVERR",
              "a closed port is noticed by timeout only");
    yes_or_no(has.dual_stack, "IPv6", "one socket for IPv4 and IPv6",
              "IPv6 is switched off here: listen on 0.0.0.0 and connect to IPv4 addresses");
}

void show_network() {
    io::UdpSettings settings;
    settings.local = parse_address("[::]:0");
    auto datapath = io::UdpDatapath::create(settings);
    if (!datapath) {
        settings.local = parse_address("0.0.0.0:0");
        datapath = io::UdpDatapath::create(settings);
    }
    if (!datapath) {
        line(false, "UDP", datapath.error().message(),
             "no UDP socket can be opened here: look at the sandbox or the firewall");
        throw Failure(ExitCode::kNoUdp, "nothing works without UDP");
    }
    const io::DatapathCapabilities& has = (*datapath)->capabilities();
    show_offloads(has);
    line(has.buffer_hint.empty(), "socket buffers",
         fmt::format("receive {}, send {}", show_size(has.receive_buffer),
                     show_size(has.send_buffer)),
         has.buffer_hint);
}

}  // namespace

void add_doctor(CLI::App& program) {
    CLI::App* const command = program.add_subcommand(
        "doctor", "what this machine offers to STOQ, and what to do about what is missing");
    command->callback([] {
        show_system();
        show_crypto();
        show_network();
    });
}

}  // namespace stoq::tool
