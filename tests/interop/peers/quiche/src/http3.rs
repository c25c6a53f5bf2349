//! HTTP/3 by quiche's own implementation.

use std::collections::HashMap;
use std::rc::Rc;

use interop_driver::{fail, good, Options, Url};
use quiche::h3::{self, Event, Header, NameValue};
use quiche::Connection;

use crate::application::Application;

/// H3_NO_ERROR (RFC 9114 section 8.1).
pub const NO_ERROR: u64 = 0x100;

fn start(connection: &mut Connection) -> h3::Connection {
    good(h3::Connection::with_transport(connection, &good(h3::Config::new())))
}

struct Answer {
    /// Until the response has begun.
    status: Option<&'static [u8]>,
    content: Vec<u8>,
    sent: usize,
}

impl Answer {
    /// Sends what the window takes; `Done` and `StreamBlocked` mean that there is more.
    fn send(
        &mut self,
        http: &mut h3::Connection,
        connection: &mut Connection,
        stream: u64,
    ) -> Result<(), h3::Error> {
        if let Some(status) = self.status {
            let headers = [Header::new(b":status", status)];
            http.send_response(connection, stream, &headers, self.content.is_empty())?;
            self.status = None;
        }
        while self.sent < self.content.len() {
            self.sent += http.send_body(connection, stream, &self.content[self.sent..], true)?;
        }
        Ok(())
    }
}

pub struct Server {
    options: Rc<Options>,
    http: Option<h3::Connection>,
    answers: HashMap<u64, Answer>,
}

impl Server {
    pub fn new(options: Rc<Options>) -> Server {
        Server { options, http: None, answers: HashMap::new() }
    }

    fn path_of(headers: &[Header]) -> String {
        let path = headers.iter().find(|header| header.name() == b":path");
        path.map(|it| String::from_utf8_lossy(it.value()).into_owned()).unwrap_or_default()
    }
}

impl Application for Server {
    fn turn(&mut self, connection: &mut Connection) {
        let http = self.http.get_or_insert_with(|| start(connection));
        while let Ok((stream, event)) = http.poll(connection) {
            let Event::Headers { list, .. } = event else { continue };
            let content = self.options.file(&Server::path_of(&list));
            let status: &[u8] = if content.is_some() { b"200" } else { b"404" };
            let content = content.unwrap_or_default();
            self.answers.insert(stream, Answer { status: Some(status), content, sent: 0 });
        }
        self.answers.retain(|stream, answer| {
            let sent = answer.send(http, connection, *stream);
            matches!(sent, Err(h3::Error::Done | h3::Error::StreamBlocked))
        });
    }
}

pub struct Client {
    options: Rc<Options>,
    http: Option<h3::Connection>,
    waiting: Vec<Url>,
    transfers: HashMap<u64, (Url, Vec<u8>)>,
}

impl Client {
    pub fn new(options: Rc<Options>, urls: Vec<Url>) -> Client {
        Client { options, http: None, waiting: urls, transfers: HashMap::new() }
    }

    fn request(&mut self, connection: &mut Connection) {
        let http = self.http.get_or_insert_with(|| start(connection));
        while let Some(url) = self.waiting.last() {
            let headers = [
                Header::new(b":method", b"GET"),
                Header::new(b":scheme", b"https"),
                Header::new(b":authority", format!("{}:{}", url.host, url.port).as_bytes()),
                Header::new(b":path", url.path.as_bytes()),
            ];
            let Ok(stream) = http.send_request(connection, &headers, true) else { return };
            let url = self.waiting.pop().expect("the last one");
            self.transfers.insert(stream, (url, Vec::new()));
        }
    }

    fn on_event(&mut self, connection: &mut Connection, stream: u64, event: Event) {
        let Some((url, content)) = self.transfers.get_mut(&stream) else { return };
        match event {
            Event::Headers { list, .. } => {
                let status = list.iter().find(|header| header.name() == b":status");
                if status.is_none_or(|it| it.value() != b"200") {
                    fail(&format!("the server has no {}", url.path));
                }
            }
            Event::Data => {
                let mut buffer = [0; 65536];
                let http = self.http.as_mut().expect("HTTP/3 has begun");
                while let Ok(length) = http.recv_body(connection, stream, &mut buffer) {
                    content.extend_from_slice(&buffer[..length]);
                }
            }
            Event::Finished => {
                self.options.save(url, content);
                self.transfers.remove(&stream);
            }
            Event::Reset(code) => fail(&format!("{}: reset, code {code}", url.path)),
            Event::PriorityUpdate | Event::GoAway => {}
        }
    }
}

impl Application for Client {
    fn turn(&mut self, connection: &mut Connection) {
        if !connection.is_established() {
            return;
        }
        self.request(connection);
        while let Some(Ok((stream, event))) = self.http.as_mut().map(|http| http.poll(connection)) {
            self.on_event(connection, stream, event);
        }
    }

    fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.transfers.is_empty()
    }
}
