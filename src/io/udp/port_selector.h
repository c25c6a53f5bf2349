// The kernel's choice among the sockets that share a port: a program (bpf/) that goes by the worker
// which the connection ID names. Workers may be in different processes.
#pragma once

#include <memory>

#include "io/udp/selection.h"
#include "stoq/error.h"

namespace stoq::io {

// Descriptors of the two maps of a program, by which another process uses it too.
struct SelectorMaps {
    int selection = -1;
    int workers = -1;
};

class PortSelector {
public:
    // Loads the program. Fails with function_not_supported when this library was built without BPF,
    // and with operation_not_permitted when the process may not load programs.
    static SystemResult<PortSelector> create(const StoqSelection& selection);
    // Shares one that is in force already, and takes over the descriptors.
    static PortSelector join(SelectorMaps maps);
    ~PortSelector();
    PortSelector(PortSelector&& other) noexcept;
    PortSelector& operator=(PortSelector&& other) noexcept;

    // Lets the program choose for the group of sockets that `socket` is in. Once is enough.
    SystemResult<void> attach(int socket) const;
    // Datagrams of `worker` go to `socket`, which is bound with SO_REUSEPORT and in the group.
    // A socket that is closed takes itself out.
    SystemResult<void> add(std::uint8_t worker, int socket) const;

    SystemResult<StoqSelection> selection() const;
    SystemResult<void> select(const StoqSelection& selection) const;
    // Borrowed.
    SelectorMaps maps() const { return maps_; }

private:
    struct Program;
    PortSelector(SelectorMaps maps, std::unique_ptr<Program> program);

    SelectorMaps maps_;
    std::unique_ptr<Program> program_;  // null: another process has loaded it
};

}  // namespace stoq::io
