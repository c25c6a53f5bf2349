//! Fetches files over one connection, or over several, one after the other.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use interop_driver::{fail, good, Options, Url, TICKET_PATIENCE};

use crate::application::{Application, HqClient};
use crate::http3;
use crate::link::{self, Link};

fn application(options: &Rc<Options>, urls: Vec<Url>) -> Box<dyn Application> {
    if options.is("http3") {
        return Box::new(http3::Client::new(options.clone(), urls));
    }
    Box::new(HqClient::new(options.clone(), urls))
}

/// Runs one connection to its end; returns a session to resume, if one came and is wanted.
fn run_round(
    options: &Rc<Options>,
    config: &mut quiche::Config,
    urls: Vec<Url>,
    ticket: Option<&[u8]>,
    wants_ticket: bool,
) -> Option<Vec<u8>> {
    let remote = urls[0].resolve();
    let local: SocketAddr = match remote {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let link = Link::bind(local);
    let id = link::random_id();
    let name = urls[0].host.clone();
    let mut connection = good(quiche::connect(Some(&name), &id, link.local, remote, config));
    link::log_keys(&mut connection);
    if let Some(ticket) = ticket {
        good(connection.set_session(ticket));
    }
    let mut application = application(options, urls);
    let mut buffer = [0; 65536];
    let mut done_at: Option<Instant> = None;
    while !connection.is_closed() {
        if !connection.is_draining() {
            application.turn(&mut connection);
        }
        if application.is_done() {
            let since = *done_at.get_or_insert_with(Instant::now);
            let late = since.elapsed() > TICKET_PATIENCE;
            if !wants_ticket || connection.session().is_some() || late {
                let code = if options.is("http3") { http3::NO_ERROR } else { 0 };
                let _ = connection.close(true, code, b"");
            }
        }
        link.flush(&mut connection);
        let wait = connection.timeout().map(|it| if wants_ticket { it.min(Duration::from_secs(1)) } else { it });
        match link.receive(&mut buffer, wait) {
            Some((length, from)) => {
                link.deliver(&mut connection, &mut buffer[..length], from);
            }
            None if connection.timeout().is_some_and(|it| it.is_zero()) => connection.on_timeout(),
            None => {}
        }
    }
    if !application.is_done() {
        fail(&format!("closed: {:?} {:?}", connection.local_error(), connection.peer_error()));
    }
    connection.session().map(<[u8]>::to_vec)
}

pub fn run(options: Options) {
    let mut config = crate::config(&options);
    good(config.load_verify_locations_from_file(&options.ca.to_string_lossy()));
    config.verify_peer(true);
    let options = Rc::new(options);
    let resumes = options.is("resumption") || options.is("zerortt");
    let mut ticket = None;
    for (round, urls) in options.rounds().into_iter().enumerate() {
        let wants_ticket = resumes && round == 0;
        let used = if resumes { ticket.take() } else { None };
        ticket = run_round(&options, &mut config, urls, used.as_deref(), wants_ticket);
        if wants_ticket && ticket.is_none() {
            fail("no session ticket came");
        }
    }
}
