#include "runtime/takeover.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/try.h"
#include "crypto/secret.h"
#include "io/wakeup.h"

namespace stoq::runtime {
namespace {

// The first byte of a message.
enum class Kind : std::uint8_t { kOffer = 1, kPort = 2, kTaken = 3 };

// Of what is said here; another one is not understood.
constexpr std::uint8_t kProtocol = 1;
constexpr Duration kPatience = std::chrono::seconds(5);
constexpr Duration kPauseWithoutDescriptors = std::chrono::milliseconds(50);
constexpr std::size_t kMapsOfAPort = 2;

std::unexpected<std::error_code> misunderstood() {
    return std::unexpected(std::make_error_code(std::errc::protocol_error));
}

std::vector<std::uint8_t> encode(const Offer& offer) {
    std::vector<std::uint8_t> bytes{static_cast<std::uint8_t>(Kind::kOffer), kProtocol, offer.first,
                                    offer.count, static_cast<std::uint8_t>(offer.ports.size())};
    bytes.insert(bytes.end(), offer.persistent_key.begin(), offer.persistent_key.end());
    return bytes;
}

// The ports follow in messages of their own; `ports` is how many.
bool decode(ByteView bytes, Offer& offer, std::size_t& ports) {
    constexpr std::size_t kKeyAt = 5;
    if (bytes.size() != kKeyAt + offer.persistent_key.size() ||
        bytes[0] != static_cast<std::uint8_t>(Kind::kOffer) || bytes[1] != kProtocol) {
        return false;
    }
    offer.first = bytes[2];
    offer.count = bytes[3];
    ports = bytes[4];
    std::copy_n(bytes.begin() + kKeyAt, offer.persistent_key.size(), offer.persistent_key.begin());
    return offer.count != 0 && offer.first + offer.count <= kStoqMaxWorkers;
}

std::vector<std::uint8_t> encode(const Address& address) {
    std::vector<std::uint8_t> bytes{static_cast<std::uint8_t>(Kind::kPort)};
    const std::string text = to_string(address);
    bytes.insert(bytes.end(), text.begin(), text.end());
    return bytes;
}

SystemResult<SharedPort> decode_port(io::LocalMessage message) {
    const ByteView bytes = message.bytes;
    if (bytes.empty() || bytes[0] != static_cast<std::uint8_t>(Kind::kPort)) return misunderstood();
    SharedPort port;
    port.address = parse_address(std::string(bytes.begin() + 1, bytes.end()));
    if (port.address.family == Address::Family::kNone) return misunderstood();
    if (message.descriptors.size() == 0) return port;
    if (message.descriptors.size() != kMapsOfAPort) return misunderstood();
    port.selector =
        io::PortSelector::join({message.descriptors.take(0), message.descriptors.take(1)});
    return port;
}

}  // namespace

SystemResult<std::optional<Predecessor>> Predecessor::find(const std::string& path) {
    auto channel = io::LocalChannel::connect(path);
    if (!channel && (channel.error() == std::errc::no_such_file_or_directory ||
                     channel.error() == std::errc::connection_refused)) {
        return std::nullopt;
    }
    if (!channel) return std::unexpected(channel.error());
    if (!channel->is_same_user()) {
        return std::unexpected(std::make_error_code(std::errc::permission_denied));
    }
    Offer offer;
    std::size_t ports = 0;
    auto message = STOQ_TRY(channel->receive(kPatience));
    const bool understood = decode(message.bytes, offer, ports);
    crypto::wipe(message.bytes);
    if (!understood) return misunderstood();
    for (; ports > 0; --ports) {
        auto port = STOQ_TRY(channel->receive(kPatience));
        offer.ports.push_back(STOQ_TRY(decode_port(std::move(port))));
    }
    return std::optional(Predecessor(std::move(*channel), std::move(offer)));
}

SystemResult<void> Predecessor::tell_taken(bool may_finish) const {
    const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(Kind::kTaken),
                                            static_cast<std::uint8_t>(may_finish ? 1 : 0)};
    return channel_.send(bytes);
}

SystemResult<std::unique_ptr<SuccessorWatch>> SuccessorWatch::start(const std::string& path,
                                                                    Handlers handlers) {
    auto stop = STOQ_TRY(io::Waker::create());
    auto listener = STOQ_TRY(io::LocalListener::create(path));
    return std::unique_ptr<SuccessorWatch>(
        new SuccessorWatch(std::move(listener), std::move(stop), std::move(handlers)));
}

SuccessorWatch::SuccessorWatch(io::LocalListener listener, io::Waker stop, Handlers handlers)
    : listener_(std::move(listener)),
      stop_(std::move(stop)),
      handlers_(std::move(handlers)),
      thread_([this] { run(); }) {}

SuccessorWatch::~SuccessorWatch() {
    stop_.wake();
    thread_.join();
}

void SuccessorWatch::run() {
    for (;;) {
        const auto successor = listener_.accept(stop_.native_handle());
        if (successor) {
            // One that gives up, or is not understood, changes nothing.
            if (serve(*successor).value_or(false)) return;
        } else if (successor.error() == std::errc::operation_canceled) {
            return;
        } else {
            handlers_.delayed();
            if (!pause()) return;
        }
    }
}

// There is no descriptor for the one that wants to come in: there will be. False when it is over.
bool SuccessorWatch::pause() const {
    io::WaitSource bell{.descriptor = stop_.native_handle()};
    return io::wait_for({&bell, 1}, kPauseWithoutDescriptors) == 0;
}

SystemResult<bool> SuccessorWatch::serve(const io::LocalChannel& successor) {
    if (!successor.is_same_user()) return false;
    SystemResult<void> told;
    handlers_.with_offer([&](const Offer& offer) {
        std::vector<std::uint8_t> message = encode(offer);
        told = successor.send(message);
        crypto::wipe(message);
        for (const SharedPort& port : offer.ports) {
            if (!told) return;
            std::array<int, kMapsOfAPort> maps{-1, -1};
            if (port.selector) {
                maps = {port.selector->maps().selection, port.selector->maps().workers};
            }
            told = successor.send(encode(port.address),
                                  std::span(maps).first(port.selector ? kMapsOfAPort : 0));
        }
    });
    STOQ_TRY(std::move(told));
    // It makes its workers ready meanwhile, as long as that takes.
    const auto answer = STOQ_TRY(successor.receive(Duration::max(), stop_.native_handle()));
    const ByteView bytes = answer.bytes;
    if (bytes.size() != 2 || bytes[0] != static_cast<std::uint8_t>(Kind::kTaken)) return false;
    listener_.forget_name();
    handlers_.taken(bytes[1] != 0);
    return true;
}

}  // namespace stoq::runtime
