//! The server's side of one stream, for drivers that move the bytes themselves.

use std::time::Instant;

use crate::pattern::{self, Checker};
use crate::{parse_header, Kind, ENDLESS, HEADER};

/// Takes a request in pieces and knows what the answer is.
pub struct Served {
    head: [u8; HEADER],
    head_length: usize,
    kind: Kind,
    checker: Checker,
    first: Option<Instant>,
    answer: Answer,
}

enum Answer {
    NotYet,
    Pattern { sent: u64, size: u64 },
    Count { bytes: [u8; 16], sent: usize },
}

impl Served {
    pub fn new() -> Served {
        Served {
            head: [0; HEADER],
            head_length: 0,
            kind: Kind::Answer,
            checker: Checker::new(),
            first: None,
            answer: Answer::NotYet,
        }
    }

    pub fn on_bytes(&mut self, mut bytes: &[u8]) {
        if self.head_length < HEADER {
            let length = bytes.len().min(HEADER - self.head_length);
            self.head[self.head_length..self.head_length + length].copy_from_slice(&bytes[..length]);
            self.head_length += length;
            bytes = &bytes[length..];
            if self.head_length == HEADER {
                self.on_header();
            }
        }
        if !bytes.is_empty() {
            self.first.get_or_insert_with(Instant::now);
            self.checker.check(bytes);
        }
    }

    fn on_header(&mut self) {
        match parse_header(self.head) {
            Some((Kind::Pour, size)) => {
                self.kind = Kind::Pour;
                self.answer = Answer::Pattern { sent: 0, size };
            }
            Some((kind, _)) => self.kind = kind,
            None => self.checker.ok = false,
        }
    }

    /// The request is whole. One that is not what it should be is answered with nothing.
    pub fn on_end(&mut self) {
        let size = u64::from_be_bytes(self.head) & ENDLESS;
        match self.kind {
            Kind::Answer => {
                let size = if self.checker.ok { size } else { 0 };
                self.answer = Answer::Pattern { sent: 0, size };
            }
            Kind::Count => {
                let bytes = if self.checker.ok { self.checker.offset } else { u64::MAX };
                let span = self.first.map_or(0, |first| first.elapsed().as_nanos() as u64);
                let mut answer = [0; 16];
                answer[..8].copy_from_slice(&bytes.to_be_bytes());
                answer[8..].copy_from_slice(&span.to_be_bytes());
                self.answer = Answer::Count { bytes: answer, sent: 0 };
            }
            Kind::Pour => {}
        }
    }

    /// A bulk transfer, beside which nothing should have to wait.
    pub fn is_bulk(&self) -> bool {
        self.kind == Kind::Pour
    }

    /// What is to be sent next; empty when there is nothing (yet).
    pub fn next(&self) -> &[u8] {
        match &self.answer {
            Answer::NotYet => &[],
            Answer::Pattern { .. } => self.next_static().unwrap_or_default(),
            Answer::Count { bytes, sent } => &bytes[*sent..],
        }
    }

    /// The same when it is a piece of the pattern, which need not be copied.
    pub fn next_static(&self) -> Option<&'static [u8]> {
        match &self.answer {
            Answer::Pattern { sent, size } => {
                Some(pattern::from(*sent, (size - sent).min(pattern::BLOCK as u64) as usize))
            }
            _ => None,
        }
    }

    pub fn on_sent(&mut self, length: usize) {
        match &mut self.answer {
            Answer::NotYet => {}
            Answer::Pattern { sent, .. } => *sent += length as u64,
            Answer::Count { sent, .. } => *sent += length,
        }
    }

    /// Everything was handed over: the stream can end.
    pub fn is_done(&self) -> bool {
        !matches!(self.answer, Answer::NotYet) && self.next().is_empty()
    }

    pub fn has_answer(&self) -> bool {
        !matches!(self.answer, Answer::NotYet)
    }
}

impl Default for Served {
    fn default() -> Served {
        Served::new()
    }
}

/// The client's view of a Count answer: verified bytes and seconds, or None if it was refused.
pub fn parse_count(answer: &[u8]) -> Option<(u64, f64)> {
    let bytes = u64::from_be_bytes(answer.get(..8)?.try_into().ok()?);
    let span = u64::from_be_bytes(answer.get(8..16)?.try_into().ok()?);
    (bytes != u64::MAX).then_some((bytes, span as f64 / 1e9))
}
