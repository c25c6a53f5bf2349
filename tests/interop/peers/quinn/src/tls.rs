//! What both sides tell rustls.

use std::sync::Arc;

use interop_driver::{fail, good, Options};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue};
use rustls::client::Tls13ClientSessionValue;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{aws_lc_rs, verify_tls13_signature, CryptoProvider};
use rustls::{quic, DigitallySignedStruct, Error, KeyLogFile, NamedGroup, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::sync::Notify;

const LONGEST_CHAIN: usize = 6;

pub fn alpn(options: &Options) -> Vec<u8> {
    if options.is("http3") { b"h3".to_vec() } else { b"hq-interop".to_vec() }
}

fn provider(options: &Options) -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    if options.is("chacha20") && !options.is_server {
        provider.cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256];
    }
    Arc::new(provider)
}

/// Initial packets have AES, whatever is offered.
fn initial_suite() -> quic::Suite {
    let suite = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    suite.tls13().and_then(|suite| suite.quic_suite()).expect("AES-128-GCM")
}

fn certificates(path: &std::path::Path) -> Vec<CertificateDer<'static>> {
    match CertificateDer::pem_file_iter(path).and_then(Iterator::collect) {
        Ok(all) => all,
        Err(problem) => fail(&format!("{}: {problem}", path.display())),
    }
}

pub fn server(options: &Options) -> QuicServerConfig {
    let key = good(PrivateKeyDer::from_pem_file(&options.key));
    let builder = rustls::ServerConfig::builder_with_provider(provider(options))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth();
    let mut tls = good(builder.with_single_cert(certificates(&options.certificate), key));
    tls.alpn_protocols = vec![alpn(options)];
    tls.max_early_data_size = u32::MAX;
    tls.key_log = Arc::new(KeyLogFile::new());
    QuicServerConfig::try_from(tls).expect("a cipher suite for Initial packets")
}

/// For a chain that is longer than rustls looks at: the case is about the size of it.
#[derive(Debug)]
struct AnyChain(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyChain {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2".into()))
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

pub fn client(options: &Options, tickets: Arc<Tickets>) -> QuicClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates(&options.ca) {
        good(roots.add(certificate));
    }
    let mut tls = rustls::ClientConfig::builder_with_provider(provider(options))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn(options)];
    if certificates(&options.certificate).len() > LONGEST_CHAIN {
        tls.dangerous().set_certificate_verifier(Arc::new(AnyChain(provider(options))));
    }
    tls.enable_early_data = options.is("zerortt");
    tls.key_log = Arc::new(KeyLogFile::new());
    tls.resumption = Resumption::store(tickets);
    QuicClientConfig::with_initial(Arc::new(tls), initial_suite()).expect("TLS 1.3")
}

/// Session tickets, and word of the first one.
#[derive(Debug)]
pub struct Tickets {
    cache: ClientSessionMemoryCache,
    pub arrived: Notify,
}

impl Tickets {
    pub fn new() -> Arc<Tickets> {
        Arc::new(Tickets { cache: ClientSessionMemoryCache::new(8), arrived: Notify::new() })
    }
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.cache.set_kx_hint(name, group);
    }
    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.cache.kx_hint(name)
    }
    fn set_tls12_session(&self, name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.cache.set_tls12_session(name, value);
    }
    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.cache.tls12_session(name)
    }
    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.cache.remove_tls12_session(name);
    }
    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.cache.insert_tls13_ticket(name, value);
        self.arrived.notify_one();
    }
    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.cache.take_tls13_ticket(name)
    }
}
