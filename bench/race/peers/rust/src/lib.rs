//! What the race's drivers in Rust have in common: the contract of bench/race/README.md.

pub mod options;
pub mod pattern;
pub mod report;
pub mod server;
pub mod socket;
#[cfg(feature = "tokio")]
pub mod app;

pub use options::{Mode, Options};
pub use pattern::Checker;
pub use report::{Latencies, Report};

pub const ALPN: &[u8] = b"race";
pub const SERVER_NAME: &str = "localhost";
pub const HEADER: usize = 8;
/// What a stream that pours asks for: more than any race lasts.
pub const ENDLESS: u64 = (1 << 56) - 1;

/// What the first byte of a stream asks the server to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Answer = 0,
    Pour = 1,
    Count = 2,
}

pub fn header(kind: Kind, bytes: u64) -> [u8; HEADER] {
    ((kind as u64) << 56 | bytes).to_be_bytes()
}

pub fn parse_header(bytes: [u8; HEADER]) -> Option<(Kind, u64)> {
    let value = u64::from_be_bytes(bytes);
    let kind = match value >> 56 {
        0 => Kind::Answer,
        1 => Kind::Pour,
        2 => Kind::Count,
        _ => return None,
    };
    Some((kind, value & ENDLESS))
}
