// Datapaths on real loopback sockets, and a kernel that refuses on demand.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "io/clock.h"
#include "io/udp/udp_datapath.h"

namespace stoq::io::test {

// How long to poll before a test gives up; only a failing test waits that long.
inline constexpr Duration kPatience = std::chrono::seconds(10);

inline Address address(std::string_view text) {
    const Address parsed = parse_address(text);
    EXPECT_NE(parsed.family, Address::Family::kNone) << text;
    return parsed;
}

// The same host with another port.
inline Address at_port(std::string_view host, std::uint16_t port) {
    Address result = address(std::string(host) + ":1");
    result.port = port;
    return result;
}

inline UdpSettings settings_for(std::string_view local) {
    UdpSettings settings;
    settings.local = address(local);
    return settings;
}

inline std::unique_ptr<UdpDatapath> open(const UdpSettings& settings,
                                         const SystemCalls& calls = real_system_calls()) {
    auto datapath = UdpDatapath::create(settings, calls);
    if (!datapath) {
        ADD_FAILURE() << "cannot open " << to_string(settings.local) << ": "
                      << datapath.error().message();
        return nullptr;
    }
    return std::move(*datapath);
}

inline std::unique_ptr<UdpDatapath> open(std::string_view local,
                                         const SystemCalls& calls = real_system_calls()) {
    return open(settings_for(local), calls);
}

inline bool host_has_ipv6() {
    UdpSettings settings = settings_for("[::1]:0");
    return UdpDatapath::create(settings).has_value();
}

using Payload = std::vector<std::uint8_t>;

// Bytes that differ from place to place and from `seed` to `seed`.
inline Payload pattern(std::size_t length, unsigned seed = 0) {
    Payload bytes(length);
    for (std::size_t i = 0; i < length; ++i) {
        bytes[i] = static_cast<std::uint8_t>((i * 31 + i / 251 + seed * 97) & 0xff);
    }
    return bytes;
}

struct Outgoing {
    Address remote{};
    Address local{};
    Ecn ecn = Ecn::kNotEct;
    std::size_t datagram_length = 0;  // 0: one datagram
};

inline void queue(UdpDatapath& datapath, const Payload& bytes, const Outgoing& outgoing) {
    TransmitSlot* slot = datapath.transmit_slot();
    ASSERT_NE(slot, nullptr);
    ASSERT_LE(bytes.size(), slot->buffer.size());
    std::memcpy(slot->buffer.data(), bytes.data(), bytes.size());
    slot->length = bytes.size();
    slot->datagram_length = outgoing.datagram_length == 0 ? bytes.size() : outgoing.datagram_length;
    slot->remote = outgoing.remote;
    slot->local = outgoing.local;
    slot->ecn = outgoing.ecn;
    datapath.commit(*slot);
}

// A copy of what arrived, so that later batches may come.
struct Arrival {
    Payload data{};
    Address local{};
    Address remote{};
    Ecn ecn = Ecn::kNotEct;
};

// Polls until `count` datagrams are there or the patience is at its end.
inline std::vector<Arrival> receive(UdpDatapath& datapath, std::size_t count) {
    std::vector<Arrival> arrivals;
    const Instant end = now() + kPatience;
    while (arrivals.size() < count && now() < end) {
        for (const ReceivedDatagram& got : datapath.receive_batch()) {
            arrivals.push_back(
                {{got.data.begin(), got.data.end()}, got.local, got.remote, got.ecn});
        }
        datapath.recycle();
        if (arrivals.size() < count) datapath.wait(end - now(), nullptr);
    }
    EXPECT_EQ(arrivals.size(), count);
    return arrivals;
}

inline Payload concatenated(const std::vector<Arrival>& arrivals) {
    Payload all;
    for (const Arrival& arrival : arrivals) {
        all.insert(all.end(), arrival.data.begin(), arrival.data.end());
    }
    return all;
}

// Polls until an error has come back.
inline std::vector<PathErrorReport> await_path_errors(UdpDatapath& datapath) {
    const Instant end = now() + kPatience;
    while (now() < end) {
        const auto reports = datapath.path_errors();
        if (!reports.empty()) return {reports.begin(), reports.end()};
        datapath.wait(end - now(), nullptr);
    }
    ADD_FAILURE() << "no error came back";
    return {};
}

// The kernel's answers, in part invented. One at a time: system calls have no context.
class FaultyKernel {
public:
    struct Call {
        std::size_t messages = 0;
        std::size_t first_segment_size = 0;  // of UDP_SEGMENT; 0 without
    };

    FaultyKernel() {
        current_ = this;
        calls_ = real_system_calls();
        calls_.sendmsg = send_one;
        calls_.sendmmsg = send_many;
        calls_.setsockopt = set_option;
        calls_.now = [] { return current_->now; };
    }
    ~FaultyKernel() { current_ = nullptr; }
    FaultyKernel(const FaultyKernel&) = delete;
    FaultyKernel& operator=(const FaultyKernel&) = delete;

    const SystemCalls& calls() const { return calls_; }

    // Answers to the next sending calls, in order: an errno, or 0 to let the call through.
    std::deque<int> send_errors;
    // A sending call takes no more messages than this.
    std::size_t most_messages = 1000;
    // Trains (messages with UDP_SEGMENT) fail with this, unless 0.
    int train_error = 0;
    // Options that do not exist, by level and name.
    std::set<std::pair<int, int>> missing_options;
    Instant now{std::chrono::hours(1)};
    std::vector<Call> log;

private:
    static std::size_t segment_size(const msghdr& message) {
        auto& walked = const_cast<msghdr&>(message);
        for (cmsghdr* header = CMSG_FIRSTHDR(&walked); header != nullptr;
             header = CMSG_NXTHDR(&walked, header)) {
            if (header->cmsg_level == 17 && header->cmsg_type == 103) {
                std::uint16_t size = 0;
                std::memcpy(&size, CMSG_DATA(header), sizeof size);
                return size;
            }
        }
        return 0;
    }

    // The errno of a call whose first message is this one, or 0.
    int answer(const msghdr& first, std::size_t messages) {
        log.push_back({messages, segment_size(first)});
        int error = 0;
        if (!send_errors.empty()) {
            error = send_errors.front();
            send_errors.pop_front();
        }
        if (error == 0 && segment_size(first) != 0) error = train_error;
        return error;
    }

    static ssize_t send_one(int descriptor, const msghdr* message, int flags) {
        const int error = current_->answer(*message, 1);
        if (error == 0) return real_system_calls().sendmsg(descriptor, message, flags);
        errno = error;
        return -1;
    }

    static int send_many(int descriptor, mmsghdr* messages, unsigned count, int flags) {
        const int error = current_->answer(messages[0].msg_hdr, count);
        if (error == 0) {
            count = static_cast<unsigned>(
                std::min<std::size_t>({count, current_->most_messages, passing(messages, count)}));
            return real_system_calls().sendmmsg(descriptor, messages, count, flags);
        }
        errno = error;
        return -1;
    }

    // As the kernel, a call stops in front of a message that fails.
    static std::size_t passing(const mmsghdr* messages, std::size_t count) {
        std::size_t passed = 1;
        while (passed < count &&
               (current_->train_error == 0 || segment_size(messages[passed].msg_hdr) == 0)) {
            ++passed;
        }
        return passed;
    }

    static int set_option(int descriptor, int level, int name, const void* value, socklen_t size) {
        if (current_->missing_options.contains({level, name})) {
            errno = ENOPROTOOPT;
            return -1;
        }
        return real_system_calls().setsockopt(descriptor, level, name, value, size);
    }

    static inline FaultyKernel* current_ = nullptr;
    SystemCalls calls_;
};

}  // namespace stoq::io::test
