// Context: what all TLS sessions of one role and one Credentials share.
//
// It owns a library context of OpenSSL of its own, so that providers loaded for it are visible to
// nobody else, and one SSL_CTX. Sessions keep the Context they were made with, so replacing it
// (another identity, say) disturbs no session that exists.
//
// Threads: one Context and its sessions belong to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "stoq/identity.h"
#include "stoq/types.h"
#include "tls/policy.h"
#include "tls/ticket_keys.h"

namespace stoq::tls {

class Context {
public:
    // `ticket_secrets`, for servers: the first seals new tickets, all of them open old ones, so
    // that tickets survive a restart and a change of secrets. At most kMaxTicketSecrets are used.
    // Empty: a random secret that dies with this Context.
    static CredentialResult<std::shared_ptr<const Context>> create(
        Role role, const Credentials& credentials,
        std::span<const TicketSecret> ticket_secrets = {});

    static constexpr std::size_t kMaxTicketSecrets = 4;

    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context();

    Role role() const;
    const Policy& policy() const;

    // For this folder only.
    struct State;
    State& state() const { return *state_; }

private:
    explicit Context(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace stoq::tls
