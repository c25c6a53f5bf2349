// Reading the victim's frames by type. Included by sandbox.h.
#pragma once

#include "wire/frame_decode.h"

namespace stoq::test {

// Views in the frames borrow memory that lives until the next call.
template <typename Frame>
std::vector<Frame> Sandbox::frames_sent() {
    static std::vector<std::vector<std::uint8_t>> payloads;
    payloads = sent_payloads();
    std::vector<Frame> found;
    for (const auto& payload : payloads) {
        ByteReader reader(payload);
        while (!reader.empty()) {
            const auto frame = wire::decode_frame(reader, wire::PacketType::kOneRtt);
            if (!frame) break;
            if (const auto* wanted = std::get_if<Frame>(&*frame)) found.push_back(*wanted);
        }
    }
    return found;
}

}  // namespace stoq::test
