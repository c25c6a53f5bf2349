// Without libbpf: the kernel goes by the hash of the addresses, and workers hand over to each
// other.
#include "io/udp/port_selector.h"

namespace stoq::io {
namespace {

std::unexpected<std::error_code> unsupported() {
    return std::unexpected(std::make_error_code(std::errc::function_not_supported));
}

}  // namespace

struct PortSelector::Program {};

PortSelector::PortSelector(PortSelector&&) noexcept = default;
PortSelector& PortSelector::operator=(PortSelector&&) noexcept = default;
PortSelector::~PortSelector() = default;

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
