#include "tls/ticket.h"

#include <algorithm>

#include "base/bytes.h"

namespace stoq::tls {
namespace {

constexpr std::uint32_t kMagic = 0x53545132;  // "STQ2"

}  // namespace

std::vector<std::uint8_t> pack(const Ticket& ticket) {
    std::vector<std::uint8_t> bytes(3 * sizeof(std::uint32_t) + ticket.binding.size() +
                                    ticket.session.size() + ticket.transport_parameters.size());
    ByteWriter writer(bytes);
    writer.write(kMagic);
    writer.write_bytes(ticket.binding);
    writer.write(static_cast<std::uint32_t>(ticket.session.size()));
    writer.write(static_cast<std::uint32_t>(ticket.transport_parameters.size()));
    writer.write_bytes(ticket.session);
    writer.write_bytes(ticket.transport_parameters);
    return bytes;
}

std::optional<Ticket> unpack(ByteView bytes) {
    ByteReader reader(bytes);
    Ticket ticket;
    if (reader.read<std::uint32_t>() != kMagic) return std::nullopt;
    const auto binding = reader.read_bytes(ticket.binding.size());
    if (!binding) return std::nullopt;
    std::copy(binding->begin(), binding->end(), ticket.binding.begin());
    const auto length = reader.read<std::uint32_t>();
    const auto parameters = reader.read<std::uint32_t>();
    if (!length || !parameters) return std::nullopt;
    const auto session = reader.read_bytes(*length);
    if (!session) return std::nullopt;
    ticket.session = *session;
    ticket.transport_parameters = reader.rest();
    // One that was cut would promise less than the server did.
    if (ticket.transport_parameters.size() != *parameters) return std::nullopt;
    return ticket;
}

}  // namespace stoq::tls
