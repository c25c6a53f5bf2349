//! The race's driver on quinn. See bench/race/README.md.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quinn::congestion::CubicConfig;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{AckFrequencyConfig, ClientConfig, Endpoint, EndpointConfig, ServerConfig, TransportConfig, VarInt};
use race_driver::app::{self, Connection, Dialer, ReceiveHalf, SendHalf};
use race_driver::{Options, ALPN, SERVER_NAME};
use rustls::crypto::{aws_lc_rs, CryptoProvider};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

const SOCKET_BUFFER: i32 = 8 << 20;
const IDLE_MILLISECONDS: u32 = 60_000;
const LARGEST_OF_TEN: u16 = 6550;
/// The peer acknowledges the packet after these: every tenth, as many as quinn sends at once.
const UNACKNOWLEDGED: u32 = 9;

struct Sender(quinn::SendStream);
struct Receiver(quinn::RecvStream);
#[derive(Clone)]
struct Joined(quinn::Connection);

impl SendHalf for Sender {
    async fn write(&mut self, bytes: Bytes) -> bool {
        self.0.write_chunk(bytes).await.is_ok()
    }

    fn finish(&mut self) {
        let _ = self.0.finish();
    }

    fn set_background(&mut self) {
        let _ = self.0.set_priority(-1);
    }
}

impl ReceiveHalf for Receiver {
    async fn read(&mut self, chunks: &mut [Bytes]) -> usize {
        self.0.read_chunks(chunks).await.ok().flatten().unwrap_or(0)
    }
}

impl Connection for Joined {
    type Send = Sender;
    type Receive = Receiver;

    async fn open(&self) -> (Sender, Receiver) {
        let (send, receive) = self.0.open_bi().await.expect("a stream");
        (Sender(send), Receiver(receive))
    }

    fn close(&self) {
        self.0.close(VarInt::from_u32(0), b"");
    }

    fn send_datagram(&self, bytes: Bytes) -> bool {
        self.0.send_datagram(bytes).is_ok()
    }

    async fn receive_datagram(&self) -> Option<Bytes> {
        self.0.read_datagram().await.ok()
    }
}

struct Client {
    endpoint: Endpoint,
    options: Options,
}

impl Dialer for Client {
    type Connection = Joined;

    async fn connect(&self) -> Joined {
        let connecting = self.endpoint.connect(self.options.connect, SERVER_NAME).expect("a connection");
        Joined(connecting.await.expect("a handshake"))
    }

    fn is_resumed(_: &Joined) -> Option<bool> {
        None
    }
}

fn transport(options: &Options) -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    let window = VarInt::from_u64(options.window).expect("a window");
    let mut cubic = CubicConfig::default();
    cubic.initial_window(10 * u64::from(options.datagram));
    let mut acknowledgements = AckFrequencyConfig::default();
    acknowledgements.ack_eliciting_threshold(VarInt::from_u32(UNACKNOWLEDGED));
    transport
        .initial_mtu(options.datagram)
        .min_mtu(options.datagram)
        .mtu_discovery_config(None)
        .stream_receive_window(window)
        .receive_window(window)
        .send_window(options.window)
        .max_idle_timeout(Some(VarInt::from_u32(IDLE_MILLISECONDS).into()))
        .max_concurrent_bidi_streams(VarInt::from_u32(1000))
        .datagram_receive_buffer_size(Some(4 << 20))
        .datagram_send_buffer_size(4 << 20)
        .ack_frequency_config(Some(acknowledgements))
        // Its ten segments of 16 kB would be more than a datagram of IP may hold.
        .enable_segmentation_offload(options.datagram <= LARGEST_OF_TEN)
        .congestion_controller_factory(Arc::new(cubic));
    Arc::new(transport)
}

fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    Arc::new(provider)
}

fn socket(options: &Options) -> std::net::UdpSocket {
    let address = if options.is_server { options.listen } else { "127.0.0.1:0".parse().unwrap() };
    let socket = std::net::UdpSocket::bind(address).expect("a socket");
    race_driver::socket::set_buffers(&socket, SOCKET_BUFFER);
    socket
}

fn endpoint(options: &Options, server: Option<ServerConfig>) -> Endpoint {
    let mut config = EndpointConfig::default();
    config.max_udp_payload_size(65_527.min(options.datagram.max(1472))).expect("a datagram size");
    let runtime = Arc::new(quinn::TokioRuntime);
    Endpoint::new(config, server, socket(options), runtime).expect("an endpoint")
}

fn server_config(options: &Options) -> ServerConfig {
    let chain = CertificateDer::pem_slice_iter(&fs::read(&options.cert).expect("the certificate"))
        .collect::<Result<Vec<_>, _>>()
        .expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(&options.key).expect("a key");
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("an identity");
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    config.transport_config(transport(options));
    config
}

fn client_config(options: &Options) -> ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&options.ca).expect("the authority") {
        roots.add(certificate.expect("a certificate")).expect("an authority");
    }
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    if !options.resumed {
        tls.resumption = rustls::client::Resumption::disabled();
    }
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    config.transport_config(transport(options));
    config
}

async fn serve_connection(incoming: quinn::Incoming) {
    let Ok(connection) = incoming.await else { return };
    let datagrams = connection.clone();
    tokio::task::spawn_local(async move {
        while let Ok(bytes) = datagrams.read_datagram().await {
            let _ = datagrams.send_datagram(bytes);
        }
    });
    while let Ok((send, receive)) = connection.accept_bi().await {
        tokio::task::spawn_local(app::serve(Sender(send), Receiver(receive)));
    }
}

async fn run_server(options: Options) {
    let endpoint = endpoint(&options, Some(server_config(&options)));
    println!("ready: {}", endpoint.local_addr().unwrap());
    while let Some(incoming) = endpoint.accept().await {
        tokio::task::spawn_local(serve_connection(incoming));
    }
}

async fn run_client(options: Options) {
    let mut endpoint = endpoint(&options, None);
    endpoint.set_default_client_config(client_config(&options));
    let client = Client { endpoint: endpoint.clone(), options: options.clone() };
    app::run_client(client, options).await.print();
    let _ = tokio::time::timeout(Duration::from_millis(500), endpoint.wait_idle()).await;
}

fn main() {
    let options = Options::from_arguments();
    if options.is_server {
        app::block_on(run_server(options));
    } else {
        app::block_on(run_client(options));
    }
}
