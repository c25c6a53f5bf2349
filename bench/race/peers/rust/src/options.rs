use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Down,
    Up,
    Both,
    Requests,
    Datagrams,
    Handshakes,
    Idle,
    Active,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub is_server: bool,
    pub listen: SocketAddr,
    pub connect: SocketAddr,
    pub cert: String,
    pub key: String,
    pub ca: String,
    pub mode: Mode,
    pub span: Duration,
    pub streams: usize,
    pub request: usize,
    pub response: u64,
    pub in_flight: usize,
    pub connections: usize,
    /// Bytes given to the library in one write of a bulk transfer.
    pub write: usize,
    /// Bits per second that an upload is paced to; 0: as fast as it goes.
    pub rate: u64,
    /// A bulk transfer beside the requests.
    pub bulk: bool,
    /// Handshakes after the first resume its session.
    pub resumed: bool,
    /// Bytes of UDP payload.
    pub datagram: u16,
    /// Flow control window in bytes, of a stream and of the connection.
    pub window: u64,
}

fn fail(text: String) -> ! {
    eprintln!("driver: {text}");
    std::process::exit(2);
}

fn mode_of(name: &str) -> Mode {
    match name {
        "down" => Mode::Down,
        "up" => Mode::Up,
        "both" => Mode::Both,
        "requests" => Mode::Requests,
        "datagrams" => Mode::Datagrams,
        "handshakes" => Mode::Handshakes,
        "idle" => Mode::Idle,
        "active" => Mode::Active,
        _ => fail(format!("no such mode: {name}")),
    }
}

struct Flags(HashMap<String, String>);

impl Flags {
    fn text(&mut self, name: &str, default: &str) -> String {
        self.0.remove(name).unwrap_or_else(|| default.to_string())
    }

    fn number<T: std::str::FromStr>(&mut self, name: &str, default: &str) -> T {
        let text = self.text(name, default);
        text.parse().unwrap_or_else(|_| fail(format!("--{name}: not {text}")))
    }
}

impl Options {
    pub fn from_arguments() -> Options {
        let mut arguments = std::env::args().skip(1);
        let role = arguments.next().unwrap_or_default();
        if role != "server" && role != "client" {
            fail("usage: server|client --flag value ...".into());
        }
        let mut flags = Flags(HashMap::new());
        while let Some(name) = arguments.next() {
            let value = arguments.next().unwrap_or_else(|| fail(format!("{name}: no value")));
            flags.0.insert(name.trim_start_matches("--").to_string(), value);
        }
        let options = Options {
            is_server: role == "server",
            listen: flags.number("listen", "127.0.0.1:0"),
            connect: flags.number("connect", "127.0.0.1:0"),
            cert: flags.text("cert", ""),
            key: flags.text("key", ""),
            ca: flags.text("ca", ""),
            mode: mode_of(&flags.text("mode", "down")),
            span: Duration::from_secs_f64(flags.number("seconds", "2")),
            streams: flags.number("streams", "1"),
            request: flags.number("request", "64"),
            response: flags.number("response", "64"),
            in_flight: flags.number("in-flight", "1"),
            connections: flags.number("connections", "1"),
            write: flags.number("write", "262084"),
            rate: flags.number("rate", "0"),
            bulk: flags.number::<u8>("bulk", "0") != 0,
            resumed: flags.number::<u8>("resumed", "0") != 0,
            datagram: flags.number("datagram", "1452"),
            window: flags.number("window", "1048576"),
        };
        if let Some(name) = flags.0.keys().next() {
            fail(format!("no such flag: --{name}"));
        }
        options
    }

    /// How long of the span is not counted: congestion control and caches settle.
    pub fn warm_up(&self) -> Duration {
        self.span / 10
    }
}
