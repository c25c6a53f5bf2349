#include "runtime/sockets.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/wildcard.h"

namespace stoq::runtime {
namespace {

// Trains of this size are sent at once, while they are in the cache; smaller ones together.
constexpr std::size_t kFlushAtOnce = 16 * 1024;

// Reports that are kept for one turn; a flood of them is no reason to hold more.
constexpr std::size_t kMaxUnreachable = 16;

constexpr Duration kNoBuffersPause = std::chrono::milliseconds(1);

bool speaks(const io::UdpDatapath& datapath, Address::Family family) {
    return datapath.local_address().family == family || datapath.capabilities().dual_stack;
}

bool means_unreachable(std::errc error) {
    return error == std::errc::connection_refused || error == std::errc::host_unreachable ||
           error == std::errc::network_unreachable;
}

}  // namespace

Sockets::~Sockets() {
    if (epoll_ >= 0) ::close(epoll_);
}

SystemResult<Address> Sockets::open(const io::UdpSettings& settings, bool for_clients) {
    if (sockets_.size() == kMaxSockets) {
        return std::unexpected(std::make_error_code(std::errc::too_many_files_open));
    }
    auto datapath = io::UdpDatapath::create(settings);
    if (!datapath) return std::unexpected(datapath.error());
    const Address local = (*datapath)->local_address();
    if (epoll_ >= 0 && !watch((*datapath)->native_handle(), EPOLL_CTL_ADD)) {
        return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
    }
    sockets_.push_back(
        {.datapath = std::move(*datapath), .for_clients = for_clients || is_wildcard(local)});
    watching_writable_.push_back(false);
    return local;
}

void Sockets::on_moving(ConnectionHandle mover, std::uint16_t port,
                        const std::function<bool(ConnectionHandle)>& known) {
    Socket* newest = nullptr;
    for (Socket& socket : sockets_) {
        if (!socket.mover) continue;
        if (!known(*socket.mover)) socket.retired = true;
        if (socket.mover != mover || socket.datapath->local_address().port == port) continue;
        if (newest != nullptr) newest->retired = true;
        newest = &socket;
    }
    sockets_.back().mover = mover;
    sockets_.back().for_clients = false;
}

void Sockets::close_retired() {
    if (std::ranges::none_of(sockets_, &Socket::retired)) return;
    for (std::size_t i = sockets_.size(); i-- > 0;) {
        if (!sockets_[i].retired) continue;
        sockets_.erase(sockets_.begin() + static_cast<std::ptrdiff_t>(i));
        watching_writable_.erase(watching_writable_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    lender_ = 0;
}

void Sockets::close_last() {
    sockets_.pop_back();
    watching_writable_.pop_back();
    lender_ = 0;
}

Sockets::Socket* Sockets::client_socket(const Address& remote) const {
    for (Socket& socket : sockets_) {
        if (socket.for_clients && speaks(*socket.datapath, remote.family)) return &socket;
    }
    return nullptr;
}

// --- Sending -------------------------------------------------------------------------------------

bool Sockets::resume() {
    if (blocked_) flush();
    return !blocked_;
}

TransmitSlot* Sockets::slot() {
    if (blocked_ || sockets_.empty()) return nullptr;
    Socket& socket = sockets_[lender_];
    if (TransmitSlot* free = socket.datapath->transmit_slot()) return free;
    return flush(socket) ? socket.datapath->transmit_slot() : nullptr;
}

void Sockets::send(TransmitSlot& slot) {
    Socket& socket = route(slot);
    if (&socket == &sockets_[lender_]) {
        socket.datapath->commit(slot);
        if (slot.length >= kFlushAtOnce) flush(socket);
        return;
    }
    send_by(socket, slot);
    // What comes next probably takes the same way, and then needs no copy.
    lender_ = static_cast<std::size_t>(&socket - sockets_.data());
}

// The endpoint fills a slot before it is known which socket it is for. With one socket, as most
// runtimes have, and in runs of one connection with several, this is not used.
void Sockets::send_by(Socket& socket, const TransmitSlot& slot) {
    TransmitSlot* own = socket.datapath->transmit_slot();
    if (own == nullptr && flush(socket)) own = socket.datapath->transmit_slot();
    if (own == nullptr || own->buffer.size() < slot.length) return;  // lost, as on any full link
    std::copy_n(slot.buffer.begin(), slot.length, own->buffer.begin());
    own->length = slot.length;
    own->datagram_length = slot.datagram_length;
    own->local = slot.local;
    own->remote = slot.remote;
    own->ecn = slot.ecn;
    socket.datapath->commit(*own);
}

Sockets::Socket& Sockets::route(const TransmitSlot& slot) {
    if (sockets_.size() == 1) return sockets_.front();
    // Sockets of several addresses may share a port: one that is bound to another cannot send from
    // this one.
    Socket* of_all = nullptr;
    Socket* of_port = nullptr;
    for (Socket& socket : sockets_) {
        const Address local = socket.datapath->local_address();
        if (slot.local.port == 0 || slot.local.port != local.port) continue;
        if (!speaks(*socket.datapath, slot.remote.family)) continue;
        if (local == slot.local) return socket;
        if (is_wildcard(local)) of_all = &socket;
        of_port = &socket;
    }
    if (of_all != nullptr) return *of_all;
    if (of_port != nullptr) return *of_port;
    Socket* const client = client_socket(slot.remote);
    return client != nullptr ? *client : sockets_.front();
}

void Sockets::flush() {
    blocked_ = no_buffers_ = false;
    for (Socket& socket : sockets_) flush(socket);
}

bool Sockets::flush(Socket& socket) {
    const io::FlushOutcome outcome = socket.datapath->flush();
    for (const io::SendFailure& failure : outcome.failures) {
        note_unreachable(failure.remote, failure.error);
    }
    if (outcome.block == io::SendBlock::kNone) return true;
    blocked_ = true;
    no_buffers_ = no_buffers_ || outcome.block == io::SendBlock::kNoBuffers;
    return false;
}

Instant Sockets::retry_time(Instant now) const {
    return no_buffers_ ? now + kNoBuffersPause : kNever;
}

void Sockets::note_unreachable(const Address& remote, std::errc error) {
    if (!means_unreachable(error) || unreachable_.size() == kMaxUnreachable) return;
    if (std::ranges::find(unreachable_, remote) == unreachable_.end()) {
        unreachable_.push_back(remote);
    }
}

std::vector<Address> Sockets::take_unreachable() {
    for (Socket& socket : sockets_) {
        for (const io::PathErrorReport& report : socket.datapath->path_errors()) {
            note_unreachable(report.remote, report.error);
        }
    }
    return std::exchange(unreachable_, {});
}

// --- Waiting -------------------------------------------------------------------------------------

bool Sockets::wait(Duration timeout) {
    if (sockets_.size() != 1) return wait_for_several(timeout);
    const io::WaitOutcome outcome = sockets_.front().datapath->wait(timeout, &waker_);
    return outcome.readable || outcome.writable || outcome.woken;
}

bool Sockets::wait_for_several(Duration timeout) {
    std::array<io::WaitSource, kMaxSockets + 1> sources;
    const std::size_t count = sockets_.size();
    for (std::size_t i = 0; i < count; ++i) {
        sources[i].descriptor = sockets_[i].datapath->native_handle();
        sources[i].want_write = sockets_[i].datapath->wants_writable();
    }
    sources[count].descriptor = waker_.native_handle();
    const std::size_t ready = io::wait_for(std::span(sources).first(count + 1), timeout);
    for (std::size_t i = 0; i < count; ++i) {
        // So that the datapath looks into its error queue.
        if (sources[i].error) sockets_[i].datapath->wait(Duration::zero(), nullptr);
    }
    if (sources[count].readable) waker_.reset();
    return ready != 0;
}

int Sockets::native_handle() {
    if (epoll_ >= 0) return epoll_;
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) return -1;
    bool all = watch(waker_.native_handle(), EPOLL_CTL_ADD);
    for (const Socket& socket : sockets_) {
        all = all && watch(socket.datapath->native_handle(), EPOLL_CTL_ADD);
    }
    if (!all) {
        ::close(std::exchange(epoll_, -1));
        return -1;
    }
    update_interest();
    return epoll_;
}

void Sockets::update_interest() {
    if (epoll_ < 0) return;
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
        const bool writable = sockets_[i].datapath->wants_writable();
        if (writable == watching_writable_[i]) continue;
        STOQ_CHECK(watch(sockets_[i].datapath->native_handle(), EPOLL_CTL_MOD, writable));
        watching_writable_[i] = writable;
    }
}

// False where the system has no memory, or this user no watch left, for another one.
bool Sockets::watch(int descriptor, int operation, bool writable) const {
    epoll_event event{};
    event.events = writable ? EPOLLIN | EPOLLOUT : EPOLLIN;
    const int done = ::epoll_ctl(epoll_, operation, descriptor, &event);
    STOQ_CHECK(done == 0 || errno == ENOMEM || errno == ENOSPC);
    return done == 0;
}

}  // namespace stoq::runtime
