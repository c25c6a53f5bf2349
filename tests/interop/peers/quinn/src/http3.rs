//! HTTP/3 by the crates h3 and h3-quinn.

use std::rc::Rc;

use bytes::{Buf, Bytes};
use h3::client::SendRequest;
use h3::server::RequestResolver;
use h3_quinn::OpenStreams;
use http::{Request, Response, StatusCode};
use interop_driver::{fail, good, Options, Url};
use quinn::{Connecting, Connection};
use tokio::task::{spawn_local, JoinSet};

/// H3_NO_ERROR (RFC 9114 section 8.1).
pub const NO_ERROR: u32 = 0x100;

async fn answer(options: Rc<Options>, resolver: RequestResolver<h3_quinn::Connection, Bytes>) {
    let Ok((request, mut stream)) = resolver.resolve_request().await else { return };
    let content = options.file(request.uri().path());
    let status = if content.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let response = Response::builder().status(status).body(()).expect("a response");
    if stream.send_response(response).await.is_err() {
        return;
    }
    if let Some(content) = content {
        let _ = stream.send_data(Bytes::from(content)).await;
    }
    let _ = stream.finish().await;
}

pub async fn serve(options: Rc<Options>, connecting: Connecting) {
    let Ok(connection) = connecting.await else { return };
    let Ok(mut http) = h3::server::Connection::new(h3_quinn::Connection::new(connection)).await else {
        return;
    };
    while let Ok(Some(resolver)) = http.accept().await {
        spawn_local(answer(options.clone(), resolver));
    }
}

async fn get(options: Rc<Options>, mut sender: SendRequest<OpenStreams, Bytes>, url: Url) {
    let request = Request::get(url.text()).body(()).expect("a request");
    let mut stream = good(sender.send_request(request).await);
    let _ = stream.finish().await;
    let response = good(stream.recv_response().await);
    if response.status() != StatusCode::OK {
        fail(&format!("{}: {}", url.path, response.status()));
    }
    let mut content = Vec::new();
    while let Some(mut bytes) = good(stream.recv_data().await) {
        content.extend_from_slice(&bytes.copy_to_bytes(bytes.remaining()));
    }
    options.save(&url, &content);
}

pub async fn fetch(options: &Rc<Options>, connection: Connection, urls: Vec<Url>) {
    let quic = h3_quinn::Connection::new(connection);
    let (mut driver, sender) = good(h3::client::new(quic).await);
    let driving = spawn_local(async move { std::future::poll_fn(|context| driver.poll_close(context)).await });
    let mut fetches = JoinSet::new();
    for url in urls {
        fetches.spawn_local(get(options.clone(), sender.clone(), url));
    }
    while let Some(done) = fetches.join_next().await {
        if done.is_err() {
            fail("a transfer broke");
        }
    }
    driving.abort();
}
