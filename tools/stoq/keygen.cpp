// stoq keygen: a key, and a certificate that it, or an authority, has signed.
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "commands.h"
#include "exit_code.h"
#include "identity_options.h"
#include "key_types.h"
#include "stoq/identity.h"

namespace stoq::tool {
namespace {

struct KeygenOptions {
    std::string out;
    std::string type{kDefaultKeyType};
    bool classical = false;
    bool hybrid = false;
    std::vector<std::string> names;
    unsigned days = 365;
    bool is_ca = false;
    std::string sign_with;
    bool raw = false;
    bool encrypt = false;
    PassPhrases pass_phrases{"STOQ_PASS_PHRASE"};
    PassPhrases authority_pass_phrases{"STOQ_CA_PASS_PHRASE"};
};

[[noreturn]] void fail(const CredentialError& error) {
    const bool usage = error.code == CredentialError::Code::kBadName;
    throw Failure(usage ? ExitCode::kUsage : ExitCode::kLocalFile, error.message());
}

std::string_view type_of(const KeygenOptions& options) {
    if (options.classical) return "p256";
    return options.hybrid ? "p521_falcon1024" : std::string_view(options.type);
}

IdentityRequest request_of(KeygenOptions& options) {
    IdentityRequest request;
    request.key_type = key_type_of(type_of(options));
    if (!options.names.empty()) {
        request.names = options.names;
    } else if (options.is_ca) {
        request.names = {"STOQ authority"};
    }
    request.validity = std::chrono::hours(24) * options.days;
    request.is_ca = options.is_ca;
    request.raw = options.raw;
    if (!options.sign_with.empty()) {
        request.issuer = load_identity(options.sign_with, options.authority_pass_phrases);
    }
    if (options.encrypt) {
        request.pass_phrase = options.pass_phrases.to_protect(options.out + "/key.pem");
    }
    return request;
}

void tell(const KeygenOptions& options, const Identity& identity) {
    if (!identity.is_raw()) fmt::print("certificate  {}/cert.pem\n", options.out);
    fmt::print("private key  {}/key.pem{}\n", options.out, options.encrypt ? ", encrypted" : "");
    fmt::print("kind of key  {}{}\n", type_of(options),
               identity.is_post_quantum() ? "" : ", not post-quantum");
    if (options.is_ca) {
        fmt::print("Peers trust what it signs with: --ca {}/cert.pem\n", options.out);
    } else {
        if (!options.sign_with.empty()) {
            fmt::print("Peers trust it with the authority's certificate: --ca {}/cert.pem\n",
                       options.sign_with);
        }
        fmt::print("Clients pin this server with: --pin {}\n", identity.fingerprint());
    }
    fmt::print("{}\n", identity.fingerprint());
}

void run_keygen(KeygenOptions& options) {
    const IdentityRequest request = request_of(options);
    const auto pem = generate_identity(request);
    if (!pem) fail(pem.error());
    // Before anything is written, what was made has to be readable.
    const auto identity =
        options.raw ? Identity::raw_from_pem(pem->key(), request.pass_phrase)
                    : Identity::from_pem(pem->certificate(), pem->key(), request.pass_phrase);
    if (!identity) fail(identity.error());
    if (const auto saved = pem->save(options.out); !saved) fail(saved.error());
    tell(options, *identity);
}

void add_kind_options(CLI::App& command, KeygenOptions& options) {
    auto* const type =
        command.add_option("--type", options.type, "kind of key: " + key_type_names())
            ->check(CLI::IsMember(key_type_list()))
            ->capture_default_str();
    auto* const classical =
        command.add_flag("--classical", options.classical,
                         "P-256, for peers that know nothing newer; not post-quantum");
    auto* const hybrid = command.add_flag("--hybrid", options.hybrid,
                                          "P-521 and Falcon-1024: holds while one of the two does");
    type->excludes(classical)->excludes(hybrid);
    classical->excludes(hybrid);
}

void add_certificate_options(CLI::App& command, KeygenOptions& options) {
    auto* const names =
        command.add_option("--name", options.names,
                           "names and addresses of the server (default: localhost); of an "
                           "authority: what it is called");
    auto* const days = command.add_option("--days", options.days, "validity in days")
                           ->check(CLI::Range(1u, 36500u))
                           ->capture_default_str();
    auto* const ca =
        command.add_flag("--ca", options.is_ca, "an authority, which signs other certificates");
    auto* const sign_with = command.add_option(
        "--sign-with", options.sign_with, "directory of the authority that signs the certificate");
    command
        .add_flag("--raw", options.raw,
                  "the key alone, without a certificate (RFC 7250), for peers that pin it")
        ->excludes(names)
        ->excludes(days)
        ->excludes(ca)
        ->excludes(sign_with);
}

}  // namespace

void add_keygen(CLI::App& program) {
    auto options = std::make_shared<KeygenOptions>();
    CLI::App* const command = program.add_subcommand(
        "keygen", "make an identity: a key, and a certificate for it; prints what peers pin");
    command->add_option("--out", options->out, "directory for cert.pem and key.pem")->required();
    add_kind_options(*command, *options);
    add_certificate_options(*command, *options);
    command->add_flag("--encrypt", options->encrypt,
                      "protect the private key by a pass phrase (PKCS#8, scrypt, AES-256)");
    options->pass_phrases.add_option(
        *command, "--pass-phrase-file",
        "file with the pass phrase for --encrypt (or STOQ_PASS_PHRASE, or a terminal)");
    options->authority_pass_phrases.add_option(
        *command, "--ca-pass-phrase-file",
        "file with the one of --sign-with (or STOQ_CA_PASS_PHRASE, or a terminal)");
    command->callback([options] { run_keygen(*options); });
}

}  // namespace stoq::tool
