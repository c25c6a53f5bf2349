// Connection IDs that tell which endpoint of several behind one port issued them.
#pragma once

#include <memory>

#include "base/worker_octet.h"
#include "path/connection_id_generator.h"

namespace stoq::path {

// The IDs of another generator, each with an octet more (base/worker_octet.h).
class WorkerIdGenerator final : public ConnectionIdGenerator {
public:
    // The octet.
    static constexpr std::size_t kExtraLength = 1;
    static constexpr int kMaxWorkers = 256;

    WorkerIdGenerator(std::unique_ptr<ConnectionIdGenerator> inner, StoqWorkerKey key,
                      std::uint8_t worker)
        : inner_(std::move(inner)), key_(key), worker_(worker) {}

    std::size_t length() const override { return inner_->length() + kExtraLength; }
    wire::ConnectionId generate(RandomSource& random) override;
    std::optional<std::uint32_t> owner_of(ByteView id) const override;

private:
    std::unique_ptr<ConnectionIdGenerator> inner_;
    StoqWorkerKey key_;
    std::uint8_t worker_;
};

// The key of the mask, the same for all workers that have the same `persistent_key`
// (EndpointSettings).
StoqWorkerKey worker_key(const std::array<std::uint8_t, 32>& persistent_key);

}  // namespace stoq::path
