// Runs an application, which has an on() for every event, as server or as client.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "options.h"
#include "stoq/runtime.h"

namespace stoq_hq {

// All of these fail by exit(), with the reason on standard error.
stoq::ConnectConfig connect_config(const Options& options);
std::unique_ptr<stoq::Runtime> make_runtime(const Options& options);
// Prints what was negotiated, for whoever wants to know that it was no less than the peer can do.
void tell_negotiated(stoq::Endpoint& endpoint, stoq::ConnectionHandle connection);
// Accepts connections, also where clients are to move to if that is the case; returns the address.
stoq::Address listen(stoq::Runtime& runtime, const Options& options);
// Turns until the application stops it, or a signal does; then says goodbye. True for a signal.
bool run(stoq::Runtime& runtime);

template <typename Application>
void tell(stoq::Runtime& runtime, Application& application) {
    runtime.set_event_handler([&application](const stoq::Event& event) {
        std::visit([&application](const auto& kind) { application.on(kind); }, event);
    });
}

// Made with an endpoint and the directory to serve. Returns the exit code.
template <typename Application>
int serve(const Options& options) {
    const auto runtime = make_runtime(options);
    Application server(runtime->endpoint(), options);
    tell(*runtime, server);
    std::printf("ready: %s\n", to_string(listen(*runtime, options)).c_str());
    std::fflush(stdout);
    (void)run(*runtime);
    return 0;
}

// Made with a runtime, where to connect, and the options; start() begins. Returns the exit code.
template <typename Application>
int fetch(const Options& options) {
    const auto runtime = make_runtime(options);
    Application client(*runtime, connect_config(options), options);
    tell(*runtime, client);
    client.start();
    return run(*runtime) ? 1 : 0;
}

// HTTP/3 instead of hq-interop; kUnsupported where this was built without nghttp3.
int run_http3(const Options& options);

}  // namespace stoq_hq
