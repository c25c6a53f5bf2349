//! Serves files, each on a stream of its own.

use std::rc::Rc;
use std::sync::Arc;

use interop_driver::{good, Options, LONGEST_REQUEST, UNKNOWN_FILE};
use quinn::{Endpoint, Incoming, RecvStream, SendStream, ServerConfig, VarInt};
use tokio::task::{spawn_local, LocalSet};

use crate::{http3, tls, transport};

async fn answer(options: Rc<Options>, mut send: SendStream, mut receive: RecvStream) {
    let Ok(request) = receive.read_to_end(LONGEST_REQUEST).await else { return };
    match options.answer(&request) {
        Some(content) => {
            if send.write_all(&content).await.is_ok() {
                let _ = send.finish();
            }
        }
        None => {
            let _ = send.reset(VarInt::from_u32(UNKNOWN_FILE));
        }
    }
}

async fn serve(options: Rc<Options>, incoming: Incoming) {
    let Ok(connecting) = incoming.accept() else { return };
    if options.is("http3") {
        return http3::serve(options, connecting).await;
    }
    // A server can always send before the handshake is complete, and takes 0-RTT data by that.
    let connection = match connecting.into_0rtt() {
        Ok((connection, _)) => connection,
        Err(_) => return,
    };
    while let Ok((send, receive)) = connection.accept_bi().await {
        spawn_local(answer(options.clone(), send, receive));
    }
    println!("closed: {:?}", connection.close_reason());
}

pub async fn run(options: Options) {
    let mut config = ServerConfig::with_crypto(Arc::new(tls::server(&options)));
    config.transport_config(transport(&options));
    let endpoint = good(Endpoint::server(config, options.listen));
    println!("ready: {}", options.listen);
    let options = Rc::new(options);
    let serving = async {
        while let Some(incoming) = endpoint.accept().await {
            if options.is("retry") && incoming.may_retry() && !incoming.remote_address_validated() {
                let _ = incoming.retry();
            } else {
                spawn_local(serve(options.clone(), incoming));
            }
        }
    };
    LocalSet::new().run_until(serving).await;
}
