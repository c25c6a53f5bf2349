//! What the drivers in Rust have in common: the runner's contract (tests/interop/README.md).

use std::env;
use std::fmt::Display;
use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::exit;
use std::time::Duration;

pub const LONGEST_REQUEST: usize = 4096;
pub const UNKNOWN_FILE: u32 = 1;
/// The runner's links lose a third of all datagrams: patience belongs to the runner.
pub const PATIENCE: Duration = Duration::from_secs(120);
pub const TICKET_PATIENCE: Duration = Duration::from_secs(20);
/// What a client has received when it updates its keys: well within the first megabyte.
pub const UPDATE_KEYS_AFTER: usize = 100_000;

const UNSUPPORTED: i32 = 127;
const CASES: [&str; 12] = [
    "handshake",
    "transfer",
    "chacha20",
    "retry",
    "resumption",
    "zerortt",
    "http3",
    "keyupdate",
    "ecn",
    "multiconnect",
    "v2",
    "connectionmigration",
];

/// A TESTCASE that the library has nothing for, in a role, and why.
pub struct Lack {
    pub testcase: &'static str,
    pub role: &'static str,
    pub reason: &'static str,
}

#[derive(Clone, Debug)]
pub struct Url {
    pub host: String,
    pub port: u16,
    pub path: String,
}

impl Url {
    fn parse(text: &str) -> Option<Url> {
        let (authority, path) = text.strip_prefix("https://")?.split_once('/')?;
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "443"));
        Some(Url { host: host.to_string(), port: port.parse().ok()?, path: format!("/{path}") })
    }

    pub fn request(&self) -> String {
        format!("GET {}\r\n", self.path)
    }

    pub fn text(&self) -> String {
        format!("https://{}:{}{}", self.host, self.port, self.path)
    }

    /// The first address of the host.
    pub fn resolve(&self) -> SocketAddr {
        let found = (self.host.as_str(), self.port).to_socket_addrs().ok().and_then(|mut all| all.next());
        found.unwrap_or_else(|| fail(&format!("no address of {}", self.host)))
    }
}

#[derive(Clone, Debug)]
pub struct Options {
    pub is_server: bool,
    pub testcase: String,
    pub listen: SocketAddr,
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub ca: PathBuf,
    pub root: PathBuf,
    pub downloads: PathBuf,
    pub urls: Vec<Url>,
}

impl Options {
    pub fn is(&self, testcase: &str) -> bool {
        self.testcase == testcase
    }

    /// What each connection fetches, one after the other.
    pub fn rounds(&self) -> Vec<Vec<Url>> {
        match self.testcase.as_str() {
            "multiconnect" => self.urls.iter().map(|url| vec![url.clone()]).collect(),
            "resumption" | "zerortt" => vec![self.urls[..1].to_vec(), self.urls[1..].to_vec()],
            _ => vec![self.urls.clone()],
        }
    }

    pub fn save(&self, url: &Url, content: &[u8]) {
        let name = url.path.rsplit('/').next().unwrap_or_default();
        if let Err(problem) = fs::write(self.downloads.join(name), content) {
            fail(&format!("cannot write {name}: {problem}"));
        }
    }

    /// The file that a request names, if it lies directly in the directory.
    pub fn answer(&self, request: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(request).ok()?;
        self.file(text.trim_end_matches(['\r', '\n']).strip_prefix("GET ")?)
    }

    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        let name = path.strip_prefix('/')?;
        let is_flat = !name.is_empty() && !name.starts_with('.') && !name.contains('/');
        is_flat.then(|| fs::read(self.root.join(name)).ok()).flatten()
    }
}

pub fn fail(text: &str) -> ! {
    eprintln!("{text}");
    exit(1)
}

/// What went well, or the end.
pub fn good<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|problem| fail(&problem.to_string()))
}

fn unsupported(reason: &str) -> ! {
    eprintln!("unsupported: {reason}");
    exit(UNSUPPORTED)
}

fn environment(name: &str, otherwise: &str) -> String {
    env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| otherwise.to_string())
}

/// As the runner calls it; what its containers mount is at WWW, DOWNLOADS and CERTS. Exits for what is
/// not supported.
pub fn options(lacks: &[Lack]) -> Options {
    let (role, testcase) = (environment("ROLE", ""), environment("TESTCASE", ""));
    if !CASES.contains(&testcase.as_str()) || !["client", "server"].contains(&role.as_str()) {
        unsupported(&format!("no case '{testcase}' as {role}"));
    }
    if let Some(lack) = lacks.iter().find(|lack| lack.testcase == testcase && lack.role == role) {
        unsupported(lack.reason);
    }
    let certificates = PathBuf::from(environment("CERTS", "/certs"));
    let listen = environment("LISTEN", "[::]:443");
    let urls = environment("REQUESTS", "");
    let urls = urls.split_whitespace().map(|text| {
        Url::parse(text).unwrap_or_else(|| fail(&format!("not a URL: {text}")))
    });
    let options = Options {
        is_server: role == "server",
        testcase,
        listen: listen.parse().unwrap_or_else(|_| fail(&format!("not an address: {listen}"))),
        certificate: certificates.join("cert.pem"),
        key: certificates.join("priv.key"),
        ca: certificates.join("ca.pem"),
        root: PathBuf::from(environment("WWW", "/www")),
        downloads: PathBuf::from(environment("DOWNLOADS", "/downloads")),
        urls: urls.collect(),
    };
    if !options.is_server && options.urls.is_empty() {
        fail("REQUESTS is empty");
    }
    options
}
