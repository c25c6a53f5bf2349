// How many streams each side may open, for one directionality (RFC 9000 section 4.6).
#pragma once

#include <cstdint>

namespace stoq::streams {

// Streams that the peer opens. The limit rises as streams finish, so that about `concurrent` may
// be open at any time.
class PeerStreamLimit {
public:
    explicit PeerStreamLimit(std::uint64_t concurrent)
        : concurrent_(concurrent), limit_(concurrent) {}

    // The limit that the peer knows of.
    std::uint64_t limit() const { return limit_; }
    // Streams opened so far; the next one has this index.
    std::uint64_t opened() const { return opened_; }
    bool allows(std::uint64_t index) const { return index < limit_; }

    void on_opened_up_to(std::uint64_t count) { opened_ = count; }
    void on_closed() { ++closed_; }

    // Whether telling the peer a new limit is worth a frame: an eighth of its streams is gained,
    // or it cannot open any at present.
    bool renewal_due() const;
    // The newest limit; from now on it is the one that holds.
    std::uint64_t renew() { return limit_ = next_limit(); }

    std::uint64_t next_limit() const;

private:
    std::uint64_t concurrent_;
    std::uint64_t limit_;
    std::uint64_t opened_ = 0;
    std::uint64_t closed_ = 0;
};

// Streams that we open.
class OwnStreamLimit {
public:
    std::uint64_t limit() const { return limit_; }
    std::uint64_t opened() const { return opened_; }
    bool is_wanted() const { return wanted_; }
    bool may_open() const { return opened_ < limit_; }

    // The index of the new stream. Only when may_open().
    std::uint64_t open() { return opened_++; }
    // open() was refused; true when the peer should be told so, once per limit.
    bool on_refused();
    // The report was lost; true when it still holds.
    bool on_report_lost(std::uint64_t limit) const { return limit == limit_ && wanted_; }
    // True when the application waits for this: open() was refused before.
    bool raise(std::uint64_t limit);
    // 0-RTT was rejected: the limit that it was based on is void. Opened streams stay.
    void restart() { limit_ = 0; }

private:
    std::uint64_t limit_ = 0;
    std::uint64_t opened_ = 0;
    std::uint64_t reported_ = 0;  // limit of the last report, plus one
    bool wanted_ = false;
};

}  // namespace stoq::streams
