// The UDP sockets of one runtime: which of them a datagram leaves by, and sleeping on all of them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "io/udp/udp_datapath.h"
#include "io/wakeup.h"
#include "stoq/endpoint.h"
#include "stoq/error.h"
#include "stoq/types.h"

namespace stoq::runtime {

class Sockets {
public:
    // So that a wait can watch them all.
    static constexpr std::size_t kMaxSockets = 32;

    struct Socket {
        std::unique_ptr<io::UdpDatapath> datapath;
        // Connections to anywhere may leave by it: it was bound for that, or to no address.
        bool for_clients = false;
        // The connection that moved to it, if it was opened for that.
        std::optional<ConnectionHandle> mover{};
        bool retired = false;  // nobody uses it any more: close_retired()
    };

    explicit Sockets(io::Waker waker) : waker_(std::move(waker)) {}
    ~Sockets();
    Sockets(const Sockets&) = delete;
    Sockets& operator=(const Sockets&) = delete;

    SystemResult<Address> open(const io::UdpSettings& settings, bool for_clients);
    // The socket that was opened last is that of a connection which moves to it. Of those that it
    // moved to before, the one in use (of `port`) and the newest stay, for what is still under way;
    // and none stays of connections that are not `known` any more.
    void on_moving(ConnectionHandle mover, std::uint16_t port,
                   const std::function<bool(ConnectionHandle)>& known);
    // Call when nothing that was received is borrowed.
    void close_retired();
    void close_last();
    // There is a socket by which a new connection can reach `remote`.
    bool reaches(const Address& remote) const { return client_socket(remote) != nullptr; }
    const std::vector<Socket>& all() const { return sockets_; }
    const io::Waker& waker() const { return waker_; }

    // --- Sending ---

    // Sends what a full socket left behind. False while one is still full: nothing else can be
    // sent then.
    bool resume();
    // Memory for the next train, or null when sockets are full.
    TransmitSlot* slot();
    // Queues what slot() lent last, at the socket it has to leave by.
    void send(TransmitSlot& slot);
    void flush();
    bool blocked() const { return blocked_; }
    // When to try again without being told that there is room; kNever when one will be told.
    Instant retry_time(Instant now) const;
    // Peers that cannot be reached, by what the network or this host said since the last call.
    std::vector<Address> take_unreachable();

    // --- Waiting ---

    // True when there is something to do but for timers.
    bool wait(Duration timeout);
    // An epoll descriptor for everything that wait() watches; -1 when there can be none.
    int native_handle();
    // Keeps native_handle() watching for what the sockets now want.
    void update_interest();

private:
    Socket* client_socket(const Address& remote) const;
    Socket& route(const TransmitSlot& slot);
    void send_by(Socket& socket, const TransmitSlot& slot);
    bool flush(Socket& socket);
    void note_unreachable(const Address& remote, std::errc error);
    bool wait_for_several(Duration timeout);
    bool watch(int descriptor, int operation, bool writable = false) const;

    io::Waker waker_;
    // Not const: which socket a call may change does not depend on who asks for it.
    mutable std::vector<Socket> sockets_;
    std::vector<bool> watching_writable_;
    std::vector<Address> unreachable_;
    std::size_t lender_ = 0;  // the socket whose slot is lent
    bool blocked_ = false;
    bool no_buffers_ = false;  // an interface is full, which no descriptor tells the end of
    int epoll_ = -1;
};

}  // namespace stoq::runtime
