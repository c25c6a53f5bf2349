#include "io/system_calls.h"

#include "io/clock.h"

namespace stoq::io {

namespace {

// glibc declares recvmmsg and sendmmsg with enum-typed or attribute-laden signatures on some
// versions; wrappers keep the table's types plain.
int call_sendmmsg(int descriptor, mmsghdr* messages, unsigned count, int flags) {
    return ::sendmmsg(descriptor, messages, count, flags);
}

int call_recvmmsg(int descriptor, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
    return ::recvmmsg(descriptor, messages, count, flags, timeout);
}

}  // namespace

const SystemCalls& real_system_calls() {
    static constexpr SystemCalls kReal{
        .sendmsg = ::sendmsg,
        .sendmmsg = call_sendmmsg,
        .recvmsg = ::recvmsg,
        .recvmmsg = call_recvmmsg,
        .setsockopt = ::setsockopt,
        .getsockopt = ::getsockopt,
        .ppoll = ::ppoll,
        .now = now,
    };
    return kReal;
}

}  // namespace stoq::io
