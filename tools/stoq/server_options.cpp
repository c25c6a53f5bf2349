#include "server_options.h"

#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "client_session.h"
#include "exit_code.h"
#include "interrupt.h"

namespace stoq::tool {
namespace {

constexpr Duration kCloseLimit = std::chrono::milliseconds(500);

Credentials server_credentials(const ServerOptions& options, std::string_view alpn) {
    Credentials credentials = credentials_of(options.identity, alpn);
    if (auto trust = trust_of(options.client_pin, options.client_ca_file)) {
        credentials.trust = std::move(*trust);
        credentials.client_authentication = ClientAuthentication::kRequired;
    }
    if (const auto usable = check_credentials(Role::kServer, credentials); !usable) {
        throw Failure(ExitCode::kUsage, usable.error().message());
    }
    return credentials;
}

void print_fingerprints(const Credentials& credentials) {
    for (const Identity& identity : credentials.identities) {
        fmt::print("fingerprint {}\n", identity.fingerprint());
    }
}

// Reads the identity anew. One that cannot be used leaves the old one in service.
void reload(Runtime& runtime, const ServerOptions& options, std::string_view alpn) {
    try {
        const Credentials credentials = server_credentials(options, alpn);
        const auto replaced = runtime.replace_credentials(credentials);
        if (!replaced) throw Failure(ExitCode::kOther, replaced.error().message());
        print_fingerprints(credentials);
        std::fflush(stdout);
    } catch (const Failure& failure) {
        fmt::print(stderr, "stoq: the identity was not reloaded: {}\n", failure.what());
    }
}

}  // namespace

void add_server_options(CLI::App& command, ServerOptions& options) {
    add_identity_options(command, options.identity, /*server=*/true);
    auto* const pin = command.add_option(
        "--client-pin", options.client_pin,
        "only the client with this fingerprint, as `stoq keygen` prints it for the client");
    command
        .add_option("--client-ca", options.client_ca_file,
                    "only clients with a certificate of these authorities (PEM)")
        ->excludes(pin);
    command.add_option("--listen", options.listen, "address and port; port 0: any free one")
        ->capture_default_str();
    command.add_option("--qlog", options.qlog_directory,
                       "directory for a qlog file per connection");
    command
        .add_option("--congestion", options.congestion, "congestion control: cubic, newreno or bbr")
        ->check(CLI::IsMember({"cubic", "newreno", "bbr"}))
        ->capture_default_str();
    command.add_flag("--retry", options.retry, "make every client prove its address first (Retry)");
}

std::unique_ptr<Runtime> start_server(const ServerOptions& options, std::string_view alpn,
                                      const Settings& settings) {
    RuntimeSettings runtime_settings;
    runtime_settings.qlog_directory = options.qlog_directory;
    if (options.retry) runtime_settings.endpoint.retry = RetryPolicy::kAlways;
    auto runtime = Runtime::create(runtime_settings);
    if (!runtime) throw Failure(ExitCode::kOther, runtime.error().message());
    ListenConfig config;
    config.address = options.listen;
    config.credentials = server_credentials(options, alpn);
    config.settings = settings;
    config.settings.congestion = congestion_of(options.congestion);
    const auto address = (*runtime)->listen(config);
    if (!address) throw Failure(ExitCode::kOther, address.error().message());
    print_fingerprints(config.credentials);
    fmt::print("listening on {}\n", to_string(*address));
    std::fflush(stdout);
    const DatapathReport report = (*runtime)->datapath_report();
    if (!report.buffer_hint.empty()) fmt::print(stderr, "stoq: {}\n", report.buffer_hint);
    return std::move(*runtime);
}

void run_server(Runtime& runtime, const ServerOptions& options, std::string_view alpn) {
    stop_on_signals(&runtime);
    reload_on_hangup(&runtime);
    while (!interrupted()) {
        runtime.run_once(Duration::max());
        if (take_hangup()) reload(runtime, options, alpn);
    }
    runtime.close_all(0, "the server stops");
    runtime.drain(kCloseLimit);
    reload_on_hangup(nullptr);
    stop_on_signals(nullptr);
}

}  // namespace stoq::tool
