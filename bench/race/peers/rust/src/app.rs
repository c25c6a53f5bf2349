//! The race over any library whose connections and streams are asynchronous. One thread.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::{spawn_local, JoinHandle};

use crate::pattern::{self, Checker};
use crate::server::{parse_count, Served};
use crate::{header, Kind, Mode, Options, Report, ENDLESS};

pub trait SendHalf: 'static {
    /// False when the stream or its connection has ended.
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = bool>;
    fn finish(&mut self);
    /// All other streams go first. Nothing happens where the library has no means for it.
    fn set_background(&mut self) {}
}

pub trait ReceiveHalf: 'static {
    fn read(&mut self) -> impl Future<Output = Option<Bytes>>;
}

pub trait Connection: Clone + 'static {
    type Send: SendHalf;
    type Receive: ReceiveHalf;
    fn open(&self) -> impl Future<Output = (Self::Send, Self::Receive)>;
    fn close(&self);
    /// Sends as many echoed datagrams as fit into `span`; None if the library has none.
    fn echo_datagrams(&self, options: &Options) -> impl Future<Output = Option<Report>>;
}

pub trait Dialer: 'static {
    type Connection: Connection;
    fn connect(&self) -> impl Future<Output = Self::Connection>;
    /// Whether the connection was resumed; None if the library does not tell.
    fn is_resumed(connection: &Self::Connection) -> Option<bool>;
}

// --- Server ---

/// Answers one stream.
pub async fn serve(mut send: impl SendHalf, mut receive: impl ReceiveHalf) {
    let mut served = Served::new();
    while !served.has_answer() {
        match receive.read().await {
            Some(bytes) => served.on_bytes(&bytes),
            None => served.on_end(),
        }
    }
    if served.is_bulk() {
        send.set_background();
    }
    while !served.is_done() {
        let next = served.next();
        let length = next.len();
        // The pattern is static; only the few bytes of a count are copied.
        let bytes = served.next_static().map_or_else(|| Bytes::copy_from_slice(next), Bytes::from_static);
        if !send.write(bytes).await {
            return;
        }
        served.on_sent(length);
    }
    send.finish();
}

// --- Client ---

#[derive(Clone, Copy)]
struct Deadline {
    begin: Instant,
    end: Instant,
}

impl Deadline {
    fn of(options: &Options) -> Deadline {
        let begin = Instant::now() + options.warm_up();
        Deadline { begin, end: Instant::now() + options.span }
    }

    fn seconds(&self) -> f64 {
        (self.end - self.begin).as_secs_f64()
    }
}

/// Receives one endless stream until the deadline; returns the bytes that came after the warm-up.
async fn download<C: Connection>(connection: C, deadline: Deadline) -> (u64, bool) {
    let (mut send, mut receive) = connection.open().await;
    send.write(Bytes::copy_from_slice(&header(Kind::Pour, ENDLESS))).await;
    send.finish();
    let mut checker = Checker::new();
    let mut before = 0;
    loop {
        let read = tokio::time::timeout_at(deadline.end.into(), receive.read()).await;
        let Ok(Some(bytes)) = read else { break };
        if Instant::now() < deadline.begin {
            before = checker.offset + bytes.len() as u64;
        }
        checker.check(&bytes);
    }
    (checker.offset - before, checker.ok)
}

/// Sends until the deadline; returns what the server has compared, and its seconds.
async fn upload<C: Connection>(connection: C, deadline: Deadline, options: Options) -> (u64, f64, bool) {
    let (mut send, mut receive) = connection.open().await;
    send.write(Bytes::copy_from_slice(&header(Kind::Count, 0))).await;
    let started = Instant::now();
    let mut sent: u64 = 0;
    while Instant::now() < deadline.end {
        if options.rate > 0 {
            let due = started.elapsed().as_secs_f64() * options.rate as f64 / 8.0;
            if sent as f64 > due {
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
        }
        let bytes = pattern::from(sent, options.write);
        if !send.write(Bytes::from_static(bytes)).await {
            return (0, 1.0, false);
        }
        sent += bytes.len() as u64;
    }
    send.finish();
    let mut answer = Vec::new();
    while let Some(bytes) = receive.read().await {
        answer.extend_from_slice(&bytes);
    }
    match parse_count(&answer) {
        Some((bytes, seconds)) => (bytes, seconds, bytes == sent),
        None => (0, 1.0, false),
    }
}

async fn bulk<C: Connection>(connection: C, options: &Options) -> Report {
    let deadline = Deadline::of(options);
    let mut report = Report::new();
    let mut downs = Vec::new();
    let mut ups = Vec::new();
    for _ in 0..options.streams {
        if options.mode != Mode::Up {
            downs.push(spawn_local(download(connection.clone(), deadline)));
        }
        if options.mode != Mode::Down {
            ups.push(spawn_local(upload(connection.clone(), deadline, options.clone())));
        }
    }
    for down in downs {
        let (bytes, ok) = down.await.unwrap();
        report.bytes_down += bytes;
        report.verified &= ok;
        report.seconds = deadline.seconds();
    }
    for up in ups {
        let (bytes, seconds, ok) = up.await.unwrap();
        report.bytes_up += bytes;
        report.verified &= ok;
        report.seconds = report.seconds.max(seconds);
    }
    report.verified &= report.bytes_down + report.bytes_up > 0;
    report
}

/// One request on a stream of its own. True when the answer is what was asked for.
async fn ask<C: Connection>(connection: &C, request: &Bytes, response: u64) -> bool {
    let (mut send, mut receive) = connection.open().await;
    send.write(request.clone()).await;
    send.finish();
    let mut checker = Checker::new();
    while let Some(bytes) = receive.read().await {
        checker.check(&bytes);
    }
    checker.ok && checker.offset == response
}

fn request_of(options: &Options) -> Bytes {
    pattern::request(header(Kind::Answer, options.response), options.request).into()
}

async fn requests<C: Connection>(connection: C, options: &Options) -> Report {
    let deadline = Deadline::of(options);
    let report = Rc::new(RefCell::new(Report::new()));
    let beside = options.bulk.then(|| spawn_local(download(connection.clone(), deadline)));
    let askers: Vec<JoinHandle<()>> = (0..options.in_flight)
        .map(|_| {
            let (connection, report) = (connection.clone(), report.clone());
            let (request, response) = (request_of(options), options.response);
            spawn_local(async move {
                loop {
                    let begin = Instant::now();
                    if begin >= deadline.end {
                        return;
                    }
                    let ok = ask(&connection, &request, response).await;
                    let mut report = report.borrow_mut();
                    report.verified &= ok;
                    if begin >= deadline.begin {
                        report.latencies.add(begin.elapsed());
                    }
                    if !ok {
                        return;
                    }
                }
            })
        })
        .collect();
    for asker in askers {
        asker.await.unwrap();
    }
    let mut report = report.take();
    if let Some(beside) = beside {
        let (bytes, ok) = beside.await.unwrap();
        report.bytes_down = bytes;
        report.verified &= ok;
    }
    report.count = report.latencies.count();
    report.seconds = deadline.seconds();
    report
}

async fn handshakes<D: Dialer>(dialer: Rc<D>, options: &Options) -> Report {
    if options.resumed {
        let first = dialer.connect().await;
        ask(&first, &request_of(options), options.response).await;
        // The ticket comes after the handshake.
        tokio::time::sleep(Duration::from_millis(100)).await;
        first.close();
    }
    let deadline = Deadline::of(options);
    let report = Rc::new(RefCell::new(Report::new()));
    let dialers: Vec<JoinHandle<()>> = (0..options.in_flight)
        .map(|_| {
            let (dialer, report) = (dialer.clone(), report.clone());
            let (request, options) = (request_of(options), options.clone());
            spawn_local(async move {
                while Instant::now() < deadline.end {
                    let begin = Instant::now();
                    let connection = dialer.connect().await;
                    let as_wanted = D::is_resumed(&connection).is_none_or(|it| it == options.resumed);
                    let ok = as_wanted && ask(&connection, &request, options.response).await;
                    connection.close();
                    let mut report = report.borrow_mut();
                    report.verified &= ok;
                    if begin >= deadline.begin {
                        report.latencies.add(begin.elapsed());
                    }
                }
            })
        })
        .collect();
    for dialer in dialers {
        dialer.await.unwrap();
    }
    let mut report = report.take();
    report.count = report.latencies.count();
    report.seconds = deadline.seconds();
    report
}

/// Opens the connections and keeps them until standard input ends.
async fn keep_open<D: Dialer>(dialer: Rc<D>, options: &Options) -> Report {
    let mut connections = Vec::new();
    let mut report = Report::new();
    for _ in 0..options.connections {
        let connection = dialer.connect().await;
        report.verified &= ask(&connection, &request_of(options), options.response).await;
        connections.push(connection);
    }
    report.count = connections.len() as u64;
    println!("open");
    let (request, response, active) = (request_of(options), options.response, options.mode == Mode::Active);
    let asking = spawn_local(async move {
        while active {
            for connection in &connections {
                ask(connection, &request, response).await;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        std::future::pending::<()>().await;
        drop(connections);
    });
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
    asking.abort();
    report
}

pub async fn run_client<D: Dialer>(dialer: D, options: Options) -> Report {
    let dialer = Rc::new(dialer);
    match options.mode {
        Mode::Handshakes => return handshakes(dialer, &options).await,
        Mode::Idle | Mode::Active => return keep_open(dialer, &options).await,
        _ => {}
    }
    let connection = dialer.connect().await;
    let report = match options.mode {
        Mode::Requests => requests(connection.clone(), &options).await,
        Mode::Datagrams => match connection.echo_datagrams(&options).await {
            Some(report) => report,
            None => crate::report::unsupported("this library has no DATAGRAM frames"),
        },
        _ => bulk(connection.clone(), &options).await,
    };
    connection.close();
    report
}

/// Everything on one thread, as every other driver.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, future)
}

// --- Datagrams ---

/// The datagrams of an echo: sequence numbers out and back.
pub struct Echo {
    pub size: usize,
    next: u64,
    begin: Instant,
    end: Instant,
    pub report: Report,
}

impl Echo {
    pub fn new(options: &Options) -> Echo {
        let Deadline { begin, end } = Deadline::of(options);
        let mut report = Report::new();
        report.seconds = (end - begin).as_secs_f64();
        Echo { size: options.request.max(8), next: 0, begin, end, report }
    }

    pub fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    pub fn make(&mut self) -> Bytes {
        let bytes = pattern::request(self.next.to_be_bytes(), self.size);
        self.next += 1;
        bytes.into()
    }

    pub fn on_echo(&mut self, bytes: &[u8]) {
        let Some((head, tail)) = bytes.split_first_chunk::<8>() else {
            self.report.verified = false;
            return;
        };
        self.report.verified &=
            bytes.len() == self.size && u64::from_be_bytes(*head) < self.next && tail == pattern::from(0, tail.len());
        if Instant::now() >= self.begin {
            self.report.count += 1;
        }
    }
}
