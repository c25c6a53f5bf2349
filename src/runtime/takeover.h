// How one process takes a port from another that runs: what the two tell each other.
//
//     new                                              old
//     connects to the old one's socket        ->
//                                             <-       Offer: key, workers
//                                             <-       OfferedPort, with the program's maps, for
//                                             each
//     binds the port besides the old one, for workers of other numbers
//     Taken: new connections come to me       ->
//
// From then on the kernel gives new connections to the new workers, and the connections that the
// old ones have, by their IDs, to the old ones, until none is left.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "io/local_channel.h"
#include "io/udp/port_selector.h"
#include "io/wakeup.h"
#include "stoq/settings.h"

namespace stoq::runtime {

// A port, and the program that chooses among its sockets; none where the kernel refused it.
struct SharedPort {
    Address address;
    std::optional<io::PortSelector> selector;
};

// What a process that runs has to give.
struct Offer {
    PersistentKey persistent_key;
    std::uint8_t first = 0;  // numbers of its workers
    std::uint8_t count = 0;
    std::vector<SharedPort> ports;
};

// The new process' side.
class Predecessor {
public:
    // Nothing when nobody is there.
    static SystemResult<std::optional<Predecessor>> find(const std::string& path);

    Offer& offer() { return offer_; }
    // New connections are ours. `may_finish`: the kernel tells the predecessor's connections apart
    // from ours, so that it need not give them up.
    SystemResult<void> tell_taken(bool may_finish) const;

private:
    Predecessor(io::LocalChannel channel, Offer offer)
        : channel_(std::move(channel)), offer_(std::move(offer)) {}

    io::LocalChannel channel_;
    Offer offer_;
};

// The old process' side: a thread that waits for a successor.
class SuccessorWatch {
public:
    // Called in the thread: what there is to give; once, that it was taken; and each time that a
    // successor has to wait, because this process has no descriptor left for it.
    struct Handlers {
        std::function<void(const std::function<void(const Offer&)>& use)> with_offer;
        std::function<void(bool may_finish)> taken;
        std::function<void()> delayed;
    };

    static SystemResult<std::unique_ptr<SuccessorWatch>> start(const std::string& path,
                                                               Handlers handlers);
    // Stops waiting.
    ~SuccessorWatch();
    SuccessorWatch(const SuccessorWatch&) = delete;
    SuccessorWatch& operator=(const SuccessorWatch&) = delete;

private:
    SuccessorWatch(io::LocalListener listener, io::Waker stop, Handlers handlers);
    void run();
    bool pause() const;
    // Whether the successor has taken over.
    SystemResult<bool> serve(const io::LocalChannel& successor);

    io::LocalListener listener_;
    io::Waker stop_;
    Handlers handlers_;
    std::thread thread_;
};

}  // namespace stoq::runtime
