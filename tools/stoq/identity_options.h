// What servers and clients have in common on the command line: who we are, whom we believe, and the
// post-quantum policy.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pass_phrase.h"
#include "stoq/identity.h"

namespace CLI {
class App;
class Validator;
}  // namespace CLI

namespace stoq::tool {

struct IdentityOptions {
    std::vector<std::string> directories;
    // Those of keys that are encrypted.
    std::shared_ptr<PassPhrases> pass_phrases = std::make_shared<PassPhrases>("STOQ_PASS_PHRASE");
    std::string pq_key_exchange;  // empty: as the library does for the protocol
    std::string pq_authentication = "prefer";
    std::string groups;  // empty: as the policy says
};
// For options that are off when they are not given: an empty value must not count as that.
CLI::Validator not_empty();

// `server`: an identity is needed.
void add_identity_options(CLI::App& command, IdentityOptions& options, bool server);

// Identities, policy and groups. Throws Failure.
Credentials credentials_of(const IdentityOptions& options, std::string_view alpn);

// Reads `directory`, tells its warnings on stderr, and asks for a pass phrase if the key needs one.
// Throws Failure.
Identity load_identity(const std::string& directory, PassPhrases& pass_phrases);

// One of a fingerprint and a file with authorities; neither: nothing. Throws Failure.
std::optional<Trust> trust_of(const std::string& fingerprint, const std::string& ca_file);

}  // namespace stoq::tool
