//! The race over any library whose connections and streams are asynchronous. One thread.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::{spawn_local, JoinHandle, JoinSet};
use tokio::time::{interval, sleep, timeout_at, MissedTickBehavior};

use crate::pattern::{self, Checker};
use crate::server::{parse_count, Served};
use crate::{header, Kind, Mode, Options, Report, ENDLESS, HEADER};

const BETWEEN_ROUNDS: Duration = Duration::from_millis(500);
const DATAGRAMS_ARE_LOST: Duration = Duration::from_millis(100);
/// How much of a stream is taken at once.
const NO_CHUNKS: [Bytes; 16] = [const { Bytes::new() }; 16];

pub trait SendHalf: 'static {
    /// False when the stream or its connection has ended.
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = bool>;
    fn finish(&mut self);
    /// All other streams go first. Nothing happens where the library has no means for it.
    fn set_background(&mut self) {}
}

pub trait ReceiveHalf: 'static {
    /// Takes what has come, in as many chunks as there is room for; none at the end. May be dropped.
    fn read(&mut self, chunks: &mut [Bytes]) -> impl Future<Output = usize>;
}

pub trait Connection: Clone + 'static {
    type Send: SendHalf;
    type Receive: ReceiveHalf;
    fn open(&self) -> impl Future<Output = (Self::Send, Self::Receive)>;
    fn close(&self);
    /// False if the library or its peer has no datagrams.
    fn send_datagram(&self, bytes: Bytes) -> bool;
    /// None when the connection has ended. May be dropped.
    fn receive_datagram(&self) -> impl Future<Output = Option<Bytes>>;
}

pub trait Dialer: 'static {
    type Connection: Connection;
    fn connect(&self) -> impl Future<Output = Self::Connection>;
    /// Whether the connection was resumed; None if the library does not tell.
    fn is_resumed(connection: &Self::Connection) -> Option<bool>;
}

/// Takes what has come; false at the end.
async fn read_some(receive: &mut impl ReceiveHalf, chunks: &mut [Bytes], mut take: impl FnMut(&[u8])) -> bool {
    let count = receive.read(chunks).await;
    for chunk in &mut chunks[..count] {
        take(&std::mem::take(chunk));
    }
    count > 0
}

async fn read_all(receive: &mut impl ReceiveHalf, mut take: impl FnMut(&[u8])) {
    let mut chunks = NO_CHUNKS;
    while read_some(receive, &mut chunks, &mut take).await {}
}

// --- Server ---

/// Answers one stream.
pub async fn serve(mut send: impl SendHalf, mut receive: impl ReceiveHalf) {
    let mut served = Served::new();
    let mut chunks = NO_CHUNKS;
    while !served.has_answer() {
        if !read_some(&mut receive, &mut chunks, |bytes| served.on_bytes(bytes)).await {
            served.on_end();
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

    /// Whether what began and ended then counts.
    fn covers(&self, begin: Instant, end: Instant) -> bool {
        begin >= self.begin && end < self.end
    }
}

/// Receives one endless stream until the deadline; returns the bytes that came after the warm-up.
async fn download<C: Connection>(connection: C, deadline: Deadline) -> (u64, bool) {
    let (mut send, mut receive) = connection.open().await;
    send.write(Bytes::copy_from_slice(&header(Kind::Pour, ENDLESS))).await;
    send.finish();
    let mut checker = Checker::new();
    // One timer for each part, not one for each read.
    let _ = timeout_at(deadline.begin.into(), read_all(&mut receive, |bytes| checker.check(bytes))).await;
    let before = checker.offset;
    let _ = timeout_at(deadline.end.into(), read_all(&mut receive, |bytes| checker.check(bytes))).await;
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
                sleep(Duration::from_millis(1)).await;
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
    read_all(&mut receive, |bytes| answer.extend_from_slice(bytes)).await;
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

/// One request on a stream of its own. When it had its stream, and whether the answer is what was asked for.
async fn ask<C: Connection>(connection: &C, request: &Bytes, response: u64) -> (Instant, bool) {
    let (mut send, mut receive) = connection.open().await;
    let begin = Instant::now();
    send.write(request.clone()).await;
    send.finish();
    let mut checker = Checker::new();
    read_all(&mut receive, |bytes| checker.check(bytes)).await;
    (begin, checker.ok && checker.offset == response)
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
                let mut now = Instant::now();
                while now < deadline.end {
                    let (begin, ok) = ask(&connection, &request, response).await;
                    now = Instant::now();
                    let mut report = report.borrow_mut();
                    report.verified &= ok;
                    if deadline.covers(begin, now) {
                        report.latencies.add(now - begin);
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

/// Keeps as many datagrams in flight as it was told to.
async fn datagrams<C: Connection>(connection: C, options: &Options) -> Report {
    let deadline = Deadline::of(options);
    let datagram = Bytes::from(pattern::request([0; HEADER], options.request));
    let mut report = Report::new();
    report.seconds = deadline.seconds();
    let mut last_echo = Instant::now();
    let mut silence = pin!(sleep(DATAGRAMS_ARE_LOST));
    let mut missing = options.in_flight;
    while last_echo < deadline.end {
        for _ in 0..missing {
            if !connection.send_datagram(datagram.clone()) {
                crate::report::unsupported("this library has no DATAGRAM frames");
            }
        }
        // The timer is set anew only when it has run out, not with each datagram.
        missing = tokio::select! {
            biased;
            echo = connection.receive_datagram() => {
                last_echo = Instant::now();
                report.verified &= echo.expect("a connection") == datagram;
                report.count += u64::from(last_echo >= deadline.begin);
                1
            }
            () = silence.as_mut() => {
                let is_lost = last_echo.elapsed() >= DATAGRAMS_ARE_LOST;
                if is_lost {
                    last_echo = Instant::now();
                }
                silence.as_mut().reset((last_echo + DATAGRAMS_ARE_LOST).into());
                if is_lost { options.in_flight } else { 0 }
            }
        };
    }
    report
}

async fn handshakes<D: Dialer>(dialer: Rc<D>, options: &Options) -> Report {
    if options.resumed {
        let first = dialer.connect().await;
        ask(&first, &request_of(options), options.response).await;
        // The ticket comes after the handshake.
        sleep(Duration::from_millis(100)).await;
        first.close();
    }
    let deadline = Deadline::of(options);
    let report = Rc::new(RefCell::new(Report::new()));
    let dialers: Vec<JoinHandle<()>> = (0..options.in_flight)
        .map(|_| {
            let (dialer, report) = (dialer.clone(), report.clone());
            let (request, options) = (request_of(options), options.clone());
            spawn_local(async move {
                let mut now = Instant::now();
                while now < deadline.end {
                    let begin = now;
                    let connection = dialer.connect().await;
                    let as_wanted = D::is_resumed(&connection).is_none_or(|it| it == options.resumed);
                    let ok = as_wanted && ask(&connection, &request, options.response).await.1;
                    now = Instant::now();
                    connection.close();
                    let mut report = report.borrow_mut();
                    report.verified &= ok;
                    if deadline.covers(begin, now) {
                        report.latencies.add(now - begin);
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

/// Asks on all connections at once, again and again; returns when an answer is wrong.
async fn keep_asking<C: Connection>(connections: &[C], options: &Options) {
    let request = request_of(options);
    let mut rounds = interval(BETWEEN_ROUNDS);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let mut asked = JoinSet::new();
        for connection in connections {
            let (connection, request, response) = (connection.clone(), request.clone(), options.response);
            asked.spawn_local(async move { ask(&connection, &request, response).await.1 });
        }
        while let Some(ok) = asked.join_next().await {
            if !ok.unwrap() {
                return;
            }
        }
    }
}

/// Opens the connections and keeps them until standard input ends.
async fn keep_open<D: Dialer>(dialer: Rc<D>, options: &Options) -> Report {
    let mut connections = Vec::new();
    let mut report = Report::new();
    for _ in 0..options.connections {
        let connection = dialer.connect().await;
        report.verified &= ask(&connection, &request_of(options), options.response).await.1;
        connections.push(connection);
    }
    report.count = connections.len() as u64;
    println!("open");
    let mut input = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    if options.mode == Mode::Active {
        tokio::select! {
            _ = &mut input => return report,
            () = keep_asking(&connections, options) => report.verified = false,
        }
    }
    let _ = input.await;
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
        Mode::Datagrams => datagrams(connection.clone(), &options).await,
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
