// FrameList: the frames of many packets, reported together.
//
// A train of packets that carries one stream is acknowledged as one range: neighbouring STREAM and
// CRYPTO ranges grow into one record, so that their owner is told once and not once per packet. The
// memory is reused; the list is valid until the next clear().
#pragma once

#include <span>
#include <vector>

#include "wire/sent_frame.h"

namespace stoq::recovery {

class FrameList {
public:
    void clear() { frames_.clear(); }
    bool empty() const { return frames_.empty(); }

    // Appends one frame, or merges it with one of the latest. kNone is left out; of several ACK
    // frames the highest number stays.
    void add(const wire::SentFrame& frame);

    std::span<const wire::SentFrame> frames() const { return frames_; }

private:
    std::vector<wire::SentFrame> frames_;
};

}  // namespace stoq::recovery
