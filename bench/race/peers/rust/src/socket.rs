//! Socket buffers: as large as the machine lets anybody have.

use std::os::fd::AsRawFd;

pub fn set_buffers(socket: &impl AsRawFd, bytes: i32) {
    // The forced kinds need a privilege; the plain ones are cut to the machine's limit.
    for name in [libc::SO_RCVBUF, libc::SO_SNDBUF, libc::SO_RCVBUFFORCE, libc::SO_SNDBUFFORCE] {
        let size = std::mem::size_of::<i32>() as libc::socklen_t;
        // SAFETY: the value outlives the call and has the size that is given.
        unsafe {
            libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, (&raw const bytes).cast(), size);
        }
    }
}
