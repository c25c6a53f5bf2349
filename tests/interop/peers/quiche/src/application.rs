//! hq-interop on both sides of a connection.

use std::collections::HashMap;
use std::rc::Rc;

use interop_driver::{fail, Options, Url, UNKNOWN_FILE};
use quiche::{Connection, Error, Shutdown};

/// What reads and writes streams, whenever something may have changed.
pub trait Application {
    fn turn(&mut self, connection: &mut Connection);
    fn is_done(&self) -> bool {
        false
    }
}

/// All that a stream has to give now; true when it has ended.
pub fn read_stream(connection: &mut Connection, stream: u64, content: &mut Vec<u8>) -> Result<bool, Error> {
    let mut buffer = [0; 65536];
    loop {
        match connection.stream_recv(stream, &mut buffer) {
            Ok((length, finished)) => {
                content.extend_from_slice(&buffer[..length]);
                if finished {
                    return Ok(true);
                }
            }
            Err(Error::Done) => return Ok(false),
            Err(problem) => return Err(problem),
        }
    }
}

struct Answer {
    content: Vec<u8>,
    sent: usize,
}

pub struct HqServer {
    options: Rc<Options>,
    requests: HashMap<u64, Vec<u8>>,
    answers: HashMap<u64, Answer>,
}

impl HqServer {
    pub fn new(options: Rc<Options>) -> HqServer {
        HqServer { options, requests: HashMap::new(), answers: HashMap::new() }
    }

    fn answer(&mut self, connection: &mut Connection, stream: u64) {
        let request = self.requests.remove(&stream).unwrap_or_default();
        match self.options.answer(&request) {
            Some(content) => {
                self.answers.insert(stream, Answer { content, sent: 0 });
            }
            None => {
                let _ = connection.stream_shutdown(stream, Shutdown::Write, UNKNOWN_FILE.into());
            }
        }
    }
}

impl Application for HqServer {
    fn turn(&mut self, connection: &mut Connection) {
        for stream in connection.readable() {
            let request = self.requests.entry(stream).or_default();
            match read_stream(connection, stream, request) {
                Ok(true) => self.answer(connection, stream),
                Ok(false) => {}
                Err(_) => {
                    self.requests.remove(&stream);
                }
            }
        }
        self.answers.retain(|stream, answer| {
            // Given more than flow control allows, quiche complains to the peer every time.
            let capacity = connection.stream_capacity(*stream).unwrap_or(0);
            let end = answer.content.len().min(answer.sent + capacity);
            let is_last = end == answer.content.len();
            match connection.stream_send(*stream, &answer.content[answer.sent..end], is_last) {
                Ok(sent) => answer.sent += sent,
                Err(Error::Done) => {}
                Err(_) => return false,
            }
            answer.sent < answer.content.len()
        });
    }
}

pub struct HqClient {
    options: Rc<Options>,
    waiting: Vec<Url>,
    transfers: HashMap<u64, (Url, Vec<u8>)>,
    next_stream: u64,
    /// Of the request on that stream.
    unsent: Vec<u8>,
}

impl HqClient {
    pub fn new(options: Rc<Options>, urls: Vec<Url>) -> HqClient {
        HqClient { options, waiting: urls, transfers: HashMap::new(), next_stream: 0, unsent: Vec::new() }
    }

    fn request(&mut self, connection: &mut Connection) {
        loop {
            if self.unsent.is_empty() {
                if connection.peer_streams_left_bidi() == 0 {
                    return;
                }
                let Some(url) = self.waiting.pop() else { return };
                self.unsent = url.request().into_bytes();
                self.transfers.insert(self.next_stream, (url, Vec::new()));
            }
            // The window takes a part, or nothing: the stream may count as opened all the same.
            match connection.stream_send(self.next_stream, &self.unsent, true) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(Error::Done) => {}
                Err(problem) => fail(&problem.to_string()),
            }
            if !self.unsent.is_empty() {
                return;
            }
            self.next_stream += 4;
        }
    }
}

impl Application for HqClient {
    fn turn(&mut self, connection: &mut Connection) {
        if connection.is_established() || connection.is_in_early_data() {
            self.request(connection);
        }
        for stream in connection.readable() {
            let Some((url, content)) = self.transfers.get_mut(&stream) else { continue };
            match read_stream(connection, stream, content) {
                Ok(true) => self.options.save(url, content),
                Ok(false) => continue,
                Err(problem) => fail(&format!("{}: {problem}", url.path)),
            }
            self.transfers.remove(&stream);
        }
    }

    fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.transfers.is_empty()
    }
}
