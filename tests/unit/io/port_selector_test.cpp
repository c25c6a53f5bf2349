// The program that chooses among sockets of one port, in the real kernel.
#include "io/udp/port_selector.h"

#include <cstdio>

#include <gtest/gtest.h>

#include "udp_test_support.h"

namespace stoq::io {
namespace {

using test::address;
using test::at_port;

constexpr std::uint32_t kIdLength = 9;
constexpr StoqWorkerKey kKey{1, 2};

std::vector<std::uint8_t> id_of(std::uint8_t worker, std::uint8_t salt) {
    std::array<std::uint8_t, kStoqMaxIdLength> padded{};
    padded.fill(0);
    for (std::size_t i = 0; i + 1 < kIdLength; ++i) padded[i] = static_cast<std::uint8_t>(salt + i);
    std::vector<std::uint8_t> id(padded.begin(), padded.begin() + kIdLength);
    id.back() = stoq_worker_mask(&kKey, padded.data(), kIdLength - 1) ^ worker;
    return id;
}

std::vector<std::uint8_t> short_packet(const std::vector<std::uint8_t>& id) {
    std::vector<std::uint8_t> packet{0x40};
    packet.insert(packet.end(), id.begin(), id.end());
    packet.resize(packet.size() + 20);
    return packet;
}

std::vector<std::uint8_t> long_packet(std::uint8_t first, std::uint32_t version,
                                      const std::vector<std::uint8_t>& id) {
    std::vector<std::uint8_t> packet{first,
                                     static_cast<std::uint8_t>(version >> 24),
                                     static_cast<std::uint8_t>(version >> 16),
                                     static_cast<std::uint8_t>(version >> 8),
                                     static_cast<std::uint8_t>(version),
                                     static_cast<std::uint8_t>(id.size())};
    packet.insert(packet.end(), id.begin(), id.end());
    packet.resize(packet.size() + 40);
    return packet;
}

class PortSelectorTest : public testing::Test {
protected:
    static constexpr std::size_t kWorkers = 3;

    void SetUp() override {
        auto made = PortSelector::create(
            {.key = kKey, .id_length = kIdLength, .first = 0, .count = kWorkers});
        // Anything else is a program that the kernel does not like.
        const bool refused = !made && (made.error() == std::errc::operation_not_permitted ||
                                       made.error() == std::errc::permission_denied ||
                                       made.error() == std::errc::function_not_supported);
        ASSERT_TRUE(made || refused) << made.error().message();
        if (!made) {
            const std::string reason = made.error().message();
            std::printf("skipped: no program can be loaded here: %s\n", reason.c_str());
            GTEST_SKIP() << reason;
        }
        selector_.emplace(std::move(*made));
        UdpSettings settings = test::settings_for("127.0.0.1:0");
        // A port that no other group has: one found without sharing.
        settings.local = test::open(settings)->local_address();
        settings.reuse_port = true;
        for (std::size_t i = 0; i < kWorkers; ++i) sockets_.push_back(test::open(settings));
        ASSERT_TRUE(selector_->attach(sockets_[0]->native_handle()));
        for (std::size_t i = 0; i < kWorkers; ++i) {
            ASSERT_TRUE(selector_->add(static_cast<std::uint8_t>(i), sockets_[i]->native_handle()));
        }
    }

    // The socket that gets `packet`, sent from a new port.
    std::size_t receiver_of(const std::vector<std::uint8_t>& packet) {
        const auto sender = test::open("127.0.0.1:0");
        return receiver_from(*sender, packet);
    }

    std::size_t receiver_from(Datapath& sender, const std::vector<std::uint8_t>& packet) {
        TransmitSlot* const slot = sender.transmit_slot();
        std::ranges::copy(packet, slot->buffer.begin());
        slot->length = slot->datagram_length = packet.size();
        slot->remote = sockets_[0]->local_address();
        sender.commit(*slot);
        EXPECT_EQ(sender.flush().sent_datagrams, 1u);
        for (std::size_t i = 0; i < sockets_.size(); ++i) {
            // Over loopback a datagram is there once it was sent.
            if (!sockets_[i]->receive_batch().empty()) return i;
        }
        ADD_FAILURE() << "nobody got it";
        return sockets_.size();
    }

    std::optional<PortSelector> selector_;
    std::vector<std::unique_ptr<UdpDatapath>> sockets_;
};

TEST_F(PortSelectorTest, ShortHeadersGoToTheWorkerThatTheIdNames) {
    for (std::uint8_t salt = 0; salt < 60; ++salt) {
        const std::uint8_t worker = salt % kWorkers;
        EXPECT_EQ(receiver_of(short_packet(id_of(worker, salt))), worker);
    }
}

TEST_F(PortSelectorTest, HandshakePacketsOfBothVersionsDoToo) {
    for (std::uint8_t salt = 0; salt < 30; ++salt) {
        const std::uint8_t worker = salt % kWorkers;
        EXPECT_EQ(receiver_of(long_packet(0xe0, 1, id_of(worker, salt))), worker);
        EXPECT_EQ(receiver_of(long_packet(0xf0, 0x6b3343cf, id_of(worker, salt))), worker);
    }
}

TEST_F(PortSelectorTest, WhatOpensConnectionsIsSpreadByAddressAndStaysThere) {
    std::array<int, kWorkers> counts{};
    for (std::uint8_t i = 0; i < 60; ++i) {
        const auto sender = test::open("127.0.0.1:0");
        // The ID seems to name worker 1 each time, but it is the client's own choice.
        const std::size_t first = receiver_from(*sender, long_packet(0xc0, 1, id_of(1, i)));
        ASSERT_LT(first, kWorkers);
        ++counts[first];
        EXPECT_EQ(receiver_from(*sender, long_packet(0xc0, 1, id_of(2, i))), first);
        EXPECT_EQ(receiver_from(*sender, long_packet(0xd0, 1, id_of(0, i))), first);
    }
    for (const int count : counts) EXPECT_GT(count, 0);
}

TEST_F(PortSelectorTest, NewConnectionsGoToThoseThatTakeThem) {
    ASSERT_TRUE(selector_->select({.key = kKey, .id_length = kIdLength, .first = 2, .count = 1}));
    const auto now = selector_->selection();
    ASSERT_TRUE(now);
    EXPECT_EQ(now->first, 2u);
    for (std::uint8_t i = 0; i < 20; ++i) {
        EXPECT_EQ(receiver_of(long_packet(0xc0, 1, id_of(0, i))), 2u);
        EXPECT_EQ(receiver_of(short_packet(id_of(0, i))), 0u);
    }
}

TEST_F(PortSelectorTest, NoiseAndIdsOfNobodyReachSomebody) {
    EXPECT_LT(receiver_of({0x40}), kWorkers);
    EXPECT_LT(receiver_of(std::vector<std::uint8_t>(25, 0xff)), kWorkers);
    EXPECT_LT(receiver_of(std::vector<std::uint8_t>(1200, 0xff)), kWorkers);
    EXPECT_LT(receiver_of(short_packet(id_of(200, 1))), kWorkers);
    EXPECT_LT(receiver_of(long_packet(0xe0, 1, {})), kWorkers);
    EXPECT_LT(receiver_of(long_packet(0xe0, 7, id_of(1, 1))), kWorkers);
}

TEST_F(PortSelectorTest, AClosedSocketLeavesItsPlace) {
    sockets_.pop_back();
    for (std::uint8_t salt = 0; salt < 20; ++salt) {
        EXPECT_LT(receiver_of(short_packet(id_of(2, salt))), kWorkers - 1);
    }
}

}  // namespace
}  // namespace stoq::io
