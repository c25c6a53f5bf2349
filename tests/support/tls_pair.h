// A TLS client and server in memory, exchanging the bytes that CRYPTO frames would carry.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/test_credentials.h"
#include "tls/session.h"

namespace stoq::test {

inline constexpr std::array kTlsLevels{EncryptionLevel::kInitial, EncryptionLevel::kHandshake,
                                       EncryptionLevel::kOneRtt};

// One side and everything that it has told.
struct TlsSide {
    std::unique_ptr<tls::Session> session;
    std::map<std::pair<EncryptionLevel, tls::Direction>, std::vector<std::uint8_t>> secrets;
    std::map<EncryptionLevel, crypto::CipherSuite> cipher_suites;
    std::optional<std::vector<std::uint8_t>> peer_parameters;
    std::vector<std::vector<std::uint8_t>> tickets;
    std::optional<TransportError> error;
    int completions = 0;

    void poll() {
        while (auto event = session->poll_event()) {
            if (auto* secret = std::get_if<tls::SecretInstalled>(&*event)) {
                const ByteView bytes = secret->secret.view();
                secrets[{secret->level, secret->direction}].assign(bytes.begin(), bytes.end());
                cipher_suites[secret->level] = secret->cipher_suite;
            } else if (auto* parameters = std::get_if<tls::PeerTransportParameters>(&*event)) {
                peer_parameters = parameters->bytes;
            } else if (auto* ticket = std::get_if<tls::TicketReceived>(&*event)) {
                tickets.push_back(ticket->ticket);
            } else {
                ++completions;
            }
        }
    }

    void receive(EncryptionLevel level, ByteView bytes) {
        if (error) return;
        if (const auto taken = session->receive(level, bytes); !taken) error = taken.error();
        poll();
    }

    std::vector<std::uint8_t> take(EncryptionLevel level) {
        const ByteView pending = session->pending(level);
        std::vector<std::uint8_t> bytes(pending.begin(), pending.end());
        session->consume(level, bytes.size());
        return bytes;
    }
};

struct TlsPair {
    TlsSide client;
    TlsSide server;
    // Called with everything before it is delivered; may change it.
    std::function<void(Role from, EncryptionLevel level, std::vector<std::uint8_t>& bytes)> meddle;
    std::size_t chunk = SIZE_MAX;
    // The server's, for 0-RTT.
    tls::StrikeRegister* strikes = nullptr;
    tls::EarlyDataLimits early_data_limits{};

    static inline const std::vector<std::uint8_t> kClientParameters = {0x01, 0x02, 0x40, 0x64};
    static inline const std::vector<std::uint8_t> kServerParameters = {0x04, 0x02, 0x41, 0x00};

    void start(std::shared_ptr<const tls::Context> client_context,
               std::shared_ptr<const tls::Context> server_context,
               std::string_view server_name = "localhost", ByteView ticket = {}) {
        client.session = tls::Session::create(std::move(client_context),
                                              {.server_name = server_name,
                                               .local_transport_parameters = kClientParameters,
                                               .ticket = ticket,
                                               .alpn = {}})
                             .value();
        server.session = tls::Session::create(std::move(server_context),
                                              {.server_name = {},
                                               .local_transport_parameters = kServerParameters,
                                               .ticket = {},
                                               .alpn = {},
                                               .early_data_limits = early_data_limits,
                                               .strikes = strikes})
                             .value();
        client.poll();
        server.poll();
    }

    void start(const Credentials& client_settings, const Credentials& server_settings,
               std::string_view server_name = "localhost") {
        start(tls::Context::create(Role::kClient, client_settings).value(),
              tls::Context::create(Role::kServer, server_settings).value(), server_name);
    }

    bool move(Role from) {
        TlsSide& sender = from == Role::kClient ? client : server;
        TlsSide& receiver = from == Role::kClient ? server : client;
        bool moved = false;
        for (const EncryptionLevel level : kTlsLevels) {
            std::vector<std::uint8_t> bytes = sender.take(level);
            if (bytes.empty()) continue;
            if (meddle) meddle(from, level, bytes);
            moved = true;
            for (ByteView rest(bytes); !rest.empty();) {
                const std::size_t length = std::min(chunk, rest.size());
                receiver.receive(level, rest.first(length));
                rest = rest.subspan(length);
            }
        }
        return moved;
    }

    // Until nobody has anything to say.
    void run() {
        bool moved = true;
        while (moved) {
            const bool from_client = move(Role::kClient);
            moved = move(Role::kServer) || from_client;
        }
    }

    bool is_complete() const { return client.completions == 1 && server.completions == 1; }
};

}  // namespace stoq::test
