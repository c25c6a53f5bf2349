#include "tls/strike_register.h"

#include <algorithm>
#include <bit>

namespace stoq::tls {

StrikeRegister::StrikeRegister(std::size_t capacity, RandomSource& random)
    : hash_(random), number_(random.next_uint64()), capacity_(capacity) {}

void StrikeRegister::advance(Instant now) {
    const std::lock_guard lock(mutex_);
    if (!window_start_) window_start_ = now;
    const Duration age = now - *window_start_;
    if (age < kWindow) return;
    newer_ = 1 - newer_;
    // After two windows of silence nothing of what is remembered matters any more.
    const bool all = age >= 2 * kWindow;
    for (std::size_t i = 0; i < tables_.size(); ++i) {
        if (i != newer_ && !all) continue;
        std::ranges::fill(tables_[i].places, 0);
        tables_[i].used = 0;
    }
    window_start_ = now;
}

std::size_t StrikeRegister::place_of(const Table& table, std::uint64_t hash) {
    const std::size_t mask = table.places.size() - 1;
    std::size_t place = hash & mask;
    while (table.places[place] != 0 && table.places[place] != hash) place = (place + 1) & mask;
    return place;
}

bool StrikeRegister::contains(const Table& table, std::uint64_t hash) {
    return table.used != 0 && table.places[place_of(table, hash)] == hash;
}

//= 9001-9.2-1
bool StrikeRegister::accept(ByteView unique) {
    const std::lock_guard lock(mutex_);
    if (!window_start_) return false;
    const std::uint64_t hash = std::max<std::uint64_t>(hash_(unique), 1);
    if (contains(tables_[0], hash) || contains(tables_[1], hash)) return false;
    Table& table = tables_[newer_];
    if (table.used >= capacity_) return false;
    if (table.places.empty()) table.places.resize(std::bit_ceil(2 * capacity_));
    table.places[place_of(table, hash)] = hash;
    ++table.used;
    return true;
}

}  // namespace stoq::tls
