// The race itself, for any library that a Transport can be made of.
#pragma once

#include <string>

#include "contract.h"

namespace race {

// Names a connection of a transport; never used twice.
using ConnectionId = std::uint64_t;

struct StreamKey {
    ConnectionId connection = 0;
    std::uint64_t stream = 0;

    friend bool operator==(const StreamKey&, const StreamKey&) = default;
};

struct StreamKeyHash {
    std::size_t operator()(const StreamKey& key) const {
        return (key.connection * 0x9e3779b97f4a7c15) ^ (key.stream * 0xff51afd7ed558ccd);
    }
};

// What a transport tells, from inside of turn().
class Application {
public:
    virtual ~Application() = default;

    virtual void on_established(ConnectionId) {}
    // Bytes of a stream in order; `end` comes once, with the last of them or without any.
    virtual void on_data(const StreamKey& key, Bytes bytes, bool end) = 0;
    // write() took less than it was given; now it takes more.
    virtual void on_writable(const StreamKey& key) = 0;
    virtual void on_datagram(ConnectionId, Bytes) {}
    virtual void on_streams_available() {}
    // A connection ended that was not closed by close().
    virtual void on_closed(ConnectionId connection, const std::string& why) = 0;
};

// A library, its sockets and its loop.
class Transport {
public:
    virtual ~Transport() = default;

    void set_application(Application& application) { application_ = &application; }

    // Begins a handshake; on_established() follows.
    virtual ConnectionId dial() = 0;
    virtual bool was_resumed(ConnectionId connection) = 0;
    // Nothing while the peer allows no more: on_streams_available() follows.
    virtual std::optional<StreamKey> open(ConnectionId connection) = 0;
    // Returns how many bytes were taken. Those that live for ever need not be copied.
    virtual std::size_t write(const StreamKey& key, Bytes bytes, bool live_for_ever) = 0;
    virtual void finish(const StreamKey& key) = 0;
    // What this side sends on a stream lets all other streams go first. Nothing happens where the
    // library has no means for it.
    virtual void set_background(const StreamKey&) {}
    // The rest of what the peer sends on a stream is not wanted.
    virtual void abandon(const StreamKey& key) = 0;
    virtual bool send_datagram(ConnectionId connection, Bytes bytes) = 0;
    virtual void close(ConnectionId connection) = 0;
    // Waits for work for `most` at the most, and does it.
    virtual void turn(std::chrono::milliseconds most) = 0;

protected:
    Application& application() { return *application_; }

private:
    Application* application_ = nullptr;
};

// Serves for ever.
[[noreturn]] void serve(Transport& transport);
// Does what the options say and prints the report.
void drive(Transport& transport, const Options& options);

}  // namespace race
