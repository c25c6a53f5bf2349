#include "wire/ack_ranges.h"

namespace stoq::wire {

Result<AckRanges, Reason> AckRanges::decode(ByteReader& reader, std::uint64_t largest,
                                            std::uint64_t more) {
    const auto first_length = decode_varint(reader);
    if (!first_length) return std::unexpected(Reason::kTruncated);
    //= 9000-19.3.1-1
    if (*first_length > largest) return std::unexpected(Reason::kBadAckRange);
    // Two bytes a pair at least: a huge count ends here and not in the loop.
    if (more > reader.remaining() / 2) return std::unexpected(Reason::kTruncated);

    std::uint64_t smallest = largest - *first_length;
    const ByteView rest = reader.rest();
    const std::size_t start = reader.consumed();
    for (std::uint64_t i = 0; i < more; ++i) {
        const auto gap = decode_varint(reader);
        const auto length = decode_varint(reader);
        if (!gap || !length) return std::unexpected(Reason::kTruncated);
        const std::uint64_t step = *gap + 2 + *length;  // below 2^64, as each part is below 2^62
        //= 9000-19.3.1-1
        if (step > smallest) return std::unexpected(Reason::kBadAckRange);
        smallest -= step;
    }
    AckRanges ranges(PacketNumber(largest - *first_length), PacketNumber(largest));
    ranges.encoded_ = rest.first(reader.consumed() - start);
    ranges.more_ = static_cast<std::size_t>(more);
    return ranges;
}

}  // namespace stoq::wire
