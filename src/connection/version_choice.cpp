#include "connection/version_choice.h"

#include <algorithm>
#include <utility>

namespace stoq::connection {
namespace {

// The first of ours for which `other` is true.
template <typename Predicate>
std::optional<std::uint32_t> first_common(const VersionList& versions, Predicate other) {
    for (const QuicVersion version : versions) {
        const std::uint32_t number = std::to_underlying(version);
        if (version != QuicVersion::kNone && other(number)) return number;
    }
    return std::nullopt;
}

bool contains(std::span<const std::uint32_t> list, std::uint32_t version) {
    return std::ranges::find(list, version) != list.end();
}

}  // namespace

bool lists(const VersionList& versions, std::uint32_t version) {
    return version != 0 && std::ranges::find(versions, QuicVersion{version}) != versions.end();
}

//= 9368-3-2
wire::VersionInformation version_information(const VersionList& versions, std::uint32_t chosen) {
    wire::VersionInformation information;
    information.chosen = chosen;
    for (const QuicVersion version : versions) {
        if (version != QuicVersion::kNone) information.add_available(std::to_underlying(version));
    }
    return information;
}

//= 9368-2.3-1
std::uint32_t compatible_version(const VersionList& versions, std::uint32_t original,
                                 const wire::VersionInformation& client) {
    const auto offered = [&](std::uint32_t version) {
        return contains(client.available(), version);
    };
    return first_common(versions, offered).value_or(original);
}

//= 9368-2.1-3
std::optional<std::uint32_t> version_after(const wire::VersionNegotiationPacket& packet,
                                           const VersionList& versions) {
    return first_common(versions, [&](std::uint32_t version) { return packet.contains(version); });
}

//= 9368-4-15
bool would_have_led_to(std::uint32_t negotiated, const VersionList& versions,
                       std::span<const std::uint32_t> available) {
    //= 9368-4-17
    if (available.empty()) return false;
    return first_common(versions, [&](std::uint32_t version) {
               return version == negotiated || contains(available, version);
           }) == negotiated;
}

}  // namespace stoq::connection
