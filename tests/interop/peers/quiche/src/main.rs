//! A hq-interop client and server on quiche, for `tests/interop/run`. One socket, one thread.

mod application;
mod client;
mod http3;
mod link;
mod server;

use interop_driver::{good, Lack, Options, PATIENCE};

const NO_ECN: &str = "quiche neither marks packets with ECN nor reads marks";
const NO_VERSION_2: &str = "quiche has no QUIC version 2";
const LACKS: [Lack; 8] = [
    Lack { testcase: "chacha20", role: "client", reason: "quiche's interface chooses no cipher suites" },
    Lack { testcase: "ecn", role: "client", reason: NO_ECN },
    Lack { testcase: "ecn", role: "server", reason: NO_ECN },
    Lack { testcase: "v2", role: "client", reason: NO_VERSION_2 },
    Lack { testcase: "v2", role: "server", reason: NO_VERSION_2 },
    Lack { testcase: "keyupdate", role: "client", reason: "quiche begins no key updates" },
    Lack { testcase: "keyupdate", role: "server", reason: "the client updates the keys" },
    Lack {
        testcase: "connectionmigration",
        role: "server",
        reason: "quiche's servers cannot be given a preferred address",
    },
];

const WINDOW: u64 = 4 << 20;
const STREAMS: u64 = 100;

pub fn config(options: &Options) -> quiche::Config {
    let mut config = good(quiche::Config::new(quiche::PROTOCOL_VERSION));
    let protocol: &[u8] = if options.is("http3") { b"h3" } else { b"hq-interop" };
    good(config.set_application_protos(&[protocol]));
    config.set_max_idle_timeout(PATIENCE.as_millis() as u64);
    config.set_max_recv_udp_payload_size(link::LARGEST);
    config.set_initial_max_data(WINDOW);
    config.set_initial_max_stream_data_bidi_local(WINDOW);
    config.set_initial_max_stream_data_bidi_remote(WINDOW);
    config.set_initial_max_stream_data_uni(WINDOW);
    config.set_initial_max_streams_bidi(STREAMS);
    config.set_initial_max_streams_uni(STREAMS);
    config.set_active_connection_id_limit(4);
    config.enable_early_data();
    config.log_keys();
    config
}

fn main() {
    let options = interop_driver::options(&LACKS);
    if options.is_server {
        server::run(options);
    } else {
        client::run(options);
    }
}
