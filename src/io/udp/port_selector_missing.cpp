// Without libbpf: the kernel goes by the hash of the addresses, and workers hand over to each
// other.
#include <unistd.h>

#include <utility>

#include "io/udp/port_selector.h"

namespace stoq::io {
namespace {

std::unexpected<std::error_code> unsupported() {
    return std::unexpected(std::make_error_code(std::errc::function_not_supported));
}

}  // namespace

struct PortSelector::Program {};

PortSelector::PortSelector(SelectorMaps maps, std::unique_ptr<Program> program)
    : maps_(maps), program_(std::move(program)) {}
PortSelector::PortSelector(PortSelector&& other) noexcept : maps_(std::exchange(other.maps_, {})) {}
PortSelector& PortSelector::operator=(PortSelector&& other) noexcept {
    std::swap(maps_, other.maps_);
    return *this;
}

PortSelector::~PortSelector() {
    if (maps_.selection < 0) return;
    ::close(maps_.selection);
    ::close(maps_.workers);
}

PortSelector PortSelector::join(SelectorMaps maps) {
    return {maps, nullptr};
}

SystemResult<PortSelector> PortSelector::create(const StoqSelection&) {
    return unsupported();
}

SystemResult<void> PortSelector::attach(int) const {
    return unsupported();
}

SystemResult<void> PortSelector::add(std::uint8_t, int) const {
    return unsupported();
}

SystemResult<StoqSelection> PortSelector::selection() const {
    return unsupported();
}

SystemResult<void> PortSelector::select(const StoqSelection&) const {
    return unsupported();
}

}  // namespace stoq::io
