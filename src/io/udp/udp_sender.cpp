#include "io/udp/udp_sender.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/wildcard.h"

namespace stoq::io {

namespace {

constexpr std::size_t kMaxMessages = 64;
constexpr std::size_t kMaxFailures = 16;

// Slots start on cache lines of their own.
constexpr std::size_t kSlotStride = 65'536;
static_assert(kSlotStride >= kMaxDatagramBytes);

std::size_t count_datagrams(std::size_t bytes, std::size_t datagram_length) {
    return (bytes + datagram_length - 1) / datagram_length;
}

bool refuses_segmentation(int error) {
    return error == EIO || error == EINVAL || error == EMSGSIZE || error == EOPNOTSUPP;
}

}  // namespace

UdpSender::UdpSender(const UdpSocket& socket, const UdpSettings& settings)
    : calls_(socket.calls()),
      socket_(socket),
      slots_(std::max<std::size_t>(settings.transmit_slots, 1)),
      messages_(kMaxMessages),
      headers_(kMaxMessages) {
    memory_ = std::make_unique_for_overwrite<std::uint8_t[]>(slots_.size() * kSlotStride);
    failures_.reserve(kMaxFailures);
}

TransmitSlot* UdpSender::slot() {
    if (queued_ == slots_.size()) return nullptr;
    // An empty queue starts over, so that light traffic stays in one warm buffer.
    if (queued_ == 0) head_ = 0;
    const std::size_t index = (head_ + queued_) % slots_.size();
    slots_[index] = TransmitSlot{};
    slots_[index].buffer = Bytes(memory_.get() + index * kSlotStride, kMaxDatagramBytes);
    slots_[index].max_datagrams = kMaxTrainDatagrams;
    return &slots_[index];
}

void UdpSender::commit(TransmitSlot& slot) {
    STOQ_CHECK(queued_ < slots_.size() && &slot == &train(queued_));
    STOQ_CHECK(slot.length > 0 && slot.length <= kMaxDatagramBytes);
    STOQ_CHECK(slot.remote.family != Address::Family::kNone);
    if (slot.datagram_length == 0 || slot.datagram_length > slot.length) {
        slot.datagram_length = slot.length;
    }
    STOQ_CHECK(count_datagrams(slot.length, slot.datagram_length) <= kMaxTrainDatagrams);
    ++queued_;
}

FlushOutcome UdpSender::flush(DatapathCounters& counters, bool& path_error_seen) {
    FlushOutcome outcome;
    failures_.clear();
    block_ = SendBlock::kNone;
    while (queued_ > 0) {
        gather();
        const int sent = send_messages(counters);
        if (sent > 0) {
            on_sent(static_cast<std::size_t>(sent), counters, outcome);
        } else if (on_error(errno, counters, path_error_seen) == Step::kStop) {
            ++counters.send_blocked;
            break;
        }
    }
    outcome.block = block_;
    outcome.failures = failures_;
    return outcome;
}

bool UdpSender::may_segment(const TransmitSlot& slot) {
    if (!socket_.capabilities().segmentation_offload) return false;
    if (refused_.empty()) [[likely]]
        return true;
    return refused_.allows(slot.remote, calls_.now());
}

void UdpSender::gather() {
    gathered_ = 0;
    for (std::size_t i = 0; i < queued_ && gathered_ < kMaxMessages; ++i) gather_train(i);
}

void UdpSender::gather_train(std::size_t distance) {
    const TransmitSlot& slot = train(distance);
    const bool head = distance == 0;
    const std::size_t begin = head ? state_.sent : 0;
    const bool whole = slot.length - begin <= slot.datagram_length ||
                       (!(head && state_.one_by_one) && may_segment(slot));
    const std::size_t step = whole ? slot.length - begin : slot.datagram_length;
    for (std::size_t at = begin; at < slot.length && gathered_ < kMaxMessages; at += step) {
        add_message(distance, at, std::min(step, slot.length - at));
    }
}

void UdpSender::add_message(std::size_t distance, std::size_t offset, std::size_t length) {
    const TransmitSlot& slot = train(distance);
    Message& message = messages_[gathered_];
    msghdr& header = headers_[gathered_].msg_hdr;
    ++gathered_;
    message.train = distance;
    message.datagrams = count_datagrams(length, slot.datagram_length);
    message.vector = {slot.buffer.data() + offset, length};
    header = msghdr{};
    header.msg_namelen = to_socket_address(slot.remote, socket_.family(), message.remote);
    header.msg_name = header.msg_namelen == 0 ? nullptr : &message.remote;
    header.msg_iov = &message.vector;
    header.msg_iovlen = 1;
    SendControl control;
    control.family = slot.remote.family;
    control.ecn = slot.ecn;
    control.segment_size = message.datagrams > 1 ? slot.datagram_length : 0;
    // A socket bound to one address sends from there anyway.
    if (is_wildcard(socket_.local_address()) && !is_wildcard(slot.local)) {
        control.source = slot.local;
    }
    write_control(control, message.control, header);
}

// How many messages the system took; 0 or less when it refused the first, with errno set.
int UdpSender::send_messages(DatapathCounters& counters) {
    ++counters.send_calls;
    if (gathered_ > 1) {
        return calls_.sendmmsg(socket_.descriptor(), headers_.data(),
                               static_cast<unsigned>(gathered_), MSG_DONTWAIT);
    }
    const ssize_t bytes = calls_.sendmsg(socket_.descriptor(), &headers_[0].msg_hdr, MSG_DONTWAIT);
    return bytes < 0 ? -1 : 1;
}

void UdpSender::on_sent(std::size_t messages, DatapathCounters& counters, FlushOutcome& outcome) {
    std::size_t datagrams = 0;
    for (std::size_t i = 0; i < messages; ++i) {
        const Message& message = messages_[i];
        // A datagram of a train passed that was refused as a whole: so segmentation was to blame.
        if (state_.one_by_one && !state_.blamed_route && message.train == 0) {
            refused_.forbid(train(0).remote, calls_.now());
            ++counters.segmentation_fallbacks;
            state_.blamed_route = true;
        }
        datagrams += message.datagrams;
        counters.sent_bytes += message.vector.iov_len;
    }
    // Only now: advancing moves the head that `train` counts from.
    for (std::size_t i = 0; i < messages; ++i) advance(messages_[i].vector.iov_len);
    counters.sent_datagrams += datagrams;
    outcome.sent_datagrams += datagrams;
}

UdpSender::Step UdpSender::on_error(int error, DatapathCounters& counters, bool& path_error_seen) {
    if (error == EINTR) return Step::kContinue;
    if (error == EAGAIN || error == ENOBUFS) {
        block_ = error == ENOBUFS ? SendBlock::kNoBuffers : SendBlock::kSocketFull;
        return Step::kStop;
    }
    // With IP_RECVERR a call may fail with the error of an earlier datagram, to anyone, that came
    // back from the network; only a second failure is about this one.
    path_error_seen = true;
    if (!std::exchange(state_.retried, true)) return Step::kContinue;
    if (messages_[0].datagrams > 1 && refuses_segmentation(error)) {
        state_.one_by_one = true;
        state_.retried = false;
        return Step::kContinue;
    }
    drop_failed(error, counters);
    return Step::kContinue;
}

void UdpSender::drop_failed(int error, DatapathCounters& counters) {
    const TransmitSlot& slot = train(0);
    // Too big is said of one datagram, anything else of the destination: then the train is gone.
    const std::size_t bytes =
        error == EMSGSIZE ? messages_[0].vector.iov_len : slot.length - state_.sent;
    SendFailure failure;
    failure.remote = slot.remote;
    failure.error = static_cast<std::errc>(error);
    failure.datagram_length = std::min(bytes, slot.datagram_length);
    failure.datagrams = count_datagrams(bytes, slot.datagram_length);
    counters.send_errors += failure.datagrams;
    if (error == EMSGSIZE) counters.too_big += failure.datagrams;
    report(failure);
    advance(bytes);
}

void UdpSender::report(const SendFailure& failure) {
    if (!failures_.empty()) {
        SendFailure& last = failures_.back();
        if (last.remote == failure.remote && last.error == failure.error &&
            last.datagram_length == failure.datagram_length) {
            last.datagrams += failure.datagrams;
            return;
        }
    }
    if (failures_.size() < kMaxFailures) failures_.push_back(failure);
}

void UdpSender::advance(std::size_t bytes) {
    state_.retried = false;
    state_.sent += bytes;
    if (state_.sent < train(0).length) return;
    state_ = Head{};
    head_ = (head_ + 1) % slots_.size();
    --queued_;
}

}  // namespace stoq::io
