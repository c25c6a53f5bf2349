// A peer that sends any frames about streams, in any order, while an application uses the streams.
//
// Input: one byte of settings, then commands of one byte. The low two bits select: 0 and 1, a
// packet of frames follows (one byte of length, then the payload, as fuzzed); 2, the application
// does something to a stream; 3, a packet is sent and acknowledged, lost, or both.
#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "support/stream_link.h"

namespace stoq::streams {
namespace {

constexpr std::uint64_t kStreamWindow = 5000;
constexpr std::uint64_t kConnectionWindow = 12'000;
constexpr std::uint64_t kStreams = 6;
constexpr std::uint64_t kSendBuffer = 3000;

StreamSettings settings() {
    return {.initial_stream_window = kStreamWindow,
            .max_stream_window = kStreamWindow,
            .initial_connection_window = kConnectionWindow,
            .max_connection_window = kConnectionWindow,
            .max_bidirectional_streams = kStreams,
            .max_unidirectional_streams = kStreams,
            .initial_send_buffer_per_stream = kSendBuffer,
            .max_send_buffer_per_stream = kSendBuffer,
            .send_buffer_per_connection = 2 * kSendBuffer};
}

class Session {
public:
    explicit Session(ByteReader input)
        : input_(input),
          set_((byte() & 1) == 0 ? Role::kClient : Role::kServer, settings(), resources_) {
        set_.set_peer_limits({.max_data = 4000,
                              .max_stream_data_bidi_local = 2000,
                              .max_stream_data_bidi_remote = 2000,
                              .max_stream_data_uni = 2000,
                              .max_streams_bidi = 3,
                              .max_streams_uni = 3});
        set_.on_rtt(std::chrono::milliseconds(10));
    }

    void run() {
        while (!input_.empty()) {
            const std::uint8_t command = byte();
            switch (command & 3) {
                case 0:
                case 1:
                    if (!receive()) return;
                    if ((command & 4) == 0) set_.settle();
                    break;
                case 2: use(command >> 2); break;
                default: send(command >> 2);
            }
            check();
        }
    }

private:
    std::uint8_t byte() { return input_.read<std::uint8_t>().value_or(0); }

    bool receive() {
        now_ += std::chrono::milliseconds(1);
        const std::size_t wanted = byte();  // before asking what remains behind it
        const std::size_t length = std::min(wanted, input_.remaining());
        return test::deliver(set_, *input_.read_bytes(length), now_).has_value();
    }

    void use(unsigned action) {
        const StreamId id(byte() & 0x3f);
        static constexpr std::array<std::uint8_t, 2500> kData{};
        switch (action % 10) {
            case 0: opened_ += set_.open(Directionality::kBidirectional).has_value(); break;
            case 1: opened_ += set_.open(Directionality::kUnidirectional).has_value(); break;
            case 2: static_cast<void>(set_.write(id, ByteView(kData).first(byte() * 8u))); break;
            case 3: static_cast<void>(set_.write(id, SharedBytes::immortal(kData))); break;
            case 4: static_cast<void>(set_.finish(id)); break;
            case 5: static_cast<void>(set_.reset(id, byte())); break;
            case 6: static_cast<void>(set_.stop_sending(id, byte())); break;
            case 7: static_cast<void>(set_.set_priority(id, byte(), (byte() & 1) != 0)); break;
            case 8: read(id); break;
            default:
                while (set_.poll_event()) {
                }
        }
    }

    void read(StreamId id) {
        const auto view = set_.peek(id);
        if (!view) return;
        const std::size_t length = std::min<std::size_t>(view->bytes.size(), byte() * 16u);
        if (!view->bytes.empty()) STOQ_CHECK(set_.consume(id, length).has_value());
    }

    void send(unsigned fate) {
        const bool pending = set_.has_pending();
        const test::StreamPacket packet = test::take_packet(set_);
        // Whoever says that it has something to send sends something.
        STOQ_CHECK(pending == !packet.empty());
        if ((fate & 1) != 0) test::lose(set_, packet);
        if ((fate & 2) != 0) test::acknowledge(set_, packet);
    }

    void check() {
        // What the peer can make us hold is bounded, whatever it sends. Beyond its own streams, it
        // can only let us open more.
        const std::uint64_t streams = set_.live_streams();
        STOQ_CHECK(streams <= 2 * kStreams + opened_);
        const std::uint64_t blocks =
            (kConnectionWindow + set_.buffered_to_send()) / BlockPool::kBlockSize + 4 * streams + 4;
        STOQ_CHECK(resources_.blocks.in_use() <= blocks);
        STOQ_CHECK(resources_.budget.used() == kConnectionWindow);
    }

    ByteReader input_;
    StreamResources resources_{std::uint64_t{1} << 20};
    StreamSet set_;
    std::uint64_t opened_ = 0;  // by us
    Instant now_{};
};

}  // namespace
}  // namespace stoq::streams

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    stoq::streams::Session session{stoq::ByteReader(stoq::ByteView(data, size))};
    session.run();
    return 0;
}
