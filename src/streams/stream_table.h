// StreamTable: which streams of a connection exist, and which frames may name them.
//
// A stream number is in one of four conditions: never opened; opened but untouched (the peer used
// a higher number, RFC 9000 section 2.1); live, with a record; closed and forgotten. Untouched
// streams cost nothing but a range, however far the peer jumps.
#pragma once

#include <array>

#include "base/flat_map.h"
#include "base/interval_set.h"
#include "streams/settings.h"
#include "streams/stream.h"
#include "streams/stream_limits.h"

namespace stoq::streams {

// The part of a stream that a peer's frame is about, seen from us.
enum class Part : std::uint8_t { kSending, kReceiving };

class StreamTable {
public:
    StreamTable(Role role, const StreamSettings& settings, StreamResources& resources);
    ~StreamTable();
    StreamTable(const StreamTable&) = delete;
    StreamTable& operator=(const StreamTable&) = delete;

    // The stream that a peer's frame names; opened by it if need be, nullptr when it is closed.
    // @error kStreamStateError, kStreamLimitError, with `frame_type`.
    TransportResult<Stream*> find_for_peer(StreamId id, Part part, std::uint32_t frame_type);
    // The stream that the application names, nullptr when there is none.
    Stream* find_for_application(StreamId id);
    // A live stream with a record, or nullptr.
    Stream* find(StreamId id);

    // A new stream of ours, or nullptr when the peer's limit is reached.
    Stream* open(Directionality directionality);
    // Forgets a stream; it must be in no queue any more.
    void forget(Stream& stream);

    // The next stream that the peer opened and nobody was told of, lowest numbers first.
    std::optional<StreamId> next_unannounced();

    // Raises the send limits of live and future streams; numbers of streams are own()'s.
    void set_peer_limits(const PeerLimits& limits);
    // 0-RTT was rejected: no limit is known, and our streams are held until one allows them.
    std::uint64_t restart();
    // Lets go of held streams that the peer's limit allows by now; true when there were any.
    bool release_held(Directionality directionality);

    PeerStreamLimit& peers(Directionality directionality) {
        return peers_[static_cast<std::size_t>(directionality)].limit;
    }
    const OwnStreamLimit& own(Directionality directionality) const {
        return own_[static_cast<std::size_t>(directionality)];
    }
    OwnStreamLimit& own(Directionality directionality) {
        return own_[static_cast<std::size_t>(directionality)];
    }

    template <typename Visit>
    void for_each(Visit&& visit) {
        live_.for_each([&](std::uint64_t, std::unique_ptr<Stream>& stream) { visit(*stream); });
    }
    std::size_t size() const { return live_.size(); }

private:
    struct PeerStreams {
        PeerStreamLimit limit;
        IntervalSet untouched;  // indices below limit.opened()
        std::uint64_t announced = 0;
    };

    bool is_ours(StreamId id) const { return id.initiator() == role_; }
    StreamId id_of(Role initiator, Directionality directionality, std::uint64_t index) const;
    TransportResult<void> check_peer_names(StreamId id, Part part, std::uint32_t frame_type);
    void open_up_to(PeerStreams& streams, std::uint64_t index);
    // The record of a stream of the peer that was untouched, or nullptr when it is closed.
    Stream* touch(StreamId id);
    Stream* create(StreamId id);
    std::uint64_t send_limit_of(StreamId id) const;

    Role role_;
    StreamResources& resources_;
    std::uint64_t initial_window_;
    std::uint64_t max_window_;
    PeerLimits peer_limits_;
    FlatMap<std::unique_ptr<Stream>> live_;
    Stream* last_found_ = nullptr;  // calls and frames name one stream several times in a row
    std::array<PeerStreams, 2> peers_;
    std::array<OwnStreamLimit, 2> own_;
    std::size_t held_count_ = 0;  // streams with `held`
};

}  // namespace stoq::streams
