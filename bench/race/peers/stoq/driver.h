// What both ends of the race's driver on STOQ need.
#pragma once

#include <functional>
#include <memory>

#include "contract.h"
#include "stoq/runtime.h"

namespace race {

struct StreamKey {
    stoq::ConnectionHandle connection;
    stoq::StreamId stream;

    friend bool operator==(const StreamKey&, const StreamKey&) = default;
};

struct StreamKeyHash {
    std::size_t operator()(const StreamKey& key) const {
        return std::hash<std::uint64_t>()((std::uint64_t{key.connection.index} << 40) ^
                                          (key.stream.value() * 0x9e3779b97f4a7c15));
    }
};

stoq::Settings settings_of(const Options& options);
std::unique_ptr<stoq::Runtime> make_runtime(const Options& options);

// Hands what there is to `take`; true when that was the end of the stream.
template <typename Take>
bool read_all(stoq::Endpoint& endpoint, const StreamKey& key, const Take& take) {
    while (const auto view = endpoint.peek(key.connection, key.stream)) {
        if (view->bytes.empty() && !view->finished) return false;
        const bool finished = view->finished;
        take(view->bytes);
        (void)endpoint.consume(key.connection, key.stream, view->bytes.size());
        if (finished) return true;
    }
    return false;
}

// Both return how many bytes were taken.
std::size_t write_copy(stoq::Endpoint& endpoint, const StreamKey& key, Bytes bytes);
// For bytes that live for ever: they are sent from where they are.
std::size_t write_pattern(stoq::Endpoint& endpoint, const StreamKey& key, Bytes bytes);

void run_server(const Options& options);
void run_client(const Options& options);

}  // namespace race
