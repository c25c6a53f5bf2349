// A client of stoq-file/1 that need not keep to it: raw_request ADDRESS:PORT FINGERPRINT BYTES
//
// Sends BYTES and the end of the stream at once, and prints what comes back.
#include <chrono>
#include <cstdio>
#include <string>

#include "stoq/async.h"

namespace {

int fail(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    return 1;
}

stoq::Task<> exchange(stoq::AsyncRuntime& runtime, stoq::ConnectConfig config, std::string request,
                      int& result) {
    auto connection = co_await runtime.connect(config);
    if (!connection) {
        result = fail(connection.error().message());
        co_return;
    }
    auto stream = co_await connection->open_stream();
    const auto* begin = reinterpret_cast<const std::uint8_t*>(request.data());
    if (!stream || !co_await stream->write({begin, request.size()}) || !stream->finish()) {
        result = fail("the request cannot be sent");
        co_return;
    }
    std::string answer;
    while (true) {
        const auto bytes = co_await stream->read();
        if (!bytes) {
            result = fail(std::string(to_string(bytes.error())));
            co_return;
        }
        if (bytes->empty()) break;  // the end of the stream
        answer.append(bytes->begin(), bytes->end());
    }
    std::fwrite(answer.data(), 1, answer.size(), stdout);
    (void)connection->close();
    result = 0;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 4) return fail("usage: raw_request ADDRESS:PORT FINGERPRINT BYTES");
    const auto trust = stoq::Trust::fingerprint(arguments[2]);
    if (!trust) return fail(trust.error().message());
    const auto runtime = stoq::AsyncRuntime::create();
    if (!runtime) return fail(runtime.error().message());
    const stoq::ConnectConfig config{
        .address = arguments[1],
        .server_name = "localhost",
        .credentials = std::make_shared<stoq::Credentials>(
            stoq::Credentials{.trust = *trust, .alpn = {"stoq-file/1"}})};
    int result = 1;
    (*runtime)->run(exchange(**runtime, config, arguments[3], result));
    (*runtime)->runtime().drain(std::chrono::seconds(1));
    return result;
}
