#include "path/mtu_discovery.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace stoq::path {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};
constexpr std::size_t kRoom = kMaxDatagramSize;

// A path that carries datagrams up to `mtu`; returns how many probes it took to end the search.
int search(MtuDiscovery& discovery, std::size_t mtu, Instant now = kStart) {
    int probes = 0;
    while (const auto size = discovery.probe_size_to_send(kRoom, now)) {
        discovery.on_probe_sent(*size);
        EXPECT_FALSE(discovery.probe_size_to_send(kRoom, now)) << "one at a time";
        if (*size <= mtu) {
            discovery.on_probe_acked(*size, now);
        } else {
            discovery.on_probe_lost(*size, now);
        }
        if (++probes > 200) {
            ADD_FAILURE() << "the search does not end";
            break;
        }
    }
    return probes;
}

MtuDiscovery enabled(std::size_t initial, std::size_t max) {
    MtuDiscovery discovery({.initial_size = initial, .max_size = max, .raise_interval = 10min});
    discovery.enable();
    return discovery;
}

//= test 9000-14.3-1
TEST(MtuDiscovery, StartsAtTheBaseAndProbesOnlyWhenEnabled) {
    MtuDiscovery discovery({});
    EXPECT_EQ(discovery.datagram_size(), 1200u);
    EXPECT_FALSE(discovery.probe_size_to_send(kRoom, kStart));
    discovery.enable();
    EXPECT_TRUE(discovery.probe_size_to_send(kRoom, kStart));
}

TEST(MtuDiscovery, APathThatCarriesTheCapNeedsOneProbe) {
    for (const std::size_t cap : {1452u, 8952u, 65507u}) {
        MtuDiscovery discovery = enabled(1200, cap);
        EXPECT_EQ(search(discovery, cap), 1);
        EXPECT_EQ(discovery.datagram_size(), cap);
        EXPECT_TRUE(discovery.search_complete());
        EXPECT_FALSE(discovery.probe_size_to_send(kRoom, kStart + 24h)) << "there is nothing above";
    }
}

TEST(MtuDiscovery, FindsTheSizeOfThePathWithinTheGranularity) {
    for (std::size_t mtu = 1200; mtu <= 9000; mtu += 37) {
        MtuDiscovery discovery = enabled(1200, 8952);
        const int probes = search(discovery, mtu);
        EXPECT_LE(probes, 40) << mtu;
        EXPECT_LE(discovery.datagram_size(), mtu);
        EXPECT_GT(discovery.datagram_size() + 16, std::min<std::size_t>(mtu, 8952)) << mtu;
    }
}

TEST(MtuDiscovery, TheSearchEndsWhereTheSendersRoomDoes) {
    MtuDiscovery discovery = enabled(1200, 65'527);
    const auto size = discovery.probe_size_to_send(9'000, kStart);
    ASSERT_EQ(size, 9'000u);
    discovery.on_probe_sent(*size);
    EXPECT_TRUE(discovery.on_probe_acked(*size, kStart).changed);
    EXPECT_TRUE(discovery.search_complete());
    // Less room later takes nothing away.
    EXPECT_FALSE(discovery.probe_size_to_send(1'200, kStart + 24h));
    EXPECT_EQ(discovery.datagram_size(), 9'000u);
}

TEST(MtuDiscovery, AFixedSizeIsNeverProbed) {
    MtuDiscovery discovery = enabled(1452, 1452);
    EXPECT_EQ(discovery.datagram_size(), 1452u);
    EXPECT_FALSE(discovery.probe_size_to_send(kRoom, kStart));
    EXPECT_TRUE(discovery.search_complete());
}

//= test 9000-14.4-1
TEST(MtuDiscovery, OneLostProbeIsRepeatedWithTheSameSize) {
    MtuDiscovery discovery = enabled(1200, 1452);
    for (int i = 0; i < 2; ++i) {
        ASSERT_EQ(discovery.probe_size_to_send(kRoom, kStart), 1452u);
        discovery.on_probe_sent(1452);
        discovery.on_probe_lost(1452, kStart);
    }
    ASSERT_EQ(discovery.probe_size_to_send(kRoom, kStart), 1452u);
    discovery.on_probe_sent(1452);
    EXPECT_TRUE(discovery.on_probe_acked(1452, kStart).changed);
    EXPECT_EQ(discovery.datagram_size(), 1452u);
}

TEST(MtuDiscovery, AProbeThatWasGivenUpMayStillArrive) {
    MtuDiscovery discovery = enabled(1200, 1452);
    for (int i = 0; i < 3; ++i) {
        discovery.on_probe_sent(*discovery.probe_size_to_send(kRoom, kStart));
        discovery.on_probe_lost(1452, kStart);
    }
    ASSERT_LT(*discovery.probe_size_to_send(kRoom, kStart), 1452u);
    EXPECT_TRUE(discovery.on_probe_acked(1452, kStart).changed);
    EXPECT_EQ(discovery.datagram_size(), 1452u);
    EXPECT_FALSE(discovery.probe_size_to_send(kRoom, kStart));
}

TEST(MtuDiscovery, LimitsLowerTheCapAndTheSizeInUse) {
    MtuDiscovery discovery = enabled(1400, 9000);
    EXPECT_FALSE(discovery.limit(1500).changed);
    EXPECT_EQ(discovery.probe_size_to_send(kRoom, kStart), 1500u);
    EXPECT_TRUE(discovery.limit(1300).changed);
    EXPECT_EQ(discovery.datagram_size(), 1300u);
    EXPECT_FALSE(discovery.probe_size_to_send(kRoom, kStart));
    EXPECT_TRUE(discovery.limit(500).changed);
    EXPECT_EQ(discovery.datagram_size(), 1200u) << "QUIC needs 1200";
}

TEST(MtuDiscovery, AnAckOfAProbeAboveANewLimitIsIgnored) {
    MtuDiscovery discovery = enabled(1200, 9000);
    discovery.on_probe_sent(*discovery.probe_size_to_send(kRoom, kStart));
    discovery.limit(1400);
    EXPECT_FALSE(discovery.on_probe_acked(9000, kStart).changed);
    EXPECT_EQ(discovery.probe_size_to_send(kRoom, kStart), 1400u);
}

TEST(MtuDiscovery, TheSearchIsRepeatedAfterTheInterval) {
    MtuDiscovery discovery = enabled(1200, 1452);
    search(discovery, 1300);
    const std::size_t found = discovery.datagram_size();
    ASSERT_LE(found, 1300u);
    EXPECT_FALSE(discovery.probe_size_to_send(kRoom, kStart + 10min - 1ns));
    ASSERT_EQ(discovery.probe_size_to_send(kRoom, kStart + 10min), 1452u);
    search(discovery, 1452, kStart + 10min);
    EXPECT_EQ(discovery.datagram_size(), 1452u);
}

TEST(MtuDiscovery, AnAckOfAProbeThatAnotherPathSentIsIgnored) {
    MtuDiscovery discovery = enabled(1200, 1452);
    EXPECT_FALSE(discovery.on_probe_acked(1452, kStart).changed);
    EXPECT_EQ(discovery.datagram_size(), 1200u);
    EXPECT_EQ(discovery.probe_size_to_send(kRoom, kStart), 1452u);
}

// --- Black holes ---

// A sender of large datagrams and, in between, small ones, over a path that drops by size and at
// random. Losses show one round trip later, and what arrives is reported first.
struct Link {
    std::size_t mtu;
    double loss;
    SeededRandom random;

    bool delivers(std::size_t size) {
        const bool lucky =
            static_cast<double>(random.next() >> 11) >= loss * static_cast<double>(1ull << 53);
        return lucky && size <= mtu;
    }
};

struct Flight {
    std::size_t size;
    Instant sent_at;
    bool arrives;
};

// Rounds until the discovery fell back; 0 when it did not in `rounds`.
int rounds_to_black_hole(MtuDiscovery& discovery, Link& link, int rounds, int large_per_round) {
    Instant now = kStart;
    for (int round = 1; round <= rounds; ++round) {
        std::vector<Flight> flight;
        for (int i = 0; i <= large_per_round; ++i) {
            now += 100us;
            const std::size_t size = i == large_per_round ? 100 : discovery.datagram_size();
            flight.push_back({size, now, link.delivers(size)});
        }
        now += 20ms;
        for (const Flight& f : flight) {
            if (f.arrives) discovery.on_datagram_acked(f.size, f.sent_at);
        }
        for (const Flight& f : flight) {
            if (!f.arrives && discovery.on_datagram_lost(f.size, f.sent_at, now).black_hole) {
                return round;
            }
        }
    }
    return 0;
}

TEST(MtuDiscovery, ABlackHoleIsFoundInAFewRoundTripsAndSearchedAgain) {
    for (const int large_per_round : {1, 10, 100}) {
        MtuDiscovery discovery = enabled(1452, 1452);
        Link link{.mtu = 1300, .loss = 0, .random = SeededRandom(1)};
        EXPECT_EQ(rounds_to_black_hole(discovery, link, 10, large_per_round), 3);
        EXPECT_EQ(discovery.datagram_size(), 1200u);
        search(discovery, 1300);
        EXPECT_GT(discovery.datagram_size(), 1284u);
        EXPECT_LE(discovery.datagram_size(), 1300u);
    }
}

TEST(MtuDiscovery, RandomLossIsNoBlackHole) {
    for (const double loss : {0.01, 0.05, 0.2, 0.5}) {
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            MtuDiscovery discovery = enabled(1452, 1452);
            Link link{.mtu = 1500, .loss = loss, .random = SeededRandom(seed)};
            EXPECT_EQ(rounds_to_black_hole(discovery, link, 300, 20), 0)
                << "loss " << loss << " seed " << seed;
        }
    }
}

TEST(MtuDiscovery, OneBurstOfLossIsNoBlackHoleHoweverLong) {
    MtuDiscovery discovery = enabled(1452, 1452);
    Instant sent = kStart;
    discovery.on_datagram_acked(1452, sent);
    for (int i = 0; i < 200; ++i) {
        // A small datagram behind each large one arrives, and its ACK reveals one loss more.
        discovery.on_datagram_acked(60, kStart + 300ms);
        EXPECT_FALSE(
            discovery.on_datagram_lost(1452, sent += 1us, kStart + 400ms + i * 1ms).black_hole);
    }
    EXPECT_EQ(discovery.datagram_size(), 1452u);
}

TEST(MtuDiscovery, SilenceIsNoBlackHole) {
    MtuDiscovery discovery = enabled(1452, 1452);
    for (int i = 0; i < 50; ++i) {
        const Instant sent = kStart + i * 1s;
        EXPECT_FALSE(discovery.on_datagram_lost(1452, sent, sent + 500ms).black_hole)
            << "nothing smaller got through";
    }
}

TEST(MtuDiscovery, LossOfSmallDatagramsSaysNothing) {
    MtuDiscovery discovery = enabled(1452, 1452);
    for (int i = 0; i < 50; ++i) {
        const Instant sent = kStart + i * 1s;
        discovery.on_datagram_acked(60, sent);
        EXPECT_FALSE(discovery.on_datagram_lost(1200, sent, sent + 500ms).black_hole);
    }
}

TEST(MtuDiscovery, ABlackHoleBelowTheSizeInUseIsSeenThoughSmallerOnesArrive) {
    MtuDiscovery discovery = enabled(8952, 8952);
    Instant now = kStart;
    bool found = false;
    for (int i = 0; i < 5 && !found; ++i) {
        now += 100ms;
        discovery.on_datagram_acked(1400, now + 1ms);
        found = discovery.on_datagram_lost(8952, now, now + 50ms).black_hole;
    }
    EXPECT_TRUE(found);
}

TEST(MtuDiscovery, RepeatedProbeTimeoutsSendSmallDatagrams) {
    MtuDiscovery discovery = enabled(1452, 1452);
    EXPECT_EQ(discovery.size_for_probe_timeout(0), 1452u);
    EXPECT_EQ(discovery.size_for_probe_timeout(1), 1452u);
    EXPECT_EQ(discovery.size_for_probe_timeout(2), 1200u);
    EXPECT_EQ(discovery.size_for_probe_timeout(7), 1200u);
}

}  // namespace
}  // namespace stoq::path
