// The payload of an opened packet. The first byte chooses the packet type.
//
// Whatever decodes is encoded and decoded again, must be the same then, and must be a frame that
// Table 3 allows in this packet; whatever does not is one of the two errors that frames can cause.
#include <vector>

#include "fuzz/fuzz_input.h"
#include "support/frame_text.h"
#include "wire/frame_decode.h"
#include "wire/frame_encode.h"
#include "wire/frame_table.h"
#include "wire/varint.h"

namespace {

using namespace stoq;
using fuzz::require;

constexpr wire::PacketType kPacketTypes[] = {wire::PacketType::kOneRtt, wire::PacketType::kInitial,
                                             wire::PacketType::kHandshake,
                                             wire::PacketType::kZeroRtt};

// Encoding is minimal, and adds a Length at most to a STREAM frame that had none.
constexpr std::size_t kGrowth = 8;

void check_round_trip(const wire::Frame& frame, std::size_t length, wire::PacketType packet) {
    static std::vector<std::uint8_t> buffer;
    buffer.resize(length + kGrowth);
    ByteWriter writer(buffer);
    require(wire::encode(writer, frame));
    ByteReader reader(writer.written_bytes());
    const auto again = wire::decode_frame(reader, packet);
    require(again && reader.empty() && test::same(*again, frame));

    // The second encoding is the first one: it is the canonical one.
    std::vector<std::uint8_t> twice(writer.written());
    ByteWriter second(twice);
    require(wire::encode(second, *again) && second.remaining() == 0);
    require(test::contents(second.written_bytes()) == test::contents(writer.written_bytes()));

    if (writer.written() > 1 && !std::holds_alternative<wire::PaddingFrame>(frame)) {
        ByteReader cut(writer.written_bytes().first(writer.written() - 1));
        require(!wire::decode_frame(cut, packet));
    }
}

void check_ack(const wire::AckFrame& ack) {
    require(ack.ranges.first().largest == ack.largest);
    std::size_t count = 0;
    PacketNumber last = ack.largest.next().next();
    for (const wire::AckRange& range : ack.ranges) {
        require(range.smallest <= range.largest && range.largest.next() < last);
        last = range.smallest;
        ++count;
    }
    require(count == ack.ranges.count());
}

void check_error(const TransportError& error) {
    require(error.code == TransportErrorCode::kFrameEncodingError ||
            error.code == TransportErrorCode::kProtocolViolation);
    require(error.reason != Reason::kNone);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const fuzz::Input input(data, size);
    const wire::PacketType packet = kPacketTypes[input.choice % 4];
    ByteReader reader(input.rest);
    while (!reader.empty()) {
        const std::size_t before = reader.remaining();
        ByteReader type_reader(reader.rest());
        const auto type = wire::decode_varint(type_reader);
        const auto frame = wire::decode_frame(reader, packet);
        if (!frame) {
            check_error(frame.error());
            return 0;
        }
        require(reader.remaining() < before);
        require(type && wire::find_frame_rule(*type)->allowed_in(packet));
        if (const auto* ack = std::get_if<wire::AckFrame>(&*frame)) check_ack(*ack);
        check_round_trip(*frame, before - reader.remaining(), packet);
    }
    return 0;
}
