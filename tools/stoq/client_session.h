// A client's connection from start to end: names, trust, the handshake, and why it failed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "exit_code.h"
#include "identity_options.h"
#include "path_options.h"
#include "quantity.h"
#include "stoq/runtime.h"
#include "url.h"

namespace CLI {
class App;
}

namespace stoq::tool {

// What get, put and perf client have in common on the command line.
struct ClientOptions {
    IdentityOptions identity;
    std::string pin;
    std::string ca_file;
    bool insecure = false;
    std::string qlog_directory;
    std::string timeout = "10s";  // of the handshake
    PathOptions path;
};
void add_client_options(CLI::App& command, ClientOptions& options);

// Blocking: the loop turns inside of connect() and run_until(). Failures are thrown from these two,
// never through the library.
class ClientSession {
public:
    ClientSession(const ClientOptions& options, const Authority& authority, std::string_view alpn);
    ~ClientSession();

    // Tries the addresses of the host until one answers.
    void connect();

    // Gets the events of the streams. It must not throw: see fail().
    using StreamHandler = std::function<void(const Event&)>;
    void set_handler(StreamHandler handler) { handler_ = std::move(handler); }
    // Turns until `done()`, until fail() or until the connection ends, which is a failure.
    void run_until(const std::function<bool()>& done);
    // From a handler: run_until() throws this.
    void fail(Failure failure);
    // Closes in order, so that the server need not wait for a timeout.
    void close();

    Runtime& runtime() { return *runtime_; }
    Endpoint& endpoint() { return runtime_->endpoint(); }
    ConnectionHandle connection() const { return connection_; }
    const ConnectionInfo& info() const { return info_; }
    Duration handshake_time() const { return handshake_time_; }

private:
    void on_event(const Event& event);
    void attempt(const Address& remote);
    Failure explain(const CloseInfo& info) const;
    Failure explain_silence() const;
    std::string policy_hint(const CloseInfo& info) const;

    ClientOptions options_;
    Authority authority_;
    Address remote_;
    std::shared_ptr<Credentials> credentials_;
    std::unique_ptr<Runtime> runtime_;
    StreamHandler handler_;
    ConnectionHandle connection_;
    ConnectionInfo info_;
    Duration handshake_time_{};
    bool established_ = false;
    std::optional<CloseInfo> closed_;
    std::optional<Failure> failure_;
};

// What the handshake came to, for RESULT lines: group=X25519MLKEM768 signature=falcon1024
// cipher=... chain=falcon1024 client_signature=none. "none" stands for what was not used, and the
// kinds of key in the server's chain are separated by commas, leaf first.
std::string negotiated(const ConnectionInfo& info);

}  // namespace stoq::tool
