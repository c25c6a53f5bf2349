// A packet's payload to write frames into, and to read them back.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "wire/frame.h"
#include "wire/frame_decode.h"
#include "wire/payload_writer.h"

namespace stoq::path::test {

class Payload {
public:
    explicit Payload(std::size_t room = 1200) : writer_(Bytes(bytes_.data(), room)) {}

    wire::PayloadWriter& writer() { return writer_; }
    operator wire::PayloadWriter&() { return writer_; }

    std::vector<wire::Frame> frames() {
        std::vector<wire::Frame> found;
        ByteReader reader(writer_.bytes().written_bytes());
        while (!reader.empty()) {
            const auto frame = wire::decode_frame(reader, wire::PacketType::kOneRtt);
            if (!frame) {
                ADD_FAILURE() << "a frame that was written cannot be read";
                break;
            }
            found.push_back(*frame);
        }
        return found;
    }

    // Only the frames of type F.
    template <class F>
    std::vector<F> all() {
        std::vector<F> found;
        for (const wire::Frame& frame : frames()) {
            if (const F* match = std::get_if<F>(&frame)) found.push_back(*match);
        }
        return found;
    }

private:
    std::array<std::uint8_t, 1500> bytes_{};
    wire::PayloadWriter writer_;
};

inline wire::ConnectionId id_of(std::uint8_t value, std::size_t length = 8) {
    std::array<std::uint8_t, wire::kMaxConnectionIdLength> bytes{};
    bytes.fill(value);
    return *wire::ConnectionId::from(ByteView(bytes).first(length));
}

inline wire::StatelessResetToken token_of(std::uint8_t value) {
    wire::StatelessResetToken token;
    token.bytes.fill(value);
    return token;
}

}  // namespace stoq::path::test
