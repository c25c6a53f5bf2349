//! Serves files to any number of connections.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use interop_driver::{good, Options};
use quiche::{Connection, ConnectionId, Header, PathEvent, Type};

use crate::application::{Application, HqServer};
use crate::http3;
use crate::link::{self, Link};

struct Session {
    connection: Connection,
    application: Box<dyn Application>,
}

impl Session {
    fn turn(&mut self, link: &Link) {
        if self.connection.is_established() || self.connection.is_in_early_data() {
            self.application.turn(&mut self.connection);
        }
        link.flush(&mut self.connection);
    }
}

struct Server {
    options: Rc<Options>,
    config: quiche::Config,
    link: Link,
    sessions: Vec<Option<Session>>,
    by_id: HashMap<ConnectionId<'static>, usize>,
}

/// An address and the first connection ID, so that a token is good for its owner alone.
fn make_token(header: &Header, from: SocketAddr) -> Vec<u8> {
    [from.to_string().as_bytes(), b" ", header.dcid.as_ref()].concat()
}

fn check_token(token: &[u8], from: SocketAddr) -> Option<ConnectionId<'static>> {
    let id = token.strip_prefix(from.to_string().as_bytes())?.strip_prefix(b" ")?;
    Some(ConnectionId::from_vec(id.to_vec()))
}

impl Server {
    fn receive(&mut self, datagram: &mut [u8], from: SocketAddr) {
        let Ok(header) = Header::from_slice(datagram, quiche::MAX_CONN_ID_LEN.min(16)) else { return };
        let known = self.by_id.get(&header.dcid).copied();
        let Some(index) = known.or_else(|| self.accept(&header, from)) else { return };
        let Some(session) = self.sessions[index].as_mut() else { return };
        self.link.deliver(&mut session.connection, datagram, from);
        // Made of a packet that was damaged on the way: its IDs may be, too.
        if known.is_none() && session.connection.stats().recv == 0 {
            self.sessions[index] = None;
            self.by_id.retain(|_, at| *at != index);
            return;
        }
        session.turn(&self.link);
        self.give_ids(index);
    }

    fn accept(&mut self, header: &Header, from: SocketAddr) -> Option<usize> {
        let mut out = [0; link::LARGEST];
        if matches!(header.ty, Type::Short | Type::VersionNegotiation) {
            return None;
        }
        if !quiche::version_is_supported(header.version) {
            let length = quiche::negotiate_version(&header.scid, &header.dcid, &mut out).ok()?;
            self.link.send(&out[..length], from);
            return None;
        }
        if header.ty != Type::Initial {
            return None;
        }
        let mut id = link::random_id();
        let mut original = None;
        if self.options.is("retry") {
            let token = header.token.as_deref().unwrap_or_default();
            if token.is_empty() {
                let token = make_token(header, from);
                let sent =
                    quiche::retry(&header.scid, &header.dcid, &id, &token, header.version, &mut out);
                self.link.send(&out[..sent.ok()?], from);
                return None;
            }
            original = Some(check_token(token, from)?);
            id = header.dcid.clone().into_owned();
        }
        let made = quiche::accept(&id, original.as_ref(), self.link.local, from, &mut self.config);
        let mut connection = made.ok()?;
        link::log_keys(&mut connection);
        let application: Box<dyn Application> = if self.options.is("http3") {
            Box::new(http3::Server::new(self.options.clone()))
        } else {
            Box::new(HqServer::new(self.options.clone()))
        };
        let index = self.sessions.len();
        self.sessions.push(Some(Session { connection, application }));
        self.by_id.insert(header.dcid.clone().into_owned(), index);
        self.by_id.insert(id, index);
        Some(index)
    }

    /// IDs for a peer that moves, and a look at where it has gone.
    fn give_ids(&mut self, index: usize) {
        let Some(session) = self.sessions[index].as_mut() else { return };
        while let Some(retired) = session.connection.retired_scid_next() {
            self.by_id.remove(&retired);
        }
        if !session.connection.is_established() {
            return;
        }
        while let Some(event) = session.connection.path_event_next() {
            if let PathEvent::New(local, peer) = event {
                // Refused when the library does so by itself.
                let _ = session.connection.probe_path(local, peer);
            }
        }
        while session.connection.scids_left() > 0 {
            let id = link::random_id();
            let token = u128::from_be_bytes(link::random_id().as_ref().try_into().expect("16 bytes"));
            if session.connection.new_scid(&id, token, false).is_err() {
                break;
            }
            self.by_id.insert(id, index);
        }
        session.turn(&self.link);
    }

    fn wait(&self) -> Option<Duration> {
        self.sessions.iter().flatten().filter_map(|it| it.connection.timeout()).min()
    }

    fn on_time(&mut self) {
        for place in &mut self.sessions {
            let Some(session) = place else { continue };
            if session.connection.timeout().is_some_and(|it| it.is_zero()) {
                session.connection.on_timeout();
                session.turn(&self.link);
            }
            if session.connection.is_closed() {
                *place = None;
            }
        }
    }
}

pub fn run(options: Options) {
    let mut config = crate::config(&options);
    good(config.load_cert_chain_from_pem_file(&options.certificate.to_string_lossy()));
    good(config.load_priv_key_from_pem_file(&options.key.to_string_lossy()));
    let link = Link::bind(options.listen);
    println!("ready: {}", link.local);
    let mut server = Server {
        options: Rc::new(options),
        config,
        link,
        sessions: Vec::new(),
        by_id: HashMap::new(),
    };
    let mut buffer = [0; 65536];
    loop {
        let wait = server.wait();
        if let Some((length, from)) = server.link.receive(&mut buffer, wait) {
            server.receive(&mut buffer[..length], from);
        }
        server.on_time();
    }
}
