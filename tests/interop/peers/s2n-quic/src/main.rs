//! A hq-interop client and server on s2n-quic, for `tests/interop/run`.

mod client;
mod server;

use std::path::Path;

use interop_driver::{fail, good, Lack, PATIENCE};
use s2n_quic::provider::limits::Limits;

const NO_CIPHERS: &str = "s2n-quic's interface chooses no cipher suites";
const NO_RESUMPTION: &str = "the public interface of s2n-quic resumes no sessions";
const NO_HTTP3: &str = "s2n-quic's HTTP/3 is not on crates.io";
const NO_VERSION_2: &str = "s2n-quic has no QUIC version 2";
const LACKS: [Lack; 13] = [
    Lack { testcase: "chacha20", role: "client", reason: NO_CIPHERS },
    Lack { testcase: "resumption", role: "client", reason: NO_RESUMPTION },
    Lack { testcase: "resumption", role: "server", reason: NO_RESUMPTION },
    Lack { testcase: "zerortt", role: "client", reason: "s2n-quic has no 0-RTT" },
    Lack { testcase: "zerortt", role: "server", reason: "s2n-quic has no 0-RTT" },
    Lack { testcase: "http3", role: "client", reason: NO_HTTP3 },
    Lack { testcase: "http3", role: "server", reason: NO_HTTP3 },
    Lack { testcase: "keyupdate", role: "client", reason: "s2n-quic updates keys only near the limits of an AEAD" },
    Lack { testcase: "keyupdate", role: "server", reason: "the client updates the keys" },
    Lack { testcase: "v2", role: "client", reason: NO_VERSION_2 },
    Lack { testcase: "v2", role: "server", reason: NO_VERSION_2 },
    Lack { testcase: "connectionmigration", role: "client", reason: "the server has the preferred address" },
    Lack {
        testcase: "connectionmigration",
        role: "server",
        reason: "s2n-quic's servers cannot be given a preferred address",
    },
];

fn limits() -> Limits {
    let limits = good(Limits::new().with_max_idle_timeout(PATIENCE));
    good(limits.with_max_handshake_duration(PATIENCE))
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|it| fail(&format!("{}: {it}", file.display())))
}

fn main() {
    let options = interop_driver::options(&LACKS);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let tasks = tokio::task::LocalSet::new();
    if options.is_server {
        tasks.block_on(&runtime, server::run(options));
    } else {
        tasks.block_on(&runtime, client::run(options));
    }
}
