#include "io/udp/port_selector.h"

#include <select_worker.skel.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/try.h"

namespace stoq::io {
namespace {

std::unexpected<std::error_code> failure(int error) {
    // libbpf answers ENOTSUPP, which has no name outside of the kernel, and the like.
    return std::unexpected(std::error_code(error, std::system_category()));
}

// libbpf tells people on stderr why a program was refused; a library must not.
class Silence {
public:
    Silence() : before_(libbpf_set_print(nullptr)) {}
    ~Silence() { libbpf_set_print(before_); }
    Silence(const Silence&) = delete;
    Silence& operator=(const Silence&) = delete;

private:
    libbpf_print_fn_t before_;
};

}  // namespace

struct PortSelector::Program {
    explicit Program(select_worker_bpf* loaded) : skeleton(loaded) {}
    ~Program() { select_worker_bpf__destroy(skeleton); }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    select_worker_bpf* skeleton;
};

PortSelector::PortSelector(SelectorMaps maps, std::unique_ptr<Program> program)
    : maps_(maps), program_(std::move(program)) {}

PortSelector::PortSelector(PortSelector&& other) noexcept
    : maps_(std::exchange(other.maps_, {})), program_(std::move(other.program_)) {}

PortSelector& PortSelector::operator=(PortSelector&& other) noexcept {
    std::swap(maps_, other.maps_);
    std::swap(program_, other.program_);
    return *this;
}

PortSelector::~PortSelector() {
    // Those of a program are its skeleton's.
    if (program_ || maps_.selection < 0) return;
    ::close(maps_.selection);
    ::close(maps_.workers);
}

SystemResult<PortSelector> PortSelector::create(const StoqSelection& selection) {
    const Silence silence;
    errno = 0;
    select_worker_bpf* const loaded = select_worker_bpf__open_and_load();
    if (loaded == nullptr) return failure(errno);
    auto program = std::make_unique<Program>(loaded);
    const SelectorMaps maps{bpf_map__fd(loaded->maps.selection), bpf_map__fd(loaded->maps.workers)};
    PortSelector made(maps, std::move(program));
    STOQ_TRY(made.select(selection));
    return made;
}

PortSelector PortSelector::join(SelectorMaps maps) {
    return {maps, nullptr};
}

SystemResult<void> PortSelector::attach(int socket) const {
    const int program = bpf_program__fd(program_->skeleton->progs.select_worker);
    if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof program) != 0) {
        return failure(errno);
    }
    return {};
}

SystemResult<void> PortSelector::add(std::uint8_t worker, int socket) const {
    const std::uint32_t key = worker;
    const std::uint64_t value = static_cast<std::uint64_t>(socket);
    if (bpf_map_update_elem(maps_.workers, &key, &value, BPF_ANY) != 0) return failure(errno);
    return {};
}

SystemResult<StoqSelection> PortSelector::selection() const {
    const std::uint32_t key = 0;
    StoqSelection selection{};
    if (bpf_map_lookup_elem(maps_.selection, &key, &selection) != 0) return failure(errno);
    return selection;
}

SystemResult<void> PortSelector::select(const StoqSelection& selection) const {
    const std::uint32_t key = 0;
    if (bpf_map_update_elem(maps_.selection, &key, &selection, BPF_ANY) != 0) return failure(errno);
    return {};
}

}  // namespace stoq::io
