// MtuDiscovery: how large may datagrams on this path be (RFC 9000 section 14.3, RFC 8899)?
//
// Sizes are UDP payload. Probes go along with ordinary traffic: the connection asks for
// probe_size_to_send() when it is about to send anyway, fills a packet with PADDING up to that size
// and reports what became of it. Loss of a probe says nothing about congestion.
#pragma once

#include <cstdint>
#include <optional>

#include "stoq/types.h"

namespace stoq::path {

inline constexpr std::size_t kBaseDatagramSize = 1200;
inline constexpr std::size_t kMaxDatagramSize = 65527;

struct MtuSettings {
    // Used from the start without a probe: at least 1200.
    std::size_t initial_size = kBaseDatagramSize;
    // The search ends here. At or below `initial_size`: no search.
    std::size_t max_size = 1452;
    // After the search, or after a black hole, it is tried again (PMTU_RAISE_TIMER).
    Duration raise_interval = std::chrono::minutes(10);
};

struct MtuOutcome {
    bool changed = false;     // datagram_size() is another one
    bool black_hole = false;  // it fell, because large packets do not arrive any more
};

class MtuDiscovery {
public:
    explicit MtuDiscovery(const MtuSettings& settings);

    // The size that ordinary datagrams may have.
    std::size_t datagram_size() const { return current_; }
    bool search_complete() const { return !probe_outstanding_ && !worth_probing(); }

    // Lowers the cap: the peer's max_udp_payload_size, the interface's MTU less headers. Values
    // below 1200 count as 1200.
    MtuOutcome limit(std::size_t max_size);
    // The handshake is confirmed: probes may begin.
    void enable();

    // --- Probes ---

    // The size of the probe to send now, if one is due. The search ends where the sender's room for
    // a datagram does. Nothing is assumed sent until on_probe_sent().
    std::optional<std::size_t> probe_size_to_send(std::size_t room, Instant now);
    void on_probe_sent(std::size_t size);
    MtuOutcome on_probe_acked(std::size_t size, Instant now);
    void on_probe_lost(std::size_t size, Instant now);
    // What became of the probe on its way will not be reported: another path was in use meanwhile.
    void forget_probe() { probe_outstanding_ = false; }

    // --- Ordinary packets: black-hole detection ---

    // Datagrams of the path that were acknowledged or declared lost, when they were sent, and how
    // large they were. Report what an ACK frame acknowledges before what it reveals as lost.
    void on_datagram_acked(std::size_t size, Instant sent_at);
    MtuOutcome on_datagram_lost(std::size_t size, Instant sent_at, Instant now);
    // The size for the packets of a probe timeout: small ones from the second timeout in a row, so
    // that a black hole is found although nothing else is being sent.
    std::size_t size_for_probe_timeout(std::uint32_t pto_count) const;

private:
    static constexpr int kMaxProbes = 3;             // per size (RFC 8899 section 5.1.2)
    static constexpr std::size_t kGranularity = 16;  // not worth a probe
    static constexpr int kBlackHoleEpisodes = 3;

    bool worth_probing() const { return upper_ >= current_ + kGranularity; }
    std::size_t next_candidate() const;
    void complete_search_if_done(Instant now);
    void forget_suspicion();
    MtuOutcome fall_back();

    std::size_t current_;        // known to work, or believed to
    std::size_t upper_;          // nothing above is searched for now
    std::size_t cap_;            // nothing above is ever searched for
    std::size_t candidate_ = 0;  // size being probed, 0: none
    std::size_t largest_probed_ = 0;
    Duration raise_interval_;
    Instant raise_at_ = kNever;

    // Large packets lost with nothing as large arriving since.
    std::size_t suspicious_size_ = 0;  // smallest of them, 0: no suspicion
    Instant suspicious_since_ = Instant::min();
    Instant newest_full_acked_ = Instant::min();
    Instant episode_end_ = Instant::min();
    int episodes_ = 0;
    int probes_lost_ = 0;
    bool smaller_arrived_ = false;
    bool probe_outstanding_ = false;
    bool enabled_ = false;
};

}  // namespace stoq::path
