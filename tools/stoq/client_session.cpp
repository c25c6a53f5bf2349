#include "client_session.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "interrupt.h"
#include "io/socket_address.h"
#include "unique_fd.h"

namespace stoq::tool {
namespace {

// No answer and a refusal of our own system: do not wait for the whole handshake timeout.
constexpr Duration kLocalRefusalCheck = std::chrono::milliseconds(1500);
constexpr Duration kCloseLimit = std::chrono::milliseconds(500);

// RFC 8446 section 6.2, as codes of CONNECTION_CLOSE (RFC 9001 section 4.8).
constexpr std::uint64_t kAlerts = 0x100;
constexpr std::uint64_t kAlertHandshakeFailure = kAlerts + 40;
constexpr std::uint64_t kAlertBadCertificate = kAlerts + 42;
constexpr std::uint64_t kAlertAccessDenied = kAlerts + 49;  // those between are of the same kind
constexpr std::uint64_t kAlertInsufficientSecurity = kAlerts + 71;
constexpr std::uint64_t kAlertCertificateRequired = kAlerts + 116;
constexpr std::uint64_t kAlertNoApplicationProtocol = kAlerts + 120;

std::optional<Trust> server_trust(const ClientOptions& options) {
    if (!options.insecure) return trust_of(options.pin, options.ca_file);
    say_on_stderr("stoq: WARNING: --insecure: whoever answers is believed to be the server");
    return Trust::insecure();
}

std::string_view describe(CertificateProblem problem) {
    switch (problem) {
        case CertificateProblem::kUnknownIssuer:
            return "nobody we trust has issued it (use --pin with the server's fingerprint, or "
                   "--ca with the issuer's certificate)";
        case CertificateProblem::kExpired: return "it has expired";
        case CertificateProblem::kNotYetValid: return "it is not valid yet: is the clock right?";
        case CertificateProblem::kWrongHost: return "it is made out to another name";
        case CertificateProblem::kPinMismatch:
            return "its key is not the pinned one: a wrong --pin, another server, or somebody in "
                   "between";
        case CertificateProblem::kMissing: return "there is none";
        default: return "it could not be verified";
    }
}

// A server that has something against our identity; empty: it is something else.
std::string_view describe_refusal(std::uint64_t code) {
    if (code == kAlertCertificateRequired) return "it asks who we are (use --identity)";
    const bool refused = code >= kAlertBadCertificate && code <= kAlertAccessDenied;
    return refused ? "it does not accept who we are (--identity)" : "";
}

// Whether this machine has a route at all; no packet is sent.
void check_route(const Address& remote) {
    io::SocketAddress address{};
    const bool ipv6 = remote.family == Address::Family::kIpv6;
    const UniqueFd probe(::socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!probe) {
        throw Failure(ExitCode::kNoUdp,
                      fmt::format("no UDP socket can be opened here: {}", std::strerror(errno)));
    }
    const socklen_t length = io::to_socket_address(remote, ipv6 ? AF_INET6 : AF_INET, address);
    if (::connect(probe.get(), &address.any, length) != 0) {
        throw Failure(ExitCode::kNoUdp, fmt::format("this machine has no way to {}: {}",
                                                    to_string(remote), std::strerror(errno)));
    }
}

std::vector<Address> addresses_of(const Authority& authority) {
    auto addresses = resolve(authority.host, authority.port);
    if (addresses) return std::move(*addresses);
    throw Failure(
        ExitCode::kNameNotFound,
        fmt::format("no address for the name {}: {}", authority.host, addresses.error().message()));
}

}  // namespace

void add_client_options(CLI::App& command, ClientOptions& options) {
    auto* const pin = command
                          .add_option("--pin", options.pin,
                                      "the server's fingerprint, as `stoq keygen` prints it")
                          ->check(not_empty());
    auto* const ca = command
                         .add_option("--ca", options.ca_file,
                                     "certificates (PEM) to trust instead of the system's")
                         ->check(not_empty());
    auto* const insecure = command.add_flag("--insecure", options.insecure,
                                            "trust whoever answers; for experiments only");
    pin->excludes(ca)->excludes(insecure);
    ca->excludes(insecure);
    command.add_option("--qlog", options.qlog_directory, "directory for a qlog file");
    command.add_option("--timeout", options.timeout, "how long the server may take to answer")
        ->capture_default_str();
    add_path_options(command, options.path);
    add_identity_options(command, options.identity, /*server=*/false);
}

std::string negotiated(const ConnectionInfo& info) {
    const auto word = [](std::string text) {
        std::erase(text, ' ');
        return text.empty() ? std::string("none") : text;
    };
    return fmt::format("group={} signature={} cipher={} chain={} client_signature={}",
                       word(info.key_exchange_group), word(info.signature), word(info.cipher_suite),
                       word(info.peer_chain), word(info.client_signature));
}

ClientSession::ClientSession(const ClientOptions& options, const Authority& authority,
                             std::string_view alpn)
    : options_(options),
      authority_(authority),
      credentials_(std::make_shared<Credentials>(credentials_of(options.identity, alpn))) {
    credentials_->trust = server_trust(options);
    if (const auto usable = check_credentials(Role::kClient, *credentials_); !usable) {
        throw Failure(ExitCode::kUsage, usable.error().message());
    }
    RuntimeSettings settings;
    settings.qlog_directory = options.qlog_directory;
    auto runtime = Runtime::create(settings);
    if (!runtime) throw Failure(ExitCode::kOther, runtime.error().message());
    runtime_ = std::move(*runtime);
    runtime_->set_event_handler([this](const Event& event) { on_event(event); });
    stop_on_signals(runtime_.get());
}

ClientSession::~ClientSession() {
    stop_on_signals(nullptr);
}

void ClientSession::connect() {
    const std::vector<Address> addresses = addresses_of(authority_);
    std::optional<Failure> first;
    for (const Address& address : addresses) {
        try {
            attempt(address);
            return;
        } catch (const Failure& failure) {
            const bool next = failure.code() == ExitCode::kRefused ||
                              failure.code() == ExitCode::kTimedOut ||
                              failure.code() == ExitCode::kNoUdp;
            if (!next) throw;
            // A refusal says more than silence or a missing route.
            if (!first || failure.code() == ExitCode::kRefused) first = failure;
        }
    }
    throw Failure(*first);
}

void ClientSession::attempt(const Address& remote) {
    check_route(remote);
    remote_ = remote;
    closed_.reset();
    failure_.reset();
    ConnectConfig config;
    config.remote = remote;
    config.server_name = authority_.host;
    config.credentials = credentials_;
    config.settings.handshake_timeout = parse_duration(options_.timeout);
    // A server forgets a client that vanished soon; one that waits for a disk has to say so.
    config.settings.keep_alive_interval = std::chrono::seconds(3);
    apply(options_.path, config.settings);
    const Instant start = runtime_->now();
    const auto connection = runtime_->connect(config);
    if (!connection) throw Failure(ExitCode::kOther, connection.error().message());
    connection_ = *connection;
    const Runtime::TimerId check = runtime_->after(kLocalRefusalCheck, [this] {
        const DatapathReport report = runtime_->datapath_report();
        if (report.send_errors > 0 && report.received_datagrams == 0) fail(explain_silence());
    });
    try {
        run_until([this] { return established_; });
    } catch (const Failure&) {
        runtime_->cancel(check);
        (void)endpoint().close(connection_, 0);
        throw;
    }
    runtime_->cancel(check);
    handshake_time_ = runtime_->now() - start;
}

void ClientSession::run_until(const std::function<bool()>& done) {
    while (!done()) {
        if (failure_) throw Failure(*failure_);
        if (closed_) throw explain(*closed_);
        if (interrupted()) throw Failure(ExitCode::kOther, "interrupted");
        runtime_->run_once(Duration::max());
    }
    if (failure_) throw Failure(*failure_);
}

void ClientSession::fail(Failure failure) {
    if (!failure_) failure_ = std::move(failure);
}

void ClientSession::close() {
    if (!closed_) (void)endpoint().close(connection_, 0);
    runtime_->drain(kCloseLimit);
}

void ClientSession::on_event(const Event& event) {
    if (const auto* established = std::get_if<ConnectionEstablished>(&event)) {
        if (established->connection != connection_) return;
        if (const auto info = endpoint().info(established->connection)) info_ = *info;
        established_ = true;
    } else if (const auto* closed = std::get_if<ConnectionClosed>(&event)) {
        if (closed->connection == connection_) closed_ = closed->info;
    } else if (handler_) {
        handler_(event);
    }
}

Failure ClientSession::explain_silence() const {
    const DatapathReport report = runtime_->datapath_report();
    if (report.send_errors > 0 && report.received_datagrams == 0) {
        return {ExitCode::kNoUdp,
                fmt::format("this machine refuses to send UDP to {}: look at its firewall and "
                            "routes (`stoq doctor` looks at the rest)",
                            to_string(remote_))};
    }
    return {
        ExitCode::kTimedOut,
        fmt::format("{} did not answer within {}: no server there, or UDP is blocked on the way",
                    to_string(remote_), options_.timeout)};
}

// Which options may stand in the way of a common algorithm.
std::string ClientSession::policy_hint(const CloseInfo& info) const {
    if (info.kind != CloseKind::kPeerTransport ||
        (info.code != kAlertHandshakeFailure && info.code != kAlertInsufficientSecurity)) {
        return {};
    }
    const PostQuantumPolicy& policy = credentials_->post_quantum;
    std::string options;
    if (policy.key_exchange && *policy.key_exchange != PostQuantum::kPrefer) {
        options += " --pq-key-exchange";
    }
    if (policy.authentication != PostQuantum::kPrefer) options += " --pq-authentication";
    if (!credentials_->groups.empty()) options += " --groups";
    return options.empty() ? options : fmt::format("; look at{}", options);
}

Failure ClientSession::explain(const CloseInfo& info) const {
    const std::string remote = to_string(remote_);
    if (info.certificate != CertificateProblem::kNone) {
        return {ExitCode::kCertificate, fmt::format("the certificate of {} was not accepted: {}",
                                                    remote, describe(info.certificate))};
    }
    switch (info.kind) {
        case CloseKind::kHandshakeTimeout: return explain_silence();
        case CloseKind::kRefused:
            return {ExitCode::kRefused, fmt::format("{} refused: nobody listens there", remote)};
        case CloseKind::kIdleTimeout:
            if (!established_) return explain_silence();
            return {ExitCode::kTimedOut, fmt::format("{} fell silent", remote)};
        case CloseKind::kPeerTransport:
            if (info.code == static_cast<std::uint64_t>(TransportErrorCode::kConnectionRefused)) {
                return {ExitCode::kRefused, fmt::format("{} takes no new connections now", remote)};
            }
            if (info.code == kAlertNoApplicationProtocol) {
                return {ExitCode::kConnection,
                        fmt::format("{} does not speak {}", remote, credentials_->alpn.front())};
            }
            if (const auto why = describe_refusal(info.code); !why.empty()) {
                return {ExitCode::kConnection,
                        fmt::format("{} refused the connection: {}", remote, why)};
            }
            break;
        default: break;
    }
    return {ExitCode::kConnection,
            fmt::format("the connection to {} ended: {}{}", remote,
                        escape_for_terminal(to_string(info)), policy_hint(info))};
}

}  // namespace stoq::tool
