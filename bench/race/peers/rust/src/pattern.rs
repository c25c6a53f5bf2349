//! The bytes that every payload consists of, and their comparison.

use std::sync::OnceLock;

use crate::HEADER;

/// Prime, so that bytes of the wrong place do not match.
pub const PERIOD: usize = 65_521;
pub const BLOCK: usize = PERIOD * 4;

/// One period more than the largest block that is written at once.
pub fn pattern() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        let period: Vec<u8> = (0..PERIOD)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        period.iter().copied().cycle().take(BLOCK + PERIOD).collect()
    })
}

/// Up to `most` bytes of the pattern from `offset` on.
pub fn from(offset: u64, most: usize) -> &'static [u8] {
    let begin = (offset % PERIOD as u64) as usize;
    &pattern()[begin..begin + most.min(BLOCK)]
}

/// Compares a stream with the pattern, chunk by chunk.
#[derive(Clone, Copy)]
pub struct Checker {
    pub offset: u64,
    pub ok: bool,
}

impl Checker {
    pub fn new() -> Checker {
        Checker { offset: 0, ok: true }
    }

    pub fn check(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let expected = from(self.offset, bytes.len());
            let (head, tail) = bytes.split_at(expected.len());
            self.ok &= head == expected;
            self.offset += head.len() as u64;
            bytes = tail;
        }
    }
}

impl Default for Checker {
    fn default() -> Checker {
        Checker::new()
    }
}

/// A request: the header, then the pattern up to `size` bytes in all.
pub fn request(header: [u8; HEADER], size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size.max(HEADER));
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(from(0, size.saturating_sub(HEADER)));
    bytes
}
