#include "session.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <optional>
#include <string_view>

namespace stoq_hq {
namespace {

constexpr std::uint16_t kPreferredPort = 4443;
constexpr auto kGoodbye = std::chrono::seconds(5);
constexpr auto kKeepAlive = std::chrono::seconds(2);
// The runner's links lose a third of all datagrams: patience belongs to the runner.
constexpr auto kPatience = std::chrono::seconds(120);

template <typename T>
T value_or_fail(stoq::Result<T, stoq::RuntimeError> result) {
    if (!result) fail(result.error().message());
    return std::move(*result);
}

template <typename T>
T value_or_fail(stoq::CredentialResult<T> result) {
    if (!result) fail(result.error().message());
    return std::move(*result);
}

stoq::PostQuantum policy_of(const std::string& word) {
    if (word == "off") return stoq::PostQuantum::kOff;
    if (word == "require") return stoq::PostQuantum::kRequire;
    if (!word.empty() && word != "prefer") fail("--pq is off, prefer or require, not " + word);
    return stoq::PostQuantum::kPrefer;
}

stoq::Credentials base_credentials(const Options& options) {
    stoq::Credentials credentials;
    credentials.alpn = {options.feature == Feature::kHttp3 ? "h3" : "hq-interop"};
    const stoq::PostQuantum policy = policy_of(options.post_quantum);
    credentials.post_quantum = {policy, policy};
    credentials.early_data = options.feature == Feature::kZeroRtt;
    if (options.feature == Feature::kChaCha20 && !options.server)
        credentials.cipher_suites = {.aes_128_gcm = false, .aes_256_gcm = false};
    if (const std::string path = from_environment("SSLKEYLOGFILE"); !path.empty()) {
        auto log = std::make_shared<std::ofstream>(path, std::ios::app);
        credentials.key_log = [log](std::string_view line) { *log << line << std::endl; };
    }
    return credentials;
}

stoq::Settings base_settings(const Options& options) {
    stoq::Settings settings;
    settings.handshake_timeout = kPatience;
    settings.idle_timeout = kPatience;
    // A client that only listens would never tell a server where it is since a rebinding.
    if (!options.server) settings.keep_alive_interval = kKeepAlive;
    if (options.feature == Feature::kVersion2) {
        settings.versions = {stoq::QuicVersion::kVersion2, stoq::QuicVersion::kVersion1};
    }
    // What a client sends in 1-RTT packets is counted there: probes of the datagram size are not
    // what is meant.
    if (options.feature == Feature::kZeroRtt) {
        settings.max_datagram_size = settings.initial_datagram_size;
    }
    return settings;
}

std::optional<stoq::Address> address_of(const sockaddr& socket_address) {
    std::array<char, NI_MAXHOST> text{};
    const bool ipv6 = socket_address.sa_family == AF_INET6;
    if (!ipv6 && socket_address.sa_family != AF_INET) return std::nullopt;
    const socklen_t length = ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    if (::getnameinfo(&socket_address, length, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) != 0 ||
        std::string_view(text.data()).find('%') != std::string_view::npos)  // link-local
        return std::nullopt;
    const std::string host = ipv6 ? "[" + std::string(text.data()) + "]" : text.data();
    return stoq::parse_address(host + ":" + std::to_string(kPreferredPort));
}

// Where clients are to move to: this machine's first address of each family, loopback left out.
std::array<stoq::Address, 2> addresses_to_prefer() {
    std::array<stoq::Address, 2> preferred{};
    ifaddrs* interfaces = nullptr;
    if (::getifaddrs(&interfaces) != 0) fail("cannot list this machine's addresses");
    for (const ifaddrs* it = interfaces; it != nullptr; it = it->ifa_next) {
        const bool usable = it->ifa_addr != nullptr && (it->ifa_flags & IFF_LOOPBACK) == 0;
        const auto address = usable ? address_of(*it->ifa_addr) : std::nullopt;
        if (!address) continue;
        stoq::Address& place = preferred[address->family == stoq::Address::Family::kIpv4 ? 0 : 1];
        if (place.family == stoq::Address::Family::kNone) place = *address;
    }
    ::freeifaddrs(interfaces);
    return preferred;
}

volatile std::sig_atomic_t g_stopping = 0;
stoq::Runtime* g_runtime = nullptr;

void on_signal(int) {
    g_stopping = 1;
    g_runtime->stop();
}

}  // namespace

bool run(stoq::Runtime& runtime) {
    g_runtime = &runtime;
    std::signal(SIGTERM, &on_signal);
    std::signal(SIGINT, &on_signal);
    runtime.run();
    if (g_stopping != 0) runtime.close_all(0);
    runtime.drain(kGoodbye);
    return g_stopping != 0;
}

std::unique_ptr<stoq::Runtime> make_runtime(const Options& options) {
    stoq::RuntimeSettings settings;
    settings.qlog_directory = from_environment("QLOGDIR");
    if (options.feature == Feature::kRetry) settings.endpoint.retry = stoq::RetryPolicy::kAlways;
    return value_or_fail(stoq::Runtime::create(settings));
}

void tell_negotiated(stoq::Endpoint& endpoint, stoq::ConnectionHandle connection) {
    const auto info = endpoint.info(connection);
    if (!info) return;
    std::printf("negotiated: group=%s signature=%s\n", info->key_exchange_group.c_str(),
                info->signature.c_str());
    if (info->early_data != stoq::EarlyDataState::kNone) {
        const bool accepted = info->early_data == stoq::EarlyDataState::kAccepted;
        std::printf("early data: %s\n", accepted ? "accepted" : "rejected");
    }
    std::fflush(stdout);
}

stoq::Address listen(stoq::Runtime& runtime, const Options& options) {
    stoq::ListenConfig config;
    config.address = options.listen;
    config.settings = base_settings(options);
    if (options.feature == Feature::kMigration) {
        config.settings.preferred_addresses = addresses_to_prefer();
    }
    config.credentials = base_credentials(options);
    config.credentials.identities = {
        value_or_fail(stoq::Identity::from_files(options.certificate, options.key))};
    if (!options.identity.empty()) {
        config.credentials.identities.push_back(
            value_or_fail(stoq::Identity::load(options.identity)));
    }
    const stoq::Address address = value_or_fail(runtime.listen(config));
    if (options.feature == Feature::kMigration) {
        config.address = "[::]:" + std::to_string(kPreferredPort);
        (void)value_or_fail(runtime.listen(config));
    }
    return address;
}

stoq::ConnectConfig connect_config(const Options& options) {
    stoq::Credentials credentials = base_credentials(options);
    if (options.insecure) {
        std::fprintf(stderr, "stoq_hq: --insecure: anybody may pretend to be the server\n");
        credentials.trust = stoq::Trust::insecure();
    } else {
        credentials.trust = value_or_fail(stoq::Trust::ca_file(options.ca));
    }
    stoq::ConnectConfig config;
    config.address = authority_of(options.urls.front());
    config.settings = base_settings(options);
    // The runner counts handshakes.
    config.settings.classical_retry_after = stoq::Duration::max();
    config.credentials = std::make_shared<const stoq::Credentials>(std::move(credentials));
    return config;
}

}  // namespace stoq_hq
