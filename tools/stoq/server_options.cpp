#include "server_options.h"

#include <CLI/CLI.hpp>

#include "stoq/workers.h"

namespace stoq::tool {
void add_server_options(CLI::App& command, ServerOptions& options) {
    add_identity_options(command, options.identity, /*server=*/true);
    auto* const pin =
        command
            .add_option(
                "--client-pin", options.client_pin,
                "only the client with this fingerprint, as `stoq keygen` prints it for the client")
            ->check(not_empty());
    command
        .add_option("--client-ca", options.client_ca_file,
                    "only clients with a certificate of these authorities (PEM)")
        ->check(not_empty())
        ->excludes(pin);
    command.add_option("--listen", options.listen, "address and port; port 0: any free one")
        ->capture_default_str();
    command.add_option("--qlog", options.qlog_directory,
                       "directory for a qlog file per connection");
    add_path_options(command, options.path);
    command
        .add_option("--workers", options.workers,
                    "threads that share the port, each with connections of its own")
        ->check(CLI::Range(1u, unsigned{WorkerGroup::kMaxWorkers}))
        ->capture_default_str();
    command
        .add_option("--key-file", options.key_file,
                    "a secret that outlives the process, made when missing: a server that is "
                    "started again resets the old one's connections at once, and takes its "
                    "tokens and tickets")
        ->check(not_empty());
    command
        .add_option("--takeover", options.takeover_path,
                    "a Unix socket to be made: a server started with the same one takes the "
                    "port, and this one ends when its connections have")
        ->check(not_empty());
    command.add_flag("--retry", options.retry, "make every client prove its address first (Retry)");
}

}  // namespace stoq::tool
