#include "server_options.h"

#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "client_session.h"
#include "exit_code.h"
#include "interrupt.h"
#include "key_log.h"

namespace stoq::tool {
namespace {

constexpr Duration kCloseLimit = std::chrono::milliseconds(500);

Identity load_identity(const std::string& directory) {
    const auto identity = Identity::load(directory);
    if (!identity) throw Failure(ExitCode::kLocalFile, identity.error().message());
    for (const std::string& warning : identity->warnings()) {
        fmt::print(stderr, "stoq: {}\n", warning);
    }
    return *identity;
}

Credentials credentials_of(const ServerOptions& options, std::string_view alpn) {
    Credentials credentials;
    credentials.identities = {load_identity(options.identity)};
    credentials.alpn = {std::string(alpn)};
    credentials.groups = options.groups;
    credentials.key_log = key_log_from_environment();
    return credentials;
}

// Reads the identity anew. One that cannot be used leaves the old one in service.
void reload(Runtime& runtime, const ServerOptions& options, std::string_view alpn) {
    try {
        const Credentials credentials = credentials_of(options, alpn);
        const auto replaced = runtime.replace_credentials(credentials);
        if (!replaced) throw Failure(ExitCode::kOther, replaced.error().message());
        fmt::print("fingerprint {}\n", credentials.identities.front().fingerprint());
        std::fflush(stdout);
    } catch (const Failure& failure) {
        fmt::print(stderr, "stoq: the identity was not reloaded: {}\n", failure.what());
    }
}

}  // namespace

void add_server_options(CLI::App& command, ServerOptions& options) {
    command.add_option("--identity", options.identity, "directory with cert.pem and key.pem")
        ->required();
    command.add_option("--listen", options.listen, "address and port; port 0: any free one")
        ->capture_default_str();
    command.add_option("--qlog", options.qlog_directory,
                       "directory for a qlog file per connection");
    command
        .add_option("--congestion", options.congestion, "congestion control: cubic, newreno or bbr")
        ->check(CLI::IsMember({"cubic", "newreno", "bbr"}))
        ->capture_default_str();
    command.add_option("--groups", options.groups, "key exchange groups, in OpenSSL's notation")
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
    config.credentials = credentials_of(options, alpn);
    config.settings = settings;
    config.settings.congestion = congestion_of(options.congestion);
    const auto address = (*runtime)->listen(config);
    if (!address) throw Failure(ExitCode::kOther, address.error().message());
    fmt::print("fingerprint {}\nlistening on {}\n",
               config.credentials.identities.front().fingerprint(), to_string(*address));
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
