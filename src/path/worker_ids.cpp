#include "path/worker_ids.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "crypto/keyed_hash.h"

namespace stoq::path {
namespace {

static_assert(kStoqMaxIdLength == wire::kMaxConnectionIdLength);

std::uint8_t mask_of(const StoqWorkerKey& key, ByteView before_octet) {
    std::array<std::uint8_t, kStoqMaxIdLength> padded{};
    std::ranges::copy(before_octet, padded.begin());
    return stoq_worker_mask(&key, padded.data(), static_cast<std::uint32_t>(before_octet.size()));
}

}  // namespace

wire::ConnectionId WorkerIdGenerator::generate(RandomSource& random) {
    const wire::ConnectionId id = inner_->generate(random);
    std::array<std::uint8_t, wire::kMaxConnectionIdLength> bytes{};
    std::ranges::copy(id.view(), bytes.begin());
    bytes[id.length()] = mask_of(key_, id.view()) ^ worker_;
    return *wire::ConnectionId::from(ByteView(bytes).first(length()));
}

std::optional<std::uint32_t> WorkerIdGenerator::owner_of(ByteView id) const {
    if (id.size() != length()) return std::nullopt;
    return id.back() ^ mask_of(key_, id.first(id.size() - kExtraLength));
}

StoqWorkerKey worker_key(const std::array<std::uint8_t, 32>& persistent_key) {
    constexpr std::string_view kPurpose = "worker octet";
    const auto bytes = crypto::hmac_sha256(
        persistent_key, {reinterpret_cast<const std::uint8_t*>(kPurpose.data()), kPurpose.size()});
    StoqWorkerKey key;
    std::memcpy(&key, bytes.data(), sizeof key);
    return key;
}

}  // namespace stoq::path
