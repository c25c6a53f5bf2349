#include "path/worker_ids.h"

#include <algorithm>
#include <cstring>
#include <map>

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "path/quic_lb.h"

namespace stoq::path {
namespace {

constexpr StoqWorkerKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

WorkerIdGenerator generator_of(std::uint8_t worker, std::size_t inner_length,
                               StoqWorkerKey key = kKey) {
    return {std::make_unique<RandomConnectionIdGenerator>(inner_length), key, worker};
}

// SipHash-2-4 by OpenSSL; its first byte.
std::uint8_t sip_hash(ByteView key, ByteView message) {
    EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
    EVP_MAC_CTX* const context = EVP_MAC_CTX_new(mac);
    unsigned size = 8;
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, &size),
        OSSL_PARAM_construct_end(),
    };
    EXPECT_EQ(EVP_MAC_init(context, key.data(), key.size(), parameters), 1);
    EXPECT_EQ(EVP_MAC_update(context, message.data(), message.size()), 1);
    std::array<std::uint8_t, 8> hash{};
    std::size_t length = 0;
    EXPECT_EQ(EVP_MAC_final(context, hash.data(), &length, hash.size()), 1);
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
    return hash[0];
}

TEST(WorkerIds, MaskIsSipHash) {
    constexpr std::uint64_t kSeed = 5;
    SCOPED_TRACE(testing::Message() << "seed " << kSeed);
    SeededRandom random(kSeed);
    std::array<std::uint8_t, 16> key_bytes;
    std::memcpy(key_bytes.data(), &kKey, sizeof kKey);
    for (int i = 0; i < 100; ++i) {
        // Of this length, padding and length are those of the hash itself.
        std::array<std::uint8_t, kStoqMaxIdLength> message;
        random.fill(message);
        EXPECT_EQ(stoq_worker_mask(&kKey, message.data(), kStoqMaxIdLength),
                  sip_hash(key_bytes, message));
    }
}

TEST(WorkerIds, TellEveryWorkerAtEveryLength) {
    SeededRandom random(7);
    for (const std::size_t inner : {4u, 8u, 12u, 19u}) {
        for (const int worker : {0, 1, 127, 128, 255}) {
            auto generator = generator_of(static_cast<std::uint8_t>(worker), inner);
            EXPECT_EQ(generator.length(), inner + 1);
            const auto id = generator.generate(random);
            EXPECT_EQ(id.length(), inner + 1);
            EXPECT_EQ(generator_of(0, inner).owner_of(id.view()), worker);
        }
    }
}

TEST(WorkerIds, TellNothingOfIdsWithAnotherLength) {
    const auto generator = generator_of(3, 8);
    const std::array<std::uint8_t, 20> bytes{};
    EXPECT_EQ(generator.owner_of(ByteView(bytes).first(8)), std::nullopt);
    EXPECT_EQ(generator.owner_of(ByteView(bytes).first(10)), std::nullopt);
    EXPECT_EQ(generator.owner_of({}), std::nullopt);
}

// An observer sees octets of one worker that are spread like random ones; whoever has another key
// reads other numbers.
TEST(WorkerIds, HideTheWorkerFromWhoeverLacksTheKey) {
    SeededRandom random(11);
    auto generator = generator_of(5, 8);
    const auto stranger = generator_of(5, 8, {kKey.first + 1, kKey.second});
    std::map<std::uint8_t, int> octets;
    std::map<std::uint32_t, int> read_by_stranger;
    constexpr int kIds = 256 * 64;
    for (int i = 0; i < kIds; ++i) {
        const auto id = generator.generate(random);
        ++octets[id.view().back()];
        ++read_by_stranger[*stranger.owner_of(id.view())];
    }
    const auto most = [](const auto& counts) {
        return std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; })
            ->second;
    };
    // 64 are expected of each of 256 values; 120 are 7 standard deviations more.
    EXPECT_EQ(octets.size(), 256u);
    EXPECT_LT(most(octets), 120);
    EXPECT_LT(most(read_by_stranger), 120);
}

TEST(WorkerIds, StandBehindThoseOfALoadBalancer) {
    SeededRandom random(13);
    QuicLbSettings settings;
    settings.server_id = {1, 2, 3};
    settings.encode_length = true;
    settings.key.emplace().fill(9);
    WorkerIdGenerator generator(
        std::make_unique<QuicLbGenerator>(settings, random, WorkerIdGenerator::kExtraLength), kKey,
        2);
    const auto id = generator.generate(random);
    EXPECT_EQ(generator.owner_of(id.view()), 2u);
    // The load balancer counts all of it, and reads its part at the front.
    EXPECT_EQ(id.view()[0] & 0x1f, static_cast<int>(id.length() - 1));
    QuicLbGenerator balancer(settings, random, WorkerIdGenerator::kExtraLength);
    EXPECT_EQ(balancer.server_id_of(id.view().first(id.length() - 1)), settings.server_id);
}

TEST(WorkerIds, KeysDependOnThePersistentKey) {
    std::array<std::uint8_t, 32> one{1};
    std::array<std::uint8_t, 32> two{2};
    EXPECT_EQ(worker_key(one).first, worker_key(one).first);
    EXPECT_NE(worker_key(one).first, worker_key(two).first);
    EXPECT_NE(worker_key(one).second, worker_key(two).second);
}

}  // namespace
}  // namespace stoq::path
