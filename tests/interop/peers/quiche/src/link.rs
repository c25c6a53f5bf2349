//! The socket, and a connection's way to it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use interop_driver::good;
use quiche::{Connection, ConnectionId, RecvInfo};

/// No datagram on these paths is larger.
pub const LARGEST: usize = 1500;
const ID_LENGTH: usize = 16;

pub struct Link {
    socket: UdpSocket,
    pub local: SocketAddr,
}

impl Link {
    pub fn bind(address: SocketAddr) -> Link {
        let socket = good(UdpSocket::bind(address));
        let local = good(socket.local_addr());
        Link { socket, local }
    }

    /// Waits for a datagram, not longer than that.
    pub fn receive(&self, buffer: &mut [u8], wait: Option<Duration>) -> Option<(usize, SocketAddr)> {
        // Zero would mean for ever.
        let wait = wait.map(|it| it.max(Duration::from_micros(1)));
        good(self.socket.set_read_timeout(wait));
        match self.socket.recv_from(buffer) {
            Ok(received) => Some(received),
            Err(problem) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&problem.kind()) => None,
            // What an ICMP message said about an earlier datagram.
            Err(problem) if problem.kind() == ErrorKind::ConnectionRefused => None,
            Err(problem) => interop_driver::fail(&problem.to_string()),
        }
    }

    pub fn send(&self, datagram: &[u8], to: SocketAddr) {
        // What cannot be sent is lost, like anything else.
        let _ = self.socket.send_to(datagram, to);
    }

    pub fn flush(&self, connection: &mut Connection) {
        let mut out = [0; LARGEST];
        while let Ok((length, info)) = connection.send(&mut out) {
            self.send(&out[..length], info.to);
        }
    }

    /// What is wrong with a datagram shows in the connection's state, too.
    pub fn deliver(&self, connection: &mut Connection, datagram: &mut [u8], from: SocketAddr) -> bool {
        connection.recv(datagram, RecvInfo { from, to: self.local }).is_ok()
    }
}

pub fn random_id() -> ConnectionId<'static> {
    let mut bytes = vec![0; ID_LENGTH];
    good(good(std::fs::File::open("/dev/urandom")).read_exact(&mut bytes));
    ConnectionId::from_vec(bytes)
}

pub fn log_keys(connection: &mut Connection) {
    if let Ok(path) = std::env::var("SSLKEYLOGFILE") {
        connection.set_keylog(Box::new(good(OpenOptions::new().create(true).append(true).open(path))));
    }
}
