// A client of the echo servers on the runtime: runtime_echo_client ADDRESS:PORT FINGERPRINT TEXT
//
// Sends TEXT on one stream and prints what comes back. Ends with 0 when that is all of it.
#include <chrono>
#include <cstdio>

#include "echo_credentials.h"
#include "echo_exchange.h"
#include "stoq/runtime.h"

int main(int count, char** arguments) {
    if (count != 4) fail("usage: runtime_echo_client ADDRESS:PORT FINGERPRINT TEXT");
    const auto made = stoq::Runtime::create();
    if (!made) fail(made.error().message());
    stoq::Runtime& runtime = **made;

    EchoExchange exchange(arguments[3]);
    runtime.set_event_handler([&](const stoq::Event& event) {
        exchange.on_event(runtime.endpoint(), event);
        if (exchange.closed) runtime.stop();
    });

    const auto connection = runtime.connect({.address = arguments[1],
                                             .server_name = "localhost",
                                             .credentials = client_credentials(arguments[2])});
    if (!connection) fail(connection.error().message());
    runtime.run();
    runtime.drain(std::chrono::seconds(1));  // the peer is told that we are gone
    std::printf("%s\n", exchange.answer.c_str());
    return exchange.answer == arguments[3] ? 0 : 1;
}
