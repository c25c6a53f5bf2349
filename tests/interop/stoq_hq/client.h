// An hq-interop client: fetches files over one connection, or over several, one after the other,
// which may resume the one before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "options.h"
#include "stoq/runtime.h"

namespace stoq_hq {

class Client {
public:
    // `runtime` has to outlive the client. Fails by exit(), with the reason on standard error.
    Client(stoq::Runtime& runtime, stoq::ConnectConfig config, const Options& options);

    // Opens the next connection.
    void start();

    void on(const stoq::ConnectionEstablished& event);
    void on(const stoq::EarlyDataReady& event) { open_streams(event.connection); }
    void on(const stoq::StreamsAvailable& event) { open_streams(event.connection); }
    void on(const stoq::StreamWritable& event) { request(event.connection, event.stream); }
    void on(const stoq::StreamReadable& event);
    void on(const stoq::StreamReset& event);
    void on(const stoq::TicketReceived& event);
    void on(const stoq::ConnectionClosed& event);
    void on(const auto&) {}

private:
    struct Transfer {
        std::string unsent_request;
        std::ofstream file;
    };
    // What one connection fetches.
    using Round = std::vector<std::string>;

    void open_streams(stoq::ConnectionHandle connection);
    void request(stoq::ConnectionHandle connection, stoq::StreamId stream);
    void on_end(Transfer& transfer);
    // Closes the connection and begins the next, if all of this one is done.
    void end_round();
    void update_keys(stoq::ConnectionHandle connection);

    stoq::Runtime& runtime_;
    stoq::ConnectConfig config_;
    std::string directory_;
    Feature feature_;
    std::vector<Round> rounds_;
    std::size_t next_round_ = 0;
    std::size_t closing_ = 0;  // connections that were closed and have not said so
    std::optional<stoq::ConnectionHandle> current_;
    std::map<std::uint64_t, Transfer> transfers_;  // of the current connection, by stream
    std::size_t finished_ = 0;
    std::uint64_t received_bytes_ = 0;
    bool keys_updated_ = false;
    bool resumes_;
};

}  // namespace stoq_hq
