// An echo server on the runtime: runtime_echo_server [ADDRESS:PORT]
//
// Sends back whatever comes on any stream. Prints its address and the fingerprint of its key.
#include "echo_credentials.h"
#include "echo_streams.h"
#include "stoq/runtime.h"

int main(int count, char** arguments) {
    const auto made = stoq::Runtime::create();
    if (!made) fail(made.error().message());
    stoq::Runtime& runtime = **made;

    // Everything that happens comes here; sockets and time are the runtime's business.
    runtime.set_event_handler([&](const stoq::Event& event) { echo(runtime.endpoint(), event); });

    const stoq::Credentials credentials = server_credentials();
    const auto address = runtime.listen(
        {.address = count > 1 ? arguments[1] : "127.0.0.1:0", .credentials = credentials});
    if (!address) fail(address.error().message());
    print_listening(stoq::to_string(*address), credentials);
    runtime.run();
}
