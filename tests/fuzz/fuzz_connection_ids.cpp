// A peer that issues and retires connection IDs as it likes. The input is a list of three-byte
// steps: what happens, and two small numbers.
//
// Nothing aborts, nothing grows, no path sends with an id that was retired, and what the endpoint
// is told to add and remove adds up to the ids that are active.
#include <set>
#include <vector>

#include "fuzz/fuzz_input.h"
#include "path/local_connection_ids.h"
#include "path/remote_connection_ids.h"
#include "wire/frame_decode.h"

namespace {

using namespace stoq;
using fuzz::require;

wire::ConnectionId id_of(std::uint8_t value) {
    const std::array<std::uint8_t, 4> bytes{value, 1, 2, 3};
    return *wire::ConnectionId::from(bytes);
}

struct Peer {
    explicit Peer(std::uint8_t choice) : remote(choice) {
        remote.set_handshake_id(id_of(0xff));
        local.set_peer_limit(choice % 10);
    }

    bool step(std::uint8_t what, std::uint8_t a, std::uint8_t b) {
        const auto path = static_cast<path::PathIndex>(a % path::kMaxPaths);
        switch (what % 12) {
            case 0: remote.assign_fresh(path); break;
            case 1: remote.release(path); break;
            case 2: remote.share(static_cast<path::PathIndex>(b % path::kMaxPaths), path); break;
            case 3: remote.rotate(path); break;
            case 4: remote.on_acked(a); break;
            case 5: remote.on_lost(a); break;
            case 6: local.on_acked(a); break;
            case 7: local.on_lost(a); break;
            case 8: local.issue({generator, key, random}); break;
            case 9: write(); break;
            case 10: return local.on_retire_connection_id(a, handshake).has_value();
            default: return issue(a, b);
        }
        return true;
    }

    bool issue(std::uint8_t sequence, std::uint8_t b) {
        const std::uint64_t retire_prior_to = b % (sequence + 1u);
        // Now and then an id that contradicts another one.
        const wire::ConnectionId id = id_of(b >= 0xf0 ? b : sequence);
        return remote.on_new_connection_id({sequence, retire_prior_to, id, {}}).has_value();
    }

    void write() {
        std::array<std::uint8_t, 400> room{};
        wire::PayloadWriter writer(room);
        remote.write_retire_connection_ids(writer);
        local.write_new_connection_ids(writer);
        ByteReader reader(writer.bytes().written_bytes());
        while (!reader.empty()) {
            const auto frame = wire::decode_frame(reader, wire::PacketType::kOneRtt);
            require(frame.has_value());
            const auto* retire = std::get_if<wire::RetireConnectionIdFrame>(&*frame);
            if (retire != nullptr) retired.insert(retire->sequence_number);
        }
    }

    void check() {
        require(remote.active_count() <= remote.limit());
        require(local.active_count() <= path::LocalConnectionIds::kMaxActive);
        for (path::PathIndex p = 0; p < path::kMaxPaths; ++p) {
            const auto sequence = remote.sequence_of(p);
            require(!sequence || !retired.contains(*sequence));
        }
        while (const auto change = local.next_change()) table += change->added ? 1 : -1;
        require(static_cast<std::size_t>(table) == local.active_count());
    }

    path::RandomConnectionIdGenerator generator{path::RandomConnectionIdGenerator::kMinLength};
    path::ResetTokenKey key{{1}};
    SeededRandom random{1};
    wire::ConnectionId handshake = id_of(0xfe);
    path::LocalConnectionIds local{handshake};
    path::RemoteConnectionIds remote;
    std::set<std::uint64_t> retired;
    int table = 1;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const fuzz::Input input(data, size);
    Peer peer(input.choice);
    for (ByteView rest = input.rest; rest.size() >= 3; rest = rest.subspan(3)) {
        // After an error the connection closes and asks nothing more.
        if (!peer.step(rest[0], rest[1], rest[2])) return 0;
        peer.check();
    }
    return 0;
}
