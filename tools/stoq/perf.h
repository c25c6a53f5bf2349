// The QUIC performance protocol (ALPN "perf"): on a bidirectional stream the client sends the size
// of the answer that it wants, 8 bytes in network order, then as much as it likes, then the end;
// the server answers with that many bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "stoq/shared_bytes.h"

namespace CLI {
class App;
}

namespace stoq::tool {

inline constexpr std::string_view kPerfProtocol = "perf";
inline constexpr std::size_t kPerfHeader = 8;

// Zeros to send, without a copy.
inline SharedBytes perf_bytes(std::uint64_t wanted) {
    static constexpr std::array<std::uint8_t, 256 * 1024> kZeros{};
    return SharedBytes::immortal(ByteView(kZeros))
        .slice(0, std::min<std::uint64_t>(wanted, kZeros.size()));
}

void add_perf_server(CLI::App& perf);
void add_perf_client(CLI::App& perf);
void add_perf_handshake(CLI::App& perf);

}  // namespace stoq::tool
