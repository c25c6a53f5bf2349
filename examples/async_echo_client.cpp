// A client of the echo servers in coroutines: async_echo_client ADDRESS:PORT FINGERPRINT TEXT
//
// Sends TEXT on one stream and prints what comes back. Ends with 0 when that is all of it.
#include <chrono>
#include <cstdio>
#include <string>

#include "echo_credentials.h"
#include "stoq/async.h"

stoq::Task<> exchange(stoq::AsyncRuntime& runtime, stoq::ConnectConfig config, std::string text,
                      std::string& answer) {
    auto connection = co_await runtime.connect(config);
    if (!connection) fail(connection.error().message());
    auto stream = co_await connection->open_stream();
    if (!stream) fail(std::string(to_string(stream.error())));

    const auto* begin = reinterpret_cast<const std::uint8_t*>(text.data());
    const auto written = co_await stream->write({begin, text.size()});
    if (!written || !stream->finish()) fail("the stream does not take the text");

    while (true) {
        const auto bytes = co_await stream->read();
        if (!bytes) fail(std::string(to_string(bytes.error())));
        if (bytes->empty()) break;  // the end of the stream
        answer.append(bytes->begin(), bytes->end());
    }
    (void)connection->close();
}

int main(int count, char** arguments) {
    if (count != 4) fail("usage: async_echo_client ADDRESS:PORT FINGERPRINT TEXT");
    auto runtime = stoq::AsyncRuntime::create();
    if (!runtime) fail(runtime.error().message());
    const stoq::ConnectConfig config{.address = arguments[1],
                                     .server_name = "localhost",
                                     .credentials = client_credentials(arguments[2])};
    std::string answer;
    (*runtime)->run(exchange(**runtime, config, arguments[3], answer));
    (*runtime)->runtime().drain(std::chrono::seconds(1));  // the peer is told that we are gone
    std::printf("%s\n", answer.c_str());
    return answer == arguments[3] ? 0 : 1;
}
