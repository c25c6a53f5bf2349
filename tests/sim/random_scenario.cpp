// What a random scenario is drawn from.
#include <algorithm>
#include <cmath>

#include "sim/scenario.h"

namespace stoq::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

bool one_in(SeededRandom& random, std::uint64_t count) {
    return random.next() % count == 0;
}

double fraction(SeededRandom& random) {
    return static_cast<double>(random.next() >> 11) / 9007199254740992.0;
}

// Small values as often as large ones.
std::uint64_t draw_logarithmic(SeededRandom& random, double low, double high) {
    return static_cast<std::uint64_t>(low * std::pow(high / low, fraction(random)));
}

Duration draw_time(SeededRandom& random, Duration most) {
    return Duration(
        static_cast<std::int64_t>(draw(random, 0, static_cast<std::uint64_t>(most.count()))));
}

void draw_disorder(SeededRandom& random, LinkSettings& link) {
    if (one_in(random, 3)) link.jitter = draw_time(random, milliseconds(20));
    if (one_in(random, 3)) {
        link.reorder = fraction(random) * 0.1;
        link.reorder_by = draw_time(random, milliseconds(50));
    }
    if (one_in(random, 3)) link.duplication = fraction(random) * 0.1;
}

void draw_damage(SeededRandom& random, LinkSettings& link) {
    if (one_in(random, 2)) link.loss = fraction(random) * 0.1;
    if (one_in(random, 4)) {
        link.burst_enter = fraction(random) * 0.01;
        link.burst_leave = 0.2 + fraction(random) * 0.8;
    }
    if (one_in(random, 4)) link.corruption = fraction(random) * 0.05;
}

LinkSettings draw_link(SeededRandom& random, Duration delay) {
    LinkSettings link;
    link.delay = delay;
    if (one_in(random, 2)) {
        link.bits_per_second = draw_logarithmic(random, 1e6, 1e9);
        link.queue_bytes = draw_logarithmic(random, 15'000, 1e6);
        if (one_in(random, 3)) link.mark_above = link.queue_bytes / 4;
    }
    if (!one_in(random, 5)) {
        draw_disorder(random, link);
        draw_damage(random, link);
    }
    if (one_in(random, 3)) link.mtu = draw(random, 1200, 1500);
    if (one_in(random, 100)) link.mtu = draw(random, 500, 1199);
    return link;
}

Settings draw_settings(SeededRandom& random) {
    Settings settings;
    if (one_in(random, 2)) {
        settings.initial_stream_window = draw_logarithmic(random, 1'000, 1e6);
        settings.initial_connection_window = draw_logarithmic(random, 1'000, 2e6);
        settings.max_stream_window = settings.initial_stream_window * draw(random, 1, 16);
        settings.max_connection_window = settings.initial_connection_window * draw(random, 1, 16);
    }
    if (one_in(random, 3)) settings.max_bidirectional_streams = draw(random, 1, 8);
    if (one_in(random, 3)) settings.max_unidirectional_streams = draw(random, 1, 8);
    if (one_in(random, 3)) {
        settings.initial_send_buffer_per_stream = settings.max_send_buffer_per_stream =
            draw_logarithmic(random, 2'000, 1e6);
    }
    settings.congestion = static_cast<CongestionAlgorithm>(draw(random, 0, 2));
    settings.pacing = !one_in(random, 3);
    settings.ecn = !one_in(random, 3);
    settings.grease_quic_bit = !one_in(random, 3);
    settings.ack_eliciting_threshold = static_cast<std::uint32_t>(draw(random, 1, 10));
    settings.max_ack_delay = milliseconds(draw(random, 1, 50));
    settings.idle_timeout = std::chrono::seconds(draw(random, 60, 120));
    settings.handshake_timeout = std::chrono::seconds(60);
    settings.active_connection_id_limit = draw(random, 2, 8);
    if (one_in(random, 4)) settings.max_datagram_size = settings.initial_datagram_size;
    return settings;
}

StreamPlan draw_stream(SeededRandom& random, double most) {
    StreamPlan stream;
    if (one_in(random, 3)) stream.initiator = Role::kServer;
    if (one_in(random, 3)) stream.directionality = Directionality::kUnidirectional;
    stream.request = draw_logarithmic(random, 1, most) - (one_in(random, 10) ? 1 : 0);
    if (one_in(random, 10)) stream.request = 0;
    if (stream.directionality == Directionality::kBidirectional) {
        stream.response = one_in(random, 10) ? 0 : draw_logarithmic(random, 1, most);
        stream.response_waits = !one_in(random, 3);
    }
    if (one_in(random, 10)) {
        stream.reset_after = draw(random, 0, stream.request);
        if (one_in(random, 2)) stream.promised = draw(random, 0, *stream.reset_after);
    }
    if (one_in(random, 10)) stream.stop_after = draw(random, 0, stream.request);
    return stream;
}

TransferPlan draw_plan(SeededRandom& random, std::uint64_t seed) {
    TransferPlan plan;
    plan.seed = seed;
    const std::uint64_t count = one_in(random, 4) ? draw(random, 5, 40) : draw(random, 1, 4);
    const double most = 1024.0 * 1024.0 / static_cast<double>(count);
    for (std::uint64_t i = 0; i < count; ++i) plan.streams.push_back(draw_stream(random, most));
    plan.max_write = draw_logarithmic(random, 100, 200'000);
    plan.max_read = draw_logarithmic(random, 100, 200'000);
    if (one_in(random, 3)) plan.max_pause = draw_time(random, milliseconds(500));
    return plan;
}

void draw_interruptions(SeededRandom& random, Scenario& scenario) {
    if (one_in(random, 10)) {
        const Duration from = draw_time(random, std::chrono::seconds(3));
        scenario.silence = Silence{from, from + draw_time(random, std::chrono::seconds(2))};
        // For good.
        if (one_in(random, 5)) scenario.silence->until = from + std::chrono::hours(24);
    }
    if (!one_in(random, 6)) return;
    Duration after{};
    for (std::uint64_t i = draw(random, 1, 3); i > 0; --i) {
        after += draw_time(random, std::chrono::seconds(2));
        scenario.rebindings.push_back({after, one_in(random, 2)});
    }
    // A client that only listens would never tell the server where it is now.
    scenario.client.keep_alive_interval = milliseconds(draw(random, 500, 3'000));
}

void draw_link_troubles(SeededRandom& random, LinkSettings& link) {
    if (one_in(random, 10)) {
        // To nothing below what QUIC may count on.
        link.narrows.emplace(draw_time(random, std::chrono::seconds(3)), draw(random, 1200, 1400));
    }
    if (one_in(random, 6)) link.bleaches = true;
    if (one_in(random, 8)) {
        const Duration from = draw_time(random, std::chrono::seconds(2));
        link.storm.emplace(from, from + draw_time(random, std::chrono::seconds(2)));
    }
}

std::vector<Action> draw_actions(SeededRandom& random, bool may_migrate) {
    std::vector<Action> actions;
    if (!one_in(random, 3)) return actions;
    Duration after{};
    for (std::uint64_t i = draw(random, 1, 6); i > 0; --i) {
        after += draw_time(random, milliseconds(700));
        const auto kind = static_cast<Action::Kind>(draw(random, 0, may_migrate ? 2 : 0));
        actions.push_back({after, kind});
    }
    return actions;
}

// From a sequence of their own, so that the rest of a seed's scenario stays what it was.
void draw_troubles(std::uint64_t seed, Scenario& scenario) {
    SeededRandom random(seed ^ 0x7208'b1e5'0000'0000u);
    random.next();
    draw_link_troubles(random, scenario.up);
    draw_link_troubles(random, scenario.down);
    // A NAT in between has one mapping, for one address.
    scenario.client_actions = draw_actions(random, scenario.rebindings.empty());
    scenario.server_actions = draw_actions(random, false);
    const auto migrates = [](const Action& action) {
        return action.kind != Action::Kind::kUpdateKeys;
    };
    if (std::ranges::any_of(scenario.client_actions, migrates)) {
        scenario.client.keep_alive_interval = milliseconds(draw(random, 500, 3'000));
    }
}

// From another one.
void draw_early_start(std::uint64_t seed, Scenario& scenario) {
    SeededRandom random(seed ^ 0x0e4a'0000'0000'0000u);
    random.next();
    if (!one_in(random, 4)) return;
    EarlyStart early;
    early.rejected = one_in(random, 3);
    if (early.rejected) scenario.server_endpoint.early_data_register = 0;
    if (one_in(random, 2)) early.replayed_after = draw_time(random, std::chrono::seconds(20));
    scenario.early = early;
}

}  // namespace

Scenario random_scenario(std::uint64_t seed) {
    SeededRandom random(seed ^ 0x5eed'0000'0000'0000u);
    random.next();
    Scenario scenario;
    scenario.seed = seed;
    const Duration delay = microseconds(draw_logarithmic(random, 10, 200'000));
    scenario.up = draw_link(random, delay);
    scenario.down = draw_link(random, one_in(random, 5) ? delay / 3 : delay);
    scenario.client = draw_settings(random);
    scenario.server = draw_settings(random);
    draw_interruptions(random, scenario);
    scenario.client_endpoint.connection_id_length = static_cast<std::uint8_t>(draw(random, 4, 20));
    scenario.server_endpoint.connection_id_length = static_cast<std::uint8_t>(draw(random, 4, 20));
    if (one_in(random, 4)) scenario.server_endpoint.retry = RetryPolicy::kAlways;
    scenario.plan = draw_plan(random, seed);
    scenario.max_datagrams = draw(random, 1, 44);
    if (one_in(random, 3)) scenario.receive_interval = draw_time(random, milliseconds(2));
    draw_troubles(seed, scenario);
    draw_early_start(seed, scenario);
    return scenario;
}

}  // namespace stoq::sim
