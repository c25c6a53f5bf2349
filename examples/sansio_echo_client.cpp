// A client of the echo servers on the bare endpoint: sansio_echo_client IPV4:PORT FINGERPRINT TEXT
//
// Sends TEXT on one stream and prints what comes back. Ends with 0 when that is all of it.
// The loop of stoq/endpoint.h is written out: the socket and the clock are this program's own.
#include "echo_exchange.h"
#include "plain_udp.h"

int main(int count, char** arguments) {
    if (count != 4) fail("usage: sansio_echo_client IPV4:PORT FINGERPRINT TEXT");
    SystemRandom random;
    auto endpoint = stoq::Endpoint::create({}, random);
    if (!endpoint) fail(std::string(to_string(endpoint.error())));
    const PlainUdp socket(stoq::parse_address("0.0.0.0:0"));

    stoq::ClientConfig config;
    config.remote = stoq::parse_address(arguments[1]);
    config.server_name = "localhost";
    config.credentials = client_credentials(arguments[2]);
    const auto connection = endpoint->connect(config, monotonic_now());
    if (!connection) fail(std::string(to_string(connection.error())));

    EchoExchange exchange(arguments[3]);
    std::array<std::uint8_t, 65536> in;
    std::array<std::uint8_t, 2048> out;
    while (true) {
        // What there is to say: at first, the beginning of a handshake.
        while (true) {
            stoq::TransmitSlot slot;
            slot.buffer = out;
            if (!endpoint->transmit(slot, monotonic_now())) break;
            socket.send(slot);
        }
        if (exchange.closed) break;
        socket.wait(endpoint->next_timeout());

        // What the network brought, and what has become of it.
        stoq::ReceivedDatagram datagram = socket.receive(in);
        if (!datagram.data.empty()) endpoint->receive({&datagram, 1}, monotonic_now());
        if (endpoint->next_timeout() <= monotonic_now()) endpoint->on_timeout(monotonic_now());
        while (const auto event = endpoint->poll_event()) exchange.on_event(*endpoint, *event);
        endpoint->settle();  // `in` may be used again
    }
    std::printf("%s\n", exchange.answer.c_str());
    return exchange.answer == arguments[3] ? 0 : 1;
}
