// An echo server in coroutines: async_echo_server [ADDRESS:PORT]
//
// Sends back whatever comes on any stream. Prints its address and the fingerprint of its key.
#include <cstdio>

#include "echo_credentials.h"
#include "stoq/async.h"

// One of these runs for each stream ...
stoq::Task<> echo(stoq::Stream stream) {
    while (true) {
        const auto bytes = co_await stream.read();
        if (!bytes || bytes->empty()) break;  // an error, or the end of the stream
        const auto written = co_await stream.write(*bytes);
        if (!written) break;
    }
    // Fails when the stream is gone already, and then there is nothing to finish.
    (void)stream.finish();
}

// ... and one of these for each connection, until it is closed.
stoq::Task<> serve(stoq::Connection connection) {
    while (true) {
        const auto stream = co_await connection.accept_stream();
        if (!stream) break;
        stoq::spawn(echo(*stream));
    }
}

int main(int count, char** arguments) {
    auto runtime = stoq::AsyncRuntime::create();
    if (!runtime) fail(runtime.error().message());
    const stoq::Credentials credentials = server_credentials();
    const auto address = (*runtime)->listen(
        {.address = count > 1 ? arguments[1] : "127.0.0.1:0", .credentials = credentials}, serve);
    if (!address) fail(address.error().message());
    print_listening(stoq::to_string(*address), credentials);
    (*runtime)->run();
}
