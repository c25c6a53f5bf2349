#include "io/udp/udp_receiver.h"

#include <algorithm>
#include <cerrno>

namespace stoq::io {

namespace {

// A coalesced buffer is one IP datagram's worth at most.
constexpr std::size_t kCoalescedBytes = 65'536;

// The kernel puts at most this many datagrams into one coalesced buffer (Linux 6.9 and later; 64
// before).
constexpr std::size_t kMaxCoalesced = 128;

// Without coalescing a call should still bring as much as a train.
constexpr std::size_t kPlainBuffers = 64;

// What one call may bring: more than this would leave the cache before anybody has read it. Long
// trains measured 15 % dearer at 1 MB a call.
constexpr std::size_t kBatchBytes = 262'144;

// Errors of the network may queue up in front of the data; each failing call takes one away.
constexpr int kAttempts = 4;

std::size_t buffer_count(const UdpSocket& socket, const UdpSettings& settings) {
    if (!socket.capabilities().receive_coalescing) return kPlainBuffers;
    return std::max<std::size_t>(settings.receive_buffers, 1);
}

}  // namespace

UdpReceiver::UdpReceiver(const UdpSocket& socket, const UdpSettings& settings)
    : calls_(socket.calls()),
      descriptor_(socket.descriptor()),
      bound_(socket.local_address()),
      buffer_bytes_(socket.capabilities().receive_coalescing ? kCoalescedBytes
                                                             : settings.max_datagram),
      buffers_(buffer_count(socket, settings)),
      vectors_(buffers_.size()),
      messages_(buffers_.size()) {
    // Not zeroed: pages that are never received into are never touched.
    memory_ = std::make_unique_for_overwrite<std::uint8_t[]>(buffers_.size() * buffer_bytes_);
    const bool coalescing = socket.capabilities().receive_coalescing;
    datagrams_.resize(buffers_.size() * (coalescing ? kMaxCoalesced : 1));
    for (std::size_t i = 0; i < buffers_.size(); ++i) arm(i);
}

void UdpReceiver::arm(std::size_t index) {
    vectors_[index] = {memory_.get() + index * buffer_bytes_, buffer_bytes_};
    msghdr& header = messages_[index].msg_hdr;
    header = msghdr{};
    header.msg_name = &buffers_[index].remote;
    header.msg_namelen = sizeof(SocketAddress);
    header.msg_iov = &vectors_[index];
    header.msg_iovlen = 1;
    header.msg_control = buffers_[index].control.bytes.data();
    header.msg_controllen = kControlBytes;
}

std::span<ReceivedDatagram> UdpReceiver::receive(DatapathCounters& counters,
                                                 bool& path_error_seen) {
    for (std::size_t i = 0; i < used_; ++i) arm(i);
    delivered_ = 0;
    const int received = receive_messages(counters, path_error_seen);
    used_ = received > 0 ? static_cast<std::size_t>(received) : 0;
    if (used_ > 0) longest_ = 0;
    for (std::size_t i = 0; i < used_; ++i) {
        longest_ = std::max<std::size_t>(longest_, messages_[i].msg_len);
        deliver(i, counters);
    }
    return {datagrams_.data(), delivered_};
}

// Traffic tends to go on as it was: long trains few at a time, short datagrams many.
std::size_t UdpReceiver::batch_size() const {
    const std::size_t fitting = kBatchBytes / std::max<std::size_t>(longest_, 1);
    return std::clamp<std::size_t>(fitting, 1, messages_.size());
}

int UdpReceiver::receive_messages(DatapathCounters& counters, bool& path_error_seen) {
    const auto wanted = static_cast<unsigned>(batch_size());
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        ++counters.receive_calls;
        const int received =
            calls_.recvmmsg(descriptor_, messages_.data(), wanted, MSG_DONTWAIT, nullptr);
        if (received >= 0) return received;
        if (errno == EAGAIN) return 0;
        if (errno != EINTR) path_error_seen = true;
    }
    return 0;
}

void UdpReceiver::deliver(std::size_t index, DatapathCounters& counters) {
    const mmsghdr& message = messages_[index];
    const ReceivedControl control = read_control(message.msg_hdr);
    if (control.drops) count_drops(*control.drops, counters);
    if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0) {
        ++counters.truncated;
        return;
    }
    ReceivedDatagram datagram;
    datagram.remote = from_socket_address(buffers_[index].remote);
    datagram.local = control.local.family == Address::Family::kNone ? bound_ : control.local;
    datagram.local.port = bound_.port;
    datagram.ecn = control.ecn;
    datagram.data = {memory_.get() + index * buffer_bytes_, message.msg_len};
    counters.received_bytes += message.msg_len;
    const std::size_t step = control.segment_size == 0 ? message.msg_len : control.segment_size;
    cut(datagram, step, counters);
}

// `whole` was coalesced from datagrams of `step` bytes, of which the last may be shorter.
void UdpReceiver::cut(const ReceivedDatagram& whole, std::size_t step, DatapathCounters& counters) {
    Bytes left = whole.data;
    ReceivedDatagram* const first = datagrams_.data() + delivered_;
    do {
        if (delivered_ == datagrams_.size()) {
            ++counters.truncated;
            return;
        }
        ReceivedDatagram& next = datagrams_[delivered_++];
        // The first is in memory since long; a copy of `whole` would wait for the stores that made
        // it.
        next = &next == first ? whole : *first;
        next.data = left.first(std::min(step, left.size()));
        ++counters.received_datagrams;
        left = left.subspan(next.data.size());
    } while (!left.empty());
}

// The kernel tells a running total, with the first datagram that it queues after a drop.
void UdpReceiver::count_drops(std::uint32_t total, DatapathCounters& counters) {
    const std::uint32_t more = total - drops_;  // modulo 2^32
    // Buffers of one call are read in order, but a smaller total would count as four billion.
    if (more > 0x7fff'ffffu) return;
    counters.receive_buffer_drops += more;
    drops_ = total;
}

}  // namespace stoq::io
