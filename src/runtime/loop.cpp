// The loop: receive, tell, settle, send, sleep.
#include <algorithm>
#include <utility>

#include "base/instant_after.h"
#include "io/clock.h"
#include "runtime/implementation.h"
#include "runtime/worker_group.h"

namespace stoq {
namespace {

// What one turn does at most, so that sending does not keep acknowledgements waiting, nor events
// what they have brought about: the peer works on that while we go on. Eight full trains are about
// a tenth of a millisecond.
constexpr std::size_t kMaxTrainsPerTurn = 64;
constexpr std::size_t kMaxBytesPerTurn = 512 * 1024;
constexpr std::size_t kMaxEventsPerTurn = 48;

}  // namespace

void Runtime::Implementation::run() {
    while (!stop_.exchange(false, std::memory_order_acquire)) run_once(Duration::max());
}

void Runtime::Implementation::stop() {
    stop_.store(true, std::memory_order_release);
    sockets_.waker().wake();
}

void Runtime::Implementation::post(Task task) {
    {
        const std::lock_guard lock(posted_mutex_);
        posted_.push_back(std::move(task));
    }
    posted_any_.store(true, std::memory_order_release);
    sockets_.waker().wake();
}

bool Runtime::Implementation::run_once(Duration max_wait) {
    // What the last batch has brought about is told first. Meanwhile no time passes for the
    // endpoint either: what it waits for may lie in a socket.
    const bool up_to_date = !events_left_;
    if (up_to_date) sockets_.close_retired();
    bool worked = !up_to_date || receive();
    worked |= admit_handshakes();
    worked |= run_timers(up_to_date);
    worked |= run_posted();
    worked |= dispatch_events();
    if (inbox_ != nullptr && up_to_date) hand_over();
    // What was received lies in the batch until all that came of it has been told.
    const bool settled = settle();
    sent_ = transmit();
    worked |= sent_;
    worked |= report_unreachable();
    // Sending and bad news have events of their own, which must not sleep with us.
    worked |= dispatch_events();
    if (!settled) settle();
    sockets_.update_interest();
    if (!worked) return sleep(max_wait);
    if (spinning_.enabled()) spinning_.on_work(io::now());
    return true;
}

// Gives up what the endpoint borrows, unless there are events left that may show it.
bool Runtime::Implementation::settle() {
    if (!events_left_) endpoint_->settle();
    return !events_left_;
}

bool Runtime::Implementation::receive() {
    bool received = false;
    for (const runtime::Sockets::Socket& socket : sockets_.all()) {
        const auto batch = socket.datapath->receive_batch();
        if (batch.empty()) continue;
        endpoint_->receive(batch, io::now());
        received = true;
    }
    if (inbox_ != nullptr) received |= receive_from_workers();
    return received;
}

// What other workers of the group got that is for this one.
bool Runtime::Implementation::receive_from_workers() {
    const std::span<ReceivedDatagram> datagrams = inbox_->take();
    if (!datagrams.empty()) endpoint_->receive(datagrams, io::now());
    return !datagrams.empty();
}

void Runtime::Implementation::hand_over() {
    const std::span<const ForeignDatagram> foreign = endpoint_->foreign_datagrams();
    if (!foreign.empty()) settings_.group->implementation_->hand_over(foreign);
}

// Whether handshakes began that had waited.
bool Runtime::Implementation::admit_handshakes() {
    const std::uint64_t data = endpoint_->statistics().data_bytes;
    handshakes_.on_data(data - std::exchange(data_bytes_, data));
    const Instant begun = io::now();
    const std::size_t permits = handshakes_.permits(begun);
    const std::size_t waiting = endpoint_->held_datagrams();
    if (permits == runtime::HandshakeShare::kUnlimited || waiting == 0) {
        // What comes in the next turn waits for the end of it, so that its cost is seen.
        endpoint_->admit_handshakes(permits == runtime::HandshakeShare::kUnlimited ? permits : 0,
                                    begun);
        return waiting != 0;
    }
    endpoint_->admit_handshakes(permits, begun);
    if (permits != 0) handshakes_.on_begun(io::now() - begun);
    endpoint_->admit_handshakes(0, begun);
    return permits != 0;
}

bool Runtime::Implementation::run_timers(bool of_endpoint) {
    const Instant now = io::now();
    bool ran = false;
    if (of_endpoint && endpoint_->next_timeout() <= now) {
        endpoint_->on_timeout(now);
        ran = true;
    }
    // A timer that is set meanwhile is later than `now`, or waits for the next turn.
    while (Task task = timers_.take_due(now)) {
        task();
        ran = true;
    }
    return ran;
}

bool Runtime::Implementation::run_posted() {
    if (!posted_any_.exchange(false, std::memory_order_acquire)) return false;
    std::vector<Task> tasks;
    {
        const std::lock_guard lock(posted_mutex_);
        tasks.swap(posted_);
    }
    for (Task& task : tasks) task();
    return !tasks.empty();
}

bool Runtime::Implementation::dispatch_events() {
    std::size_t count = 0;
    for (; count < kMaxEventsPerTurn; ++count) {
        const auto event = endpoint_->poll_event();
        if (!event) break;
        track(*event);
        if (handler_) handler_(*event);
    }
    events_left_ = count == kMaxEventsPerTurn;
    return count != 0;
}

bool Runtime::Implementation::transmit() {
    if (!sockets_.resume()) return false;
    std::size_t trains = 0;
    std::size_t bytes = 0;
    for (; trains < kMaxTrainsPerTurn && bytes < kMaxBytesPerTurn; ++trains) {
        TransmitSlot* const slot = sockets_.slot();
        if (slot == nullptr || !endpoint_->transmit(*slot, io::now())) break;
        bytes += slot->length;
        sockets_.send(*slot);
    }
    if (trains != 0) sockets_.flush();
    return trains != 0;
}

bool Runtime::Implementation::report_unreachable() {
    const std::vector<Address> unreachable = sockets_.take_unreachable();
    // Only a connection that has not heard from its peer can mind, and the endpoint has to look
    // for it among all: nobody may make it do so at will.
    if (connecting_count_ == 0) return false;
    for (const Address& remote : unreachable) endpoint_->on_unreachable(remote, io::now());
    return !unreachable.empty();
}

Instant Runtime::Implementation::next_timeout() const {
    const Instant retry = sockets_.blocked() ? sockets_.retry_time(io::now()) : kNever;
    const Instant handshake = endpoint_->held_datagrams() > 0 ? handshakes_.next() : kNever;
    return std::min({endpoint_->next_timeout(), timers_.next(), retry, handshake});
}

bool Runtime::Implementation::sleep(Duration max_wait) {
    const Instant now = io::now();
    if (spinning_.should_spin(now)) return true;
    const Instant next = next_timeout();
    const Duration until = next == kNever ? Duration::max() : next - now;
    return sockets_.wait(std::min(max_wait, until));
}

bool Runtime::Implementation::drain(Duration limit) {
    const Instant end = instant_after(io::now(), limit);
    for (Duration left = limit; left > Duration::zero(); left = end - io::now()) {
        run_once(open_count_ == 0 ? Duration::zero() : left);
        if (open_count_ == 0 && !events_left_ && !sent_ && !sockets_.blocked()) return true;
    }
    return false;
}

// --- Which connections are open ------------------------------------------------------------------

Runtime::Implementation::OpenConnection& Runtime::Implementation::tracked(ConnectionHandle handle) {
    if (open_.size() <= handle.index) open_.resize(handle.index + 1);
    return open_[handle.index];
}

void Runtime::Implementation::track(const Event& event) {
    if (const auto* established = std::get_if<ConnectionEstablished>(&event)) {
        track_open(established->connection, false);
    } else if (const auto* closed = std::get_if<ConnectionClosed>(&event)) {
        track_closed(closed->connection);
    }
}

void Runtime::Implementation::track_open(ConnectionHandle handle, bool connecting) {
    track_closed(handle);
    tracked(handle) = {handle, true, connecting};
    ++open_count_;
    if (connecting) ++connecting_count_;
}

void Runtime::Implementation::track_closed(ConnectionHandle handle) {
    OpenConnection& connection = tracked(handle);
    if (!connection.open || connection.handle != handle) return;
    --open_count_;
    if (connection.connecting) --connecting_count_;
    connection = {};
}

}  // namespace stoq
