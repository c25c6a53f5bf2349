// Who the echo server is, and how its client knows it: a key made at start, pinned by fingerprint.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "stoq/identity.h"

// Ends the program with a line that says why.
[[noreturn]] inline void fail(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::exit(1);
}

// A fresh identity in memory. A server that lives longer than a test uses stoq::Identity::load().
inline stoq::Credentials server_credentials() {
    const auto pem = stoq::generate_identity({.names = {"localhost"}});
    if (!pem) fail(pem.error().message());
    const auto identity = stoq::Identity::from_pem(pem->certificate(), pem->key());
    if (!identity) fail(identity.error().message());
    return {.identities = {*identity}, .alpn = {"echo"}};
}

// Believes exactly the key with this fingerprint.
inline std::shared_ptr<const stoq::Credentials> client_credentials(const std::string& fingerprint) {
    const auto trust = stoq::Trust::fingerprint(fingerprint);
    if (!trust) fail(trust.error().message());
    return std::make_shared<stoq::Credentials>(
        stoq::Credentials{.trust = *trust, .alpn = {"echo"}});
}

// "ADDRESS FINGERPRINT", which are the client's first two arguments.
inline void print_listening(const std::string& address, const stoq::Credentials& credentials) {
    std::printf("%s %s\n", address.c_str(), credentials.identities[0].fingerprint().c_str());
    std::fflush(stdout);
}
