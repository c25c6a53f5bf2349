// stoq perf handshake: what a full handshake costs with each kind of identity and key exchange, on
// this machine and nowhere else.
#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "exit_code.h"
#include "handshake_load.h"
#include "perf.h"
#include "quantity.h"
#include "tls/library.h"

namespace stoq::tool {
namespace {

struct Kind {
    std::string_view name;  // as OpenSSL and TLS call the key
    KeyType type;
};
constexpr std::array kKinds{
    Kind{"P-256", KeyType::kP256},
    Kind{"ED25519", KeyType::kEd25519},
    Kind{"falcon512", KeyType::kFalcon512},
    Kind{"falcon1024", KeyType::kFalcon1024},
    Kind{"p521_falcon1024", KeyType::kP521Falcon1024},
    Kind{"ML-DSA-65", KeyType::kMlDsa65},
};
// The row of handshakes that need no identity.
constexpr std::string_view kResumed = "resumed";
constexpr std::array<std::string_view, 2> kGroups{"X25519", "X25519MLKEM768"};

std::vector<std::string> kind_names() {
    std::vector<std::string> names;
    names.reserve(kKinds.size() + 1);
    for (const Kind& kind : kKinds) names.emplace_back(kind.name);
    names.emplace_back(kResumed);
    return names;
}

struct HandshakeOptions {
    std::string duration = "1s";
    unsigned rounds = 3;
    std::uint64_t concurrent = 16;
    std::string only;
    bool beside_bulk = false;
};

// One combination, with all its rounds.
struct Row {
    Kind kind;
    std::string_view group;
    std::vector<HandshakeResult> rounds{};

    template <typename Figure>
    double median(const Figure& figure) const {
        std::vector<double> values;
        values.reserve(rounds.size());
        for (const HandshakeResult& round : rounds) values.push_back(figure(round));
        std::ranges::sort(values);
        return values[values.size() / 2];
    }
    double per_second() const {
        return median([](const HandshakeResult& it) { return it.per_server_core(); });
    }
    double share_of_primitives() const {
        return median([](const HandshakeResult& it) { return it.share_of_primitives(); });
    }
};

// TLS libraries do not agree on capitals.
bool same_name(std::string_view one, std::string_view other) {
    return std::ranges::equal(one, other, [](unsigned char a, unsigned char b) {
        return std::tolower(a) == std::tolower(b);
    });
}

std::vector<Row> rows_of(std::string_view only) {
    std::vector<Row> rows;
    for (const Kind& kind : kKinds) {
        if (!only.empty() && !same_name(only, kind.name)) continue;
        if (!tls::kHasFalcon && kind.name.find("falcon") != std::string_view::npos) continue;
        for (const std::string_view group : kGroups) rows.push_back({kind, group});
    }
    if (only.empty() || same_name(only, kResumed)) {
        for (const std::string_view group : kGroups) {
            rows.push_back({{kResumed, KeyType::kP256}, group});
        }
    }
    return rows;
}

HandshakeResult run_round(const Row& row, const HandshakeOptions& options) {
    const bool resumed = row.kind.name == kResumed;
    HandshakeResult result =
        run_handshakes({.key_type = row.kind.type,
                        .group = std::string(row.group),
                        .concurrent = options.concurrent,
                        .span = parse_duration(options.duration),
                        .resumed = resumed,
                        .primitives = resumed ? "P-256" : std::string(row.kind.name)});
    if (resumed) result.primitives.sign = result.primitives.verify = 0;
    if (!same_name(result.group, row.group)) {
        throw Failure(ExitCode::kOther,
                      fmt::format("{} was negotiated, and not {}", result.group, row.group));
    }
    return result;
}

void print_table(const std::vector<Row>& rows) {
    fmt::print("{:<16} {:<14} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>6} {:>6} {:>6}\n",
               "identity", "key exchange", "a second", "server", "client", "sign", "verify",
               "exchange", "symmetric", "share", "up", "down");
    for (const Row& row : rows) {
        const auto show = [&](const auto& figure) { return row.median(figure); };
        fmt::print(
            "{:<16} {:<14} {:>9.0f} {:>8.1f} {:>8.1f} {:>8.1f} {:>8.1f} {:>8.1f} {:>9.1f} {:>6.2f} "
            "{:>6.0f} {:>6.0f}\n",
            row.kind.name, row.group, row.per_second(),
            show([](const HandshakeResult& it) { return it.server_microseconds(); }),
            show([](const HandshakeResult& it) { return it.client_microseconds(); }),
            show([](const HandshakeResult& it) { return it.primitives.sign; }),
            show([](const HandshakeResult& it) { return it.primitives.verify; }),
            show([](const HandshakeResult& it) { return it.primitives.exchange; }),
            show([](const HandshakeResult& it) { return it.primitives.symmetric; }),
            row.share_of_primitives(),
            show([](const HandshakeResult& it) { return it.bytes_up_each(); }),
            show([](const HandshakeResult& it) { return it.bytes_down_each(); }));
    }
    fmt::print(
        "a second: full handshakes that a core sustains as the server. All others are for one:\n"
        "microseconds of processor time of server and client; of a signature and its "
        "verification,\n"
        "of the server's part of the key exchange, and of its key schedule, packet keys and "
        "packets;\n"
        "share: of the server's time that this cryptography alone takes; up, down: bytes of UDP\n"
        "payload, with the close. Resumed: no signature, and a new ticket. Medians of the "
        "rounds.\n");
}

// Of the key exchange that is the default. Only what was measured is there.
void print_result(const std::vector<Row>& rows) {
    std::string result = "RESULT";
    for (const Row& row : rows) {
        if (row.group != kGroups.back()) continue;
        if (row.kind.type == KeyType::kFalcon1024) {
            result +=
                fmt::format(" falcon1024_per_second={:.0f} falcon1024_share_of_primitives={:.3f}",
                            row.per_second(), row.share_of_primitives());
        } else if (row.kind.name == kResumed) {
            result += fmt::format(" resumed_per_second={:.0f}", row.per_second());
        } else if (row.kind.type == KeyType::kP256) {
            result += fmt::format(" p256_per_second={:.0f}", row.per_second());
        } else if (row.kind.type == KeyType::kMlDsa65) {
            result += fmt::format(" mldsa65_per_second={:.0f}", row.per_second());
        }
    }
    fmt::print("{}\n", result);
}

// How much of a download's speed is left beside a flood of handshakes with the same server.
void run_beside_bulk(const HandshakeOptions& options) {
    const auto found = std::ranges::find_if(kKinds, [&](const Kind& each) {
        return same_name(each.name, options.only.empty() ? "falcon1024" : options.only);
    });
    if (found == kKinds.end()) throw Failure(ExitCode::kUsage, "a flood is of full handshakes");
    const Kind& kind = *found;
    std::vector<BulkResult> rounds;
    for (unsigned round = 0; round < options.rounds; ++round) {
        rounds.push_back(run_bulk_beside_handshakes({.key_type = kind.type,
                                                     .group = std::string(kGroups.back()),
                                                     .concurrent = options.concurrent,
                                                     .span = parse_duration(options.duration)}));
        const BulkResult& last = rounds.back();
        fmt::print("{} and {}: {:.2f} Gbit/s alone, {:.2f} beside {:.0f} handshakes a second\n",
                   last.signature, last.group, last.gbps_alone, last.gbps_beside,
                   last.handshakes_per_second);
    }
    std::ranges::sort(rounds, {}, &BulkResult::share);
    const BulkResult& middle = rounds[rounds.size() / 2];
    fmt::print(
        "RESULT bulk_alone_gbps={:.3f} bulk_beside_gbps={:.3f} bulk_share={:.3f} "
        "handshakes_per_second={:.0f}\n",
        middle.gbps_alone, middle.gbps_beside, middle.share(), middle.handshakes_per_second);
}

void run_perf_handshake(const HandshakeOptions& options) {
    if (options.beside_bulk) return run_beside_bulk(options);
    std::vector<Row> rows = rows_of(options.only);
    for (unsigned round = 0; round < options.rounds; ++round) {
        for (Row& row : rows) row.rounds.push_back(run_round(row, options));
    }
    print_table(rows);
    print_result(rows);
}

}  // namespace

void add_perf_handshake(CLI::App& perf) {
    auto options = std::make_shared<HandshakeOptions>();
    CLI::App* const command = perf.add_subcommand(
        "handshake", "handshakes with every kind of identity, over loopback, on two cores");
    command->add_option("--duration", options->duration, "of one measurement")
        ->capture_default_str();
    command->add_option("--rounds", options->rounds, "measurements of each; the median counts")
        ->check(CLI::Range(1u, 100u))
        ->capture_default_str();
    command->add_option("--concurrent", options->concurrent, "handshakes in progress")
        ->check(CLI::Range(1u, 200u))
        ->capture_default_str();
    command->add_option("--only", options->only, "one kind of identity, such as falcon1024")
        ->check(CLI::IsMember(kind_names(), CLI::ignore_case));
    command->add_flag("--beside-bulk", options->beside_bulk,
                      "instead: a download from the server, alone and beside the handshakes");
    command->callback([options] { run_perf_handshake(*options); });
}

}  // namespace stoq::tool
