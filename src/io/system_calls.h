// The system calls of the UDP datapath as a table, so that tests can make the kernel refuse.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <ctime>

#include "stoq/types.h"

namespace stoq::io {

// Every entry behaves as the call it is named after, errno included.
struct SystemCalls {
    ssize_t (*sendmsg)(int, const msghdr*, int);
    int (*sendmmsg)(int, mmsghdr*, unsigned, int);
    ssize_t (*recvmsg)(int, msghdr*, int);
    int (*recvmmsg)(int, mmsghdr*, unsigned, int, timespec*);
    int (*setsockopt)(int, int, int, const void*, socklen_t);
    int (*getsockopt)(int, int, int, void*, socklen_t*);
    int (*ppoll)(pollfd*, nfds_t, const timespec*, const sigset_t*);
    Instant (*now)();
};

const SystemCalls& real_system_calls();

}  // namespace stoq::io
