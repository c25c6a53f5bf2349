// An echo server on the bare endpoint: sansio_echo_server [IPV4:PORT]
//
// Sends back whatever comes on any stream. Prints its address and the fingerprint of its key.
// The loop of stoq/endpoint.h is written out: the socket and the clock are this program's own.
#include "echo_streams.h"
#include "plain_udp.h"

int main(int count, char** arguments) {
    SystemRandom random;
    auto endpoint = stoq::Endpoint::create({}, random);
    if (!endpoint) fail(std::string(to_string(endpoint.error())));
    const stoq::Credentials credentials = server_credentials();
    if (!endpoint->listen({credentials, {}})) fail("cannot listen");

    const PlainUdp socket(stoq::parse_address(count > 1 ? arguments[1] : "127.0.0.1:0"));
    print_listening(to_string(socket.local()), credentials);

    std::array<std::uint8_t, 65536> in;
    std::array<std::uint8_t, 2048> out;
    while (true) {
        // What the network brought, and what has become of it.
        stoq::ReceivedDatagram datagram = socket.receive(in);
        if (!datagram.data.empty()) endpoint->receive({&datagram, 1}, monotonic_now());
        if (endpoint->next_timeout() <= monotonic_now()) endpoint->on_timeout(monotonic_now());
        while (const auto event = endpoint->poll_event()) echo(*endpoint, *event);
        endpoint->settle();  // `in` may be used again

        // What there is to say.
        while (true) {
            stoq::TransmitSlot slot;
            slot.buffer = out;
            if (!endpoint->transmit(slot, monotonic_now())) break;
            socket.send(slot);
        }
        socket.wait(endpoint->next_timeout());
    }
}
