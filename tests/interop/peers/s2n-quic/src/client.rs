//! Fetches files over one connection, or over several, one after the other.

use std::net::SocketAddr;
use std::rc::Rc;

use interop_driver::{fail, good, Options, Url, PATIENCE};
use s2n_quic::client::Connect;
use s2n_quic::connection::Handle;
use s2n_quic::provider::tls;
use s2n_quic::Client;
use tokio::task::JoinSet;
use tokio::time::timeout;

const LONGEST_CHAIN: u16 = 16;

async fn fetch(options: Rc<Options>, mut connection: Handle, url: Url) {
    let mut stream = good(connection.open_bidirectional_stream().await);
    good(stream.send(url.request().into()).await);
    let _ = stream.finish();
    let mut content = Vec::new();
    loop {
        match stream.receive().await {
            Ok(Some(bytes)) => content.extend_from_slice(&bytes),
            Ok(None) => break,
            Err(problem) => fail(&format!("{}: {problem}", url.path)),
        }
    }
    options.save(&url, &content);
}

async fn connect(client: &Client, url: &Url) -> Handle {
    let connect = Connect::new(url.resolve()).with_server_name(url.host.as_str());
    good(client.connect(connect).await).split().0
}

fn make_client(options: &Options) -> Client {
    let local: SocketAddr = match options.urls[0].resolve() {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let tls = good(tls::default::Client::builder()
        .with_application_protocols(["hq-interop"].iter())
        .and_then(|tls| tls.with_key_logging())
        .and_then(|tls| tls.with_max_cert_chain_depth(LONGEST_CHAIN))
        .and_then(|tls| tls.with_certificate(crate::read(&options.ca).as_str()))
        .and_then(|tls| tls.build()));
    let client = good(good(Client::builder().with_tls(tls)).with_io(local));
    good(good(client.with_limits(crate::limits())).start())
}

pub async fn run(options: Options) {
    let mut client = make_client(&options);
    let options = Rc::new(options);
    for urls in options.rounds() {
        let connection = connect(&client, &urls[0]).await;
        let mut fetches = JoinSet::new();
        for url in urls {
            fetches.spawn_local(fetch(options.clone(), connection.clone(), url));
        }
        while let Some(done) = fetches.join_next().await {
            if done.is_err() {
                fail("a transfer broke");
            }
        }
        connection.close(0u32.into());
    }
    let _ = timeout(PATIENCE, client.wait_idle()).await;
}
