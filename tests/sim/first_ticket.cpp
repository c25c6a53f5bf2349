#include "sim/first_ticket.h"

namespace stoq::sim {
namespace {

constexpr int kMostRounds = 1'000;

class Rehearsal {
public:
    Rehearsal(Host& client, Host& server) : client_(client), server_(server) {}

    std::vector<std::uint8_t> run(const ClientConfig& config) {
        const ConnectionHandle connection = client_.endpoint().connect(config, now_).value();
        for (int i = 0; i < kMostRounds && ticket_.empty(); ++i) exchange();
        (void)client_.endpoint().close(connection, 0);
        for (int i = 0; i < kMostRounds && is_remembered(); ++i) {
            exchange();
            const Instant next =
                std::min(client_.endpoint().next_timeout(), server_.endpoint().next_timeout());
            if (next >= Simulation::kStart) break;
            now_ = std::max(now_, next);
        }
        return ticket_;
    }

private:
    bool is_remembered() {
        return client_.endpoint().statistics().connections_now > 0 ||
               server_.endpoint().statistics().connections_now > 0;
    }

    void exchange() {
        for (Host* host : {&client_, &server_}) {
            if (host->endpoint().next_timeout() <= now_) host->endpoint().on_timeout(now_);
            poll(*host);
            transmit(*host, host == &client_ ? server_ : client_);
        }
    }

    void transmit(Host& from, Host& to) {
        std::vector<std::uint8_t> memory(2'000);
        TransmitSlot slot;
        slot.buffer = memory;
        while (from.endpoint().transmit(slot, now_)) {
            ReceivedDatagram datagram{.data = slot.buffer.first(slot.length),
                                      .local = to.address(),
                                      .remote = from.address()};
            to.endpoint().receive({&datagram, 1}, now_);
            poll(to);
            to.endpoint().settle();
        }
    }

    void poll(Host& host) {
        while (const auto event = host.endpoint().poll_event()) {
            if (const auto* received = std::get_if<TicketReceived>(&*event)) {
                ticket_ = received->ticket;
            }
        }
    }

    Host& client_;
    Host& server_;
    Instant now_{std::chrono::milliseconds(1)};
    std::vector<std::uint8_t> ticket_;
};

}  // namespace

std::vector<std::uint8_t> first_ticket(Host& client, Host& server, const ClientConfig& config) {
    return Rehearsal(client, server).run(config);
}

}  // namespace stoq::sim
