//! The race's driver on s2n-quic. See bench/race/README.md.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use race_driver::app::{self, Connection, Dialer, ReceiveHalf, SendHalf};
use race_driver::{Options, SERVER_NAME};
use s2n_quic::client::Connect;
use s2n_quic::connection::{Handle, StreamAcceptor};
use s2n_quic::provider::congestion_controller::Cubic;
use s2n_quic::provider::limits::Limits;
use s2n_quic::provider::{datagram, io, tls};
use s2n_quic::stream::{ReceiveStream, SendStream};
use s2n_quic::{Client, Server};

const SOCKET_BUFFER: i32 = 8 << 20;
/// What the library adds to the payload when it says MTU: the headers of IPv4 and UDP.
const HEADERS: u16 = 28;
const DATAGRAM_QUEUE: usize = 1024;
/// Packets that one stream may fill before the next has its turn.
const STREAM_BATCH: u8 = 16;

struct Sender(SendStream);
struct Receiver(ReceiveStream);
#[derive(Clone)]
struct Joined(Handle);

impl SendHalf for Sender {
    async fn write(&mut self, bytes: Bytes) -> bool {
        self.0.send(bytes).await.is_ok()
    }

    fn finish(&mut self) {
        let _ = self.0.finish();
    }
}

impl ReceiveHalf for Receiver {
    async fn read(&mut self, chunks: &mut [Bytes]) -> usize {
        self.0.receive_vectored(chunks).await.map_or(0, |(count, _)| count)
    }
}

impl Connection for Joined {
    type Send = Sender;
    type Receive = Receiver;

    async fn open(&self) -> (Sender, Receiver) {
        let stream = self.0.clone().open_bidirectional_stream().await.expect("a stream");
        let (receive, send) = stream.split();
        (Sender(send), Receiver(receive))
    }

    fn close(&self) {
        self.0.close(0u32.into());
    }

    fn send_datagram(&self, bytes: Bytes) -> bool {
        use datagram::default::Sender;
        matches!(self.0.datagram_mut(|sender: &mut Sender| sender.send_datagram(bytes)), Ok(Ok(())))
    }

    async fn receive_datagram(&self) -> Option<Bytes> {
        use datagram::default::Receiver;
        std::future::poll_fn(|context| {
            match self.0.datagram_mut(|receiver: &mut Receiver| receiver.poll_recv_datagram(context)) {
                Ok(polled) => polled.map(Result::ok),
                Err(_) => std::task::Poll::Ready(None),
            }
        })
        .await
    }
}

struct Dialing {
    client: Client,
    remote: SocketAddr,
}

impl Dialer for Dialing {
    type Connection = Joined;

    async fn connect(&self) -> Joined {
        let connect = Connect::new(self.remote).with_server_name(SERVER_NAME);
        let connection = self.client.connect(connect).await.expect("a handshake");
        let (handle, _) = connection.split();
        Joined(handle)
    }

    fn is_resumed(_: &Joined) -> Option<bool> {
        None
    }
}

fn limits(options: &Options) -> Limits {
    Limits::new()
        .with_data_window(options.window)
        .and_then(|limits| limits.with_bidirectional_local_data_window(options.window))
        .and_then(|limits| limits.with_bidirectional_remote_data_window(options.window))
        .and_then(|limits| limits.with_max_open_remote_bidirectional_streams(1000))
        .and_then(|limits| limits.with_max_open_local_bidirectional_streams(1000))
        .and_then(|limits| limits.with_max_send_buffer_size(options.window as u32))
        .and_then(|limits| limits.with_stream_batch_size(STREAM_BATCH))
        .and_then(|limits| limits.with_max_idle_timeout(Duration::from_secs(60)))
        .expect("limits")
}

fn socket(options: &Options, address: SocketAddr) -> io::Default {
    let mtu = options.datagram + HEADERS;
    // The library's own options for the buffers are cut to the machine's limit.
    let socket = std::net::UdpSocket::bind(address).expect("a socket");
    socket.set_nonblocking(true).expect("a socket that does not block");
    race_driver::socket::set_buffers(&socket, SOCKET_BUFFER);
    io::Default::builder()
        .with_rx_socket(socket)
        .and_then(|io| io.with_base_mtu(mtu))
        .and_then(|io| io.with_initial_mtu(mtu))
        .and_then(|io| io.with_max_mtu(mtu))
        .and_then(|io| io.build())
        .expect("a socket")
}

fn datagrams() -> datagram::default::Endpoint {
    datagram::default::Endpoint::builder()
        .with_send_capacity(DATAGRAM_QUEUE)
        .and_then(|datagrams| datagrams.with_recv_capacity(DATAGRAM_QUEUE))
        .expect("queues")
        .build()
        .expect("datagrams")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(file).expect(file)
}

async fn serve_streams(mut streams: StreamAcceptor) {
    while let Ok(Some(stream)) = streams.accept_bidirectional_stream().await {
        let (receive, send) = stream.split();
        tokio::task::spawn_local(app::serve(Sender(send), Receiver(receive)));
    }
}

async fn echo_datagrams(connection: Joined) {
    while let Some(bytes) = connection.receive_datagram().await {
        connection.send_datagram(bytes);
    }
}

async fn run_server(options: Options) {
    let tls = tls::default::Server::builder()
        .with_application_protocols(["race"].iter())
        .and_then(|tls| tls.with_certificate(read(&options.cert).as_str(), read(&options.key).as_str()))
        .and_then(|tls| tls.build())
        .expect("an identity");
    let mut server = Server::builder()
        .with_tls(tls)
        .and_then(|server| server.with_io(socket(&options, options.listen)))
        .and_then(|server| server.with_limits(limits(&options)))
        .and_then(|server| server.with_congestion_controller(Cubic::default()))
        .and_then(|server| server.with_datagram(datagrams()))
        .expect("settings")
        .start()
        .expect("a server");
    println!("ready: {}", server.local_addr().unwrap());
    while let Some(connection) = server.accept().await {
        let (handle, streams) = connection.split();
        tokio::task::spawn_local(echo_datagrams(Joined(handle)));
        tokio::task::spawn_local(serve_streams(streams));
    }
}

async fn run_client(options: Options) {
    if options.resumed {
        race_driver::report::unsupported("the public interface of s2n-quic resumes no sessions");
    }
    let tls = tls::default::Client::builder()
        .with_application_protocols(["race"].iter())
        .and_then(|tls| tls.with_certificate(read(&options.ca).as_str()))
        .and_then(|tls| tls.build())
        .expect("the authority");
    let client = Client::builder()
        .with_tls(tls)
        .and_then(|client| client.with_io(socket(&options, "127.0.0.1:0".parse().unwrap())))
        .and_then(|client| client.with_limits(limits(&options)))
        .and_then(|client| client.with_congestion_controller(Cubic::default()))
        .and_then(|client| client.with_datagram(datagrams()))
        .expect("settings")
        .start()
        .expect("a client");
    let dialing = Dialing { client: client.clone(), remote: options.connect };
    app::run_client(dialing, options).await.print();
    let mut client = client;
    let _ = tokio::time::timeout(Duration::from_millis(500), client.wait_idle()).await;
}

fn main() {
    let options = Options::from_arguments();
    if options.is_server {
        app::block_on(run_server(options));
    } else {
        app::block_on(run_client(options));
    }
}
