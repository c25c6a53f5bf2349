/* What the library tells the program in the kernel that chooses a worker's socket. C, as
 * base/worker_octet.h is: bpf/select_worker.bpf.c is compiled from it too. */
#pragma once

#include "base/worker_octet.h"

/* An octet has no more. */
enum { kStoqMaxWorkers = 256 };

struct StoqSelection {
    struct StoqWorkerKey key; /* of the mask */
    __u32 id_length;          /* of the connection IDs, the octet included: 2 to 20 */
    __u32 first;              /* new connections go to this worker ... */
    __u32 count;              /* ... and those behind it, so many altogether */
};
