// stoq keygen: a key and a self-signed certificate.
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "commands.h"
#include "exit_code.h"
#include "stoq/identity.h"

namespace stoq::tool {
namespace {

struct KeygenOptions {
    std::string out;
    std::string type = "p256";
    std::vector<std::string> names = {"localhost"};
    unsigned days = 365;
};

[[noreturn]] void fail(const CredentialError& error) {
    const bool usage = error.code == CredentialError::Code::kBadName;
    throw Failure(usage ? ExitCode::kUsage : ExitCode::kLocalFile, error.message());
}

void run_keygen(const KeygenOptions& options) {
    IdentityRequest request;
    request.key_type = options.type == "ed25519" ? KeyType::kEd25519 : KeyType::kP256;
    request.names = options.names;
    request.validity = std::chrono::hours(24) * options.days;
    const auto pem = generate_identity(request);
    if (!pem) fail(pem.error());
    if (const auto saved = pem->save(options.out); !saved) fail(saved.error());
    const auto identity = Identity::load(options.out);
    if (!identity) fail(identity.error());
    fmt::print("certificate  {}/cert.pem\nprivate key  {}/key.pem\n", options.out, options.out);
    fmt::print("Clients pin this server with: --pin {}\n", identity->fingerprint());
    fmt::print("{}\n", identity->fingerprint());
}

}  // namespace

void add_keygen(CLI::App& program) {
    auto options = std::make_shared<KeygenOptions>();
    CLI::App* const command =
        program.add_subcommand("keygen", "make an identity: a key and a self-signed certificate");
    command->add_option("--out", options->out, "directory for cert.pem and key.pem")->required();
    command->add_option("--type", options->type, "kind of key: p256 or ed25519")
        ->check(CLI::IsMember({"p256", "ed25519"}))
        ->capture_default_str();
    command->add_option("--name", options->names, "names and addresses of the server")
        ->capture_default_str();
    command->add_option("--days", options->days, "validity in days")
        ->check(CLI::Range(1u, 36500u))
        ->capture_default_str();
    command->callback([options] { run_keygen(*options); });
}

}  // namespace stoq::tool
