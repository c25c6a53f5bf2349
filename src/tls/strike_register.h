// StrikeRegister: which ClientHellos have had their 0-RTT data accepted (RFC 8446 section 8.2,
// RFC 9001 section 9.2).
//
// TLS takes 0-RTT data only while the ticket's age, as the client states it, agrees with ours
// within ten seconds. So a copy of a ClientHello is worth something for that long, and the register
// has to remember what it has seen for a little longer. What was seen is kept as a keyed hash, in
// two tables of which the older one is emptied when the newer one is as old as the window. Whatever
// cannot be remembered is refused, which costs its sender a round trip and nothing else.
//
// Tickets carry the register's number, and 0-RTT data is accepted only with tickets of the register
// that is asked: another one, of another process or of one before this, cannot know what this one
// has seen. Endpoints of several threads may share one.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "base/seeded_hash.h"
#include "stoq/random.h"
#include "stoq/types.h"

namespace stoq::tls {

class StrikeRegister {
public:
    // Nothing is accepted twice within this time, and more than a copy of it is of use to anybody.
    static constexpr Duration kWindow = std::chrono::seconds(15);

    // `capacity`: acceptances per window that can be remembered, 16 to 32 bytes each, allocated
    // with the first one.
    StrikeRegister(std::size_t capacity, RandomSource& random);

    // No other register has the same.
    std::uint64_t number() const { return number_; }
    // Time goes on. To be called before accept().
    void advance(Instant now);
    // True the first time that `unique`, of a ClientHello, is shown.
    bool accept(ByteView unique);

private:
    // A set of hashes with open addressing, never more than half full. 0 marks a free place.
    struct Table {
        std::vector<std::uint64_t> places;
        std::size_t used = 0;
    };

    static std::size_t place_of(const Table& table, std::uint64_t hash);
    static bool contains(const Table& table, std::uint64_t hash);

    SeededHash hash_;
    std::uint64_t number_;
    std::size_t capacity_;
    std::mutex mutex_;  // of what follows
    std::array<Table, 2> tables_;
    std::size_t newer_ = 0;
    std::optional<Instant> window_start_;
};

}  // namespace stoq::tls
