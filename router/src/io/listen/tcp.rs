//! A `tcpListener`: its port is open while the network has a server for its address.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

use super::accept::Sockets;
use super::bind::{BindError, BindTarget, open};
use super::secure::{SETUP_LIMIT, secure};
use crate::core::ListenerId;
use crate::io::driver::{Driver, Service};
use crate::io::signal::Signal;
use crate::io::status::{ListenerState, ListenerStatus};
use crate::io::tally::{Cause, ServiceCounts, Tally};
use crate::io::tls::Live;
use crate::io::transport::Transport;
use crate::io::{Event, Timestamp, flow};

/// Wait before a port that could not be opened is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// TLS handshakes of one listener.
const HANDSHAKES_AT_ONCE: usize = 256;

/// What becomes of a client.
type Begin = Rc<dyn Fn(Transport, SocketAddr)>;

/// A listener: what is wanted of it, and what it does.
#[derive(Debug)]
pub(in crate::io) struct TcpListening {
    pub(in crate::io) name: String,
    pub(in crate::io) address: String,
    pub(in crate::io) target: BindTarget,
    tls: Option<Arc<Live<ServerConfig>>>,
    /// Clients whose TLS handshake goes on.
    handshakes: Arc<Semaphore>,
    pub(in crate::io) added: Timestamp,
    wanted: Cell<bool>,
    removed: Cell<bool>,
    changed: Signal,
    state: RefCell<State>,
    pub(in crate::io) tally: Tally,
}

#[derive(Debug)]
enum State {
    Waiting,
    Listening(Vec<SocketAddr>),
    Failed(String),
}

impl TcpListening {
    pub(in crate::io) fn new(
        name: String,
        address: String,
        target: BindTarget,
        tls: Option<Arc<Live<ServerConfig>>>,
    ) -> TcpListening {
        TcpListening {
            name,
            address,
            target,
            tls,
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_AT_ONCE)),
            added: Timestamp::now(),
            wanted: Cell::new(false),
            removed: Cell::new(false),
            changed: Signal::default(),
            state: RefCell::new(State::Waiting),
            tally: Tally::default(),
        }
    }

    /// The core wants the port open, or closed.
    pub(in crate::io) fn want(&self, wanted: bool) {
        self.wanted.set(wanted);
        self.changed.set();
    }

    /// The service is removed: the port closes and the task ends.
    pub(in crate::io) fn remove(&self) {
        self.removed.set(true);
        self.want(false);
    }

    /// Whether the port is open, or a client that came through it has not been handed to the core yet.
    pub(in crate::io) fn is_open(&self) -> bool {
        matches!(*self.state.borrow(), State::Listening(_)) || self.handshakes.available_permits() < HANDSHAKES_AT_ONCE
    }

    /// Why the port cannot be opened.
    pub(in crate::io) fn trouble(&self) -> Option<String> {
        match &*self.state.borrow() {
            State::Failed(cause) => Some(cause.clone()),
            State::Waiting | State::Listening(_) => None,
        }
    }

    pub(in crate::io) fn status(&self, open_flows: usize, counts: ServiceCounts) -> ListenerStatus {
        let mut port = self.target.port;
        let (state, error) = match &*self.state.borrow() {
            State::Waiting => (ListenerState::Waiting, None),
            State::Listening(sockets) => {
                port = sockets.first().map_or(port, SocketAddr::port);
                (ListenerState::Listening, None)
            }
            State::Failed(cause) => (ListenerState::Failed, Some(cause.clone())),
        };
        ListenerStatus {
            name: self.name.clone(),
            address: self.address.clone(),
            host: self.target.host.clone(),
            port,
            state,
            error,
            open_flows,
            counts,
        }
    }

    async fn open(&self) -> Result<Sockets, BindError> {
        let addresses = self.target.addresses().await?;
        let opened = open(&addresses)?;
        Sockets::new(&self.name, opened).map_err(|source| BindError::System { address: addresses[0], source })
    }
}

/// The task of a `tcpListener`, until it is removed.
pub(in crate::io) async fn serve(driver: Rc<Driver>, id: ListenerId, listening: Rc<TcpListening>) {
    let clients = Rc::clone(&driver);
    listen(driver, listening, move |transport, peer| begin(&clients, id, transport, peer)).await;
}

/// The task of a port, until it is removed; `begin` gets the clients, after TLS. One task for its whole life: a port
/// is never opened twice.
pub(in crate::io) async fn listen(
    driver: Rc<Driver>,
    listening: Rc<TcpListening>,
    begin: impl Fn(Transport, SocketAddr) + 'static,
) {
    let begin: Begin = Rc::new(begin);
    let name = &listening.name;
    let mut told = None;
    while !listening.removed.get() {
        if !listening.wanted.get() {
            listening.changed.wait().await;
            continue;
        }
        match listening.open().await {
            Ok(sockets) => {
                told = None;
                let addresses = sockets.addresses();
                tracing::info!(listener = %name, address = %listening.address, sockets = ?addresses, "listening");
                driver.tell(Event::Listening {
                    listener: name.clone(),
                    address: listening.address.clone(),
                    sockets: addresses.clone(),
                });
                *listening.state.borrow_mut() = State::Listening(addresses);
                accept_while_wanted(&driver, &listening, sockets, &begin).await;
                *listening.state.borrow_mut() = State::Waiting;
                tracing::info!(listener = %name, address = %listening.address, "no longer listening");
                driver.tell(Event::NotListening { listener: name.clone() });
            }
            Err(error) => {
                let cause = error.to_string();
                if told.as_ref() != Some(&cause) {
                    tracing::warn!(listener = %name, %cause, "cannot listen, trying again each second");
                    driver.tell(Event::ListenFailed { listener: name.clone(), cause: cause.clone() });
                    told = Some(cause.clone());
                }
                *listening.state.borrow_mut() = State::Failed(cause);
                tokio::select! {
                    () = listening.changed.wait() => {}
                    () = sleep(RETRY) => {}
                }
                if !listening.wanted.get() {
                    *listening.state.borrow_mut() = State::Waiting;
                }
            }
        }
    }
}

async fn accept_while_wanted(driver: &Rc<Driver>, listening: &Rc<TcpListening>, mut sockets: Sockets, begin: &Begin) {
    while listening.wanted.get() {
        // More clients than may shake hands at once wait in the backlog.
        let accept = async {
            let permit = Arc::clone(&listening.handshakes).acquire_owned().await.ok();
            (permit, sockets.accept().await)
        };
        tokio::select! {
            biased;
            () = listening.changed.wait() => {}
            (permit, (stream, peer)) = accept => accepted(driver, listening, stream, peer, permit, begin),
        }
    }
    while let Some((stream, peer)) = sockets.accept_waiting() {
        let permit = Arc::clone(&listening.handshakes).try_acquire_owned().ok();
        accepted(driver, listening, stream, peer, permit, begin);
    }
}

fn accepted(
    driver: &Rc<Driver>,
    listening: &Rc<TcpListening>,
    stream: TcpStream,
    peer: SocketAddr,
    permit: Option<OwnedSemaphorePermit>,
    begin: &Begin,
) {
    let Some(tls) = listening.tls.clone() else {
        begin(Transport::plain(stream), peer);
        return;
    };
    let (listening, begin) = (Rc::clone(listening), Rc::clone(begin));
    driver.spawn(async move {
        let deadline = Instant::now() + SETUP_LIMIT;
        match secure(&listening.name, peer, stream, Some(&tls), deadline).await {
            Some(transport) => begin(transport, peer),
            None => listening.tally.failed(Cause::Tls),
        }
        drop(permit);
    });
}

/// The core hears of a client when it can be served.
fn begin(driver: &Rc<Driver>, id: ListenerId, transport: Transport, peer: SocketAddr) {
    let entered = driver.core(|router, now| {
        let alpn = transport.alpn().and_then(|name| std::str::from_utf8(name).ok());
        let flow = router.accepted(id, peer.to_string(), alpn, now)?;
        Some((flow, driver.enter_flow(flow, Service::Listener(id))))
    });
    match entered {
        Some((flow, signal)) => {
            driver.spawn(flow::run(Rc::clone(driver), flow, transport, signal));
        }
        None => transport.reset_on_drop(),
    }
}
