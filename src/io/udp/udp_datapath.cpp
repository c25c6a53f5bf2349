#include "io/udp/udp_datapath.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "io/udp/error_queue.h"
#include "io/udp/udp_receiver.h"
#include "io/udp/udp_sender.h"
#include "io/wakeup.h"

namespace stoq::io {

namespace {

// How long to leave an interface whose queue is full: at 1 Gbit/s a millisecond empties 125 kB.
constexpr Duration kNoBuffersPause = std::chrono::milliseconds(1);

}  // namespace

struct UdpDatapath::Parts {
    Parts(UdpSocket opened, const UdpSettings& settings)
        : socket(std::move(opened)),
          receiver(socket, settings),
          sender(socket, settings),
          errors(socket) {}

    UdpSocket socket;
    UdpReceiver receiver;
    UdpSender sender;
    ErrorQueue errors;
    DatapathCounters counters;
    bool path_error_seen = false;
};

SystemResult<std::unique_ptr<UdpDatapath>> UdpDatapath::create(const UdpSettings& settings,
                                                               const SystemCalls& calls) {
    auto socket = STOQ_TRY(UdpSocket::open(settings, calls));
    auto parts = std::make_unique<Parts>(std::move(socket), settings);
    return std::unique_ptr<UdpDatapath>(new UdpDatapath(std::move(parts)));
}

UdpDatapath::UdpDatapath(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

UdpDatapath::~UdpDatapath() = default;

std::span<ReceivedDatagram> UdpDatapath::receive_batch() {
    return parts_->receiver.receive(parts_->counters, parts_->path_error_seen);
}

TransmitSlot* UdpDatapath::transmit_slot() {
    return parts_->sender.slot();
}

void UdpDatapath::commit(TransmitSlot& slot) {
    parts_->sender.commit(slot);
}

FlushOutcome UdpDatapath::flush() {
    return parts_->sender.flush(parts_->counters, parts_->path_error_seen);
}

bool UdpDatapath::wants_writable() const {
    return parts_->sender.block() == SendBlock::kSocketFull;
}

std::span<const PathErrorReport> UdpDatapath::path_errors() {
    if (!parts_->path_error_seen) return {};
    return parts_->errors.drain(parts_->counters, parts_->path_error_seen);
}

WaitOutcome UdpDatapath::wait(Duration timeout, Waker* waker) {
    if (parts_->sender.block() == SendBlock::kNoBuffers) {
        timeout = std::min(timeout, kNoBuffersPause);
    }
    std::array<WaitSource, 2> sources;
    sources[0].descriptor = native_handle();
    sources[0].want_write = wants_writable();
    if (waker != nullptr) sources[1].descriptor = waker->native_handle();
    const std::size_t count = waker == nullptr ? 1 : 2;
    wait_for(std::span(sources).first(count), timeout, parts_->socket.calls());
    if (sources[0].error) parts_->path_error_seen = true;
    WaitOutcome outcome;
    outcome.readable = sources[0].readable;
    outcome.writable = sources[0].writable;
    outcome.woken = sources[1].readable && waker->reset();
    return outcome;
}

int UdpDatapath::native_handle() const {
    return parts_->socket.descriptor();
}

const Address& UdpDatapath::local_address() const {
    return parts_->socket.local_address();
}

const DatapathCapabilities& UdpDatapath::capabilities() const {
    return parts_->socket.capabilities();
}

const DatapathCounters& UdpDatapath::counters() const {
    return parts_->counters;
}

}  // namespace stoq::io
