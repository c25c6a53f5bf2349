//! Serves files, each on a stream of its own.

use std::rc::Rc;

use interop_driver::{good, Options, LONGEST_REQUEST, UNKNOWN_FILE};
use s2n_quic::provider::endpoint_limits::{ConnectionAttempt, Limiter, Outcome};
use s2n_quic::provider::tls;
use s2n_quic::stream::BidirectionalStream;
use s2n_quic::{Connection, Server};
use tokio::task::spawn_local;

/// Every address has to be proved, or none.
struct Validation {
    always: bool,
}

impl Limiter for Validation {
    fn on_connection_attempt(&mut self, _: &ConnectionAttempt) -> Outcome {
        if self.always { Outcome::retry() } else { Outcome::allow() }
    }
}

async fn answer(options: Rc<Options>, mut stream: BidirectionalStream) {
    let mut request = Vec::new();
    while let Ok(Some(bytes)) = stream.receive().await {
        request.extend_from_slice(&bytes);
        if request.len() > LONGEST_REQUEST {
            return;
        }
    }
    match options.answer(&request) {
        Some(content) => {
            if stream.send(content.into()).await.is_ok() {
                let _ = stream.close().await;
            }
        }
        None => {
            let _ = stream.reset(UNKNOWN_FILE.into());
        }
    }
}

async fn serve(options: Rc<Options>, mut connection: Connection) {
    while let Ok(Some(stream)) = connection.accept_bidirectional_stream().await {
        spawn_local(answer(options.clone(), stream));
    }
}

pub async fn run(options: Options) {
    let tls = good(tls::default::Server::builder()
        .with_application_protocols(["hq-interop"].iter())
        .and_then(|tls| tls.with_key_logging())
        .and_then(|tls| {
            tls.with_certificate(crate::read(&options.certificate).as_str(), crate::read(&options.key).as_str())
        })
        .and_then(|tls| tls.build()));
    let server = good(Server::builder().with_tls(tls));
    let server = good(good(server.with_io(options.listen)).with_limits(crate::limits()));
    let validation = Validation { always: options.is("retry") };
    let mut server = good(good(server.with_endpoint_limits(validation)).start());
    println!("ready: {}", options.listen);
    let options = Rc::new(options);
    while let Some(connection) = server.accept().await {
        spawn_local(serve(options.clone(), connection));
    }
}
