//! A hq-interop client and server on quinn, for `tests/interop/run`.

mod client;
mod http3;
mod server;
mod tls;

use std::sync::Arc;

use interop_driver::{Lack, Options, PATIENCE};
use quinn::{TransportConfig, VarInt};

const NO_VERSION_2: &str = "quinn has no QUIC version 2";
const LACKS: [Lack; 5] = [
    Lack { testcase: "v2", role: "client", reason: NO_VERSION_2 },
    Lack { testcase: "v2", role: "server", reason: NO_VERSION_2 },
    Lack { testcase: "keyupdate", role: "server", reason: "the client updates the keys" },
    Lack { testcase: "connectionmigration", role: "client", reason: "the server has the preferred address" },
    Lack {
        testcase: "connectionmigration",
        role: "server",
        reason: "an endpoint of quinn has one socket, and so nowhere else to prefer",
    },
];

fn transport(options: &Options) -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    if options.is("zerortt") {
        // What is not 0-RTT is counted, and probes are large.
        transport.mtu_discovery_config(None);
    }
    transport.max_idle_timeout(Some(VarInt::from_u32(PATIENCE.as_millis() as u32).into()));
    Arc::new(transport)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = interop_driver::options(&LACKS);
    if options.is_server {
        server::run(options).await;
    } else {
        client::run(options).await;
    }
}
