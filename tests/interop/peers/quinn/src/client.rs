//! Fetches files over one connection, or over several, one after the other.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use interop_driver::{fail, good, Options, Url, PATIENCE, TICKET_PATIENCE, UPDATE_KEYS_AFTER};
use quinn::{ClientConfig, Connection, Endpoint, VarInt};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

use crate::{http3, tls, transport};

async fn fetch(options: Rc<Options>, connection: Connection, url: Url) {
    let (mut send, mut receive) = good(connection.open_bi().await);
    good(send.write_all(url.request().as_bytes()).await);
    let _ = send.finish();
    let mut content = Vec::new();
    let mut update_keys = options.is("keyupdate");
    loop {
        match receive.read_chunk(usize::MAX, true).await {
            Ok(Some(chunk)) => content.extend_from_slice(&chunk.bytes),
            Ok(None) => break,
            Err(problem) => fail(&format!("{}: {problem}", url.path)),
        }
        if update_keys && content.len() > UPDATE_KEYS_AFTER {
            connection.force_key_update();
            update_keys = false;
        }
    }
    options.save(&url, &content);
}

async fn fetch_all(options: &Rc<Options>, connection: &Connection, urls: Vec<Url>) {
    let mut fetches = JoinSet::new();
    for url in urls {
        fetches.spawn_local(fetch(options.clone(), connection.clone(), url));
    }
    while let Some(done) = fetches.join_next().await {
        if done.is_err() {
            fail("a transfer broke");
        }
    }
}

async fn connect(endpoint: &Endpoint, remote: SocketAddr, name: &str, early: bool) -> Connection {
    let connecting = good(endpoint.connect(remote, name));
    if early {
        return match connecting.into_0rtt() {
            Ok((connection, _)) => connection,
            Err(_) => fail("there is no ticket for 0-RTT"),
        };
    }
    good(connecting.await)
}

async fn run_rounds(options: Rc<Options>, endpoint: Endpoint, tickets: Arc<tls::Tickets>) {
    let remote = options.urls[0].resolve();
    let name = options.urls[0].host.clone();
    let resumes = options.is("resumption") || options.is("zerortt");
    for (round, urls) in options.rounds().into_iter().enumerate() {
        let connection = connect(&endpoint, remote, &name, round == 1 && options.is("zerortt")).await;
        if options.is("http3") {
            http3::fetch(&options, connection.clone(), urls).await;
        } else {
            fetch_all(&options, &connection, urls).await;
        }
        if resumes && round == 0 && timeout(TICKET_PATIENCE, tickets.arrived.notified()).await.is_err() {
            fail("no session ticket came");
        }
        connection.close(VarInt::from_u32(if options.is("http3") { http3::NO_ERROR } else { 0 }), b"");
        let _ = timeout(PATIENCE, endpoint.wait_idle()).await;
    }
}

pub async fn run(options: Options) {
    let local: SocketAddr = match options.urls[0].resolve() {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let mut endpoint = good(Endpoint::client(local));
    let tickets = tls::Tickets::new();
    let mut config = ClientConfig::new(Arc::new(tls::client(&options, tickets.clone())));
    config.transport_config(transport(&options));
    endpoint.set_default_client_config(config);
    LocalSet::new().run_until(run_rounds(Rc::new(options), endpoint, tickets)).await;
}
