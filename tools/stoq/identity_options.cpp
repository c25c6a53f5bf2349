#include "identity_options.h"

#include <CLI/CLI.hpp>

#include "exit_code.h"
#include "key_log.h"

namespace stoq::tool {
namespace {

PostQuantum policy_of(const std::string& word) {
    if (word == "off") return PostQuantum::kOff;
    return word == "require" ? PostQuantum::kRequire : PostQuantum::kPrefer;
}

Failure failure_of(const CredentialError& error) {
    return {ExitCode::kLocalFile, error.message()};
}

}  // namespace

CLI::Validator not_empty() {
    const auto problem = [](const std::string& value) {
        return std::string(value.empty() ? "the value is empty" : "");
    };
    return CLI::Validator(problem, "");
}

void add_identity_options(CLI::App& command, IdentityOptions& options, bool server) {
    auto* const identity = command.add_option(
        "--identity", options.directories,
        server ? "directory with cert.pem and key.pem; several, of different kinds of key, for "
                 "clients that know only some kinds"
               : "directory with cert.pem and key.pem, for servers that ask who we are");
    if (server) identity->required();
    options.pass_phrases->add_option(
        command, "--pass-phrase-file",
        "file with the pass phrase of the private key (or STOQ_PASS_PHRASE, or a terminal)");
    const CLI::IsMember words({"off", "prefer", "require"});
    command
        .add_option("--pq-key-exchange", options.pq_key_exchange,
                    "post-quantum key exchange: off, prefer or require (default: require)")
        ->check(words);
    command
        .add_option("--pq-authentication", options.pq_authentication,
                    "post-quantum signatures and certificates: off, prefer or require")
        ->check(words)
        ->capture_default_str();
    command.add_option("--groups", options.groups, "key exchange groups, in OpenSSL's notation")
        ->capture_default_str();
}

Identity load_identity(const std::string& directory, PassPhrases& pass_phrases) {
    auto identity = Identity::load(directory);
    if (!identity && identity.error().code == CredentialError::Code::kEncryptedKey) {
        identity = Identity::load(directory, pass_phrases.to_open(directory + "/key.pem"));
    }
    if (!identity) throw failure_of(identity.error());
    for (const std::string& warning : identity->warnings()) {
        say_on_stderr("stoq: " + warning);
    }
    return *identity;
}

Credentials credentials_of(const IdentityOptions& options, std::string_view alpn) {
    Credentials credentials;
    for (const std::string& directory : options.directories) {
        credentials.identities.push_back(load_identity(directory, *options.pass_phrases));
    }
    credentials.alpn = {std::string(alpn)};
    if (!options.pq_key_exchange.empty()) {
        credentials.post_quantum.key_exchange = policy_of(options.pq_key_exchange);
    }
    credentials.post_quantum.authentication = policy_of(options.pq_authentication);
    credentials.groups = options.groups;
    credentials.key_log = key_log_from_environment();
    return credentials;
}

std::optional<Trust> trust_of(const std::string& fingerprint, const std::string& ca_file) {
    if (fingerprint.empty() && ca_file.empty()) return std::nullopt;
    const auto trust =
        fingerprint.empty() ? Trust::ca_file(ca_file) : Trust::fingerprint(fingerprint);
    if (trust) return *trust;
    throw Failure(fingerprint.empty() ? ExitCode::kLocalFile : ExitCode::kUsage,
                  trust.error().message());
}

}  // namespace stoq::tool
