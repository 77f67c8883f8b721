//! The orderly end: nothing new, what runs may finish, AMQP says goodbye.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::driver::{CLOSE_LIMIT, Driver};
use super::signal::Signal;

/// How often the drain looks.
const LOOK: Duration = Duration::from_millis(20);
/// Time for the tasks of listeners to close their ports.
const PORT_LIMIT: Duration = Duration::from_millis(500);
/// Time for the sockets of cut connections to be dropped and logged.
const CUT_LIMIT: Duration = Duration::from_millis(500);

/// What a drain left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// TCP connections (a hub: streams of its edges) that were still open at the deadline and were cut.
    pub cut: usize,
}

/// A drain under way.
#[derive(Debug)]
pub(super) struct Drain {
    deadline: Cell<Instant>,
    done: Cell<Option<Drained>>,
    pub(super) finished: Signal,
}

impl Drain {
    pub(super) fn new(deadline: Instant) -> Drain {
        Drain { deadline: Cell::new(deadline), done: Cell::new(None), finished: Signal::default() }
    }

    /// A second wish can only make it shorter.
    pub(super) fn hasten(&self, deadline: Instant) {
        self.deadline.set(self.deadline.get().min(deadline));
    }

    pub(super) fn outcome(&self) -> Option<Drained> {
        self.done.get()
    }

    /// Carries the drain out, then sets `finished`.
    pub(super) async fn run(self: Rc<Self>, driver: Rc<Driver>) {
        driver.draining.set(true);
        close_services(&driver).await;
        while busy(&driver) > 0 && Instant::now() < self.deadline.get() {
            sleep(LOOK).await;
        }
        let cut = busy(&driver);
        if cut > 0 {
            tracing::warn!(connections = cut, "connections are still open and are cut now");
        }
        let connections: Vec<_> = driver.connections.borrow().keys().collect();
        for conn in connections {
            driver.close_connection(conn, None);
        }
        until(CLOSE_LIMIT, || driver.connections.borrow().is_empty()).await;
        until(CUT_LIMIT, || driver.open_flows() == 0).await;
        self.done.set(Some(Drained { cut }));
        self.finished.set();
    }
}

/// Ports close first, so that clients whom the kernel has taken are still served; then the network sends nothing new.
/// Status goes on showing the services.
async fn close_services(driver: &Rc<Driver>) {
    let listeners: Vec<_> = {
        let listeners = driver.listeners.borrow();
        listeners.iter().map(|(id, l)| (id, Rc::clone(l))).collect()
    };
    let http_listeners: Vec<_> = driver.http_listeners.borrow().clone();
    for (_, listening) in &listeners {
        listening.remove();
    }
    for listener in &http_listeners {
        listener.close();
    }
    let is_open = || {
        listeners.iter().any(|(_, listening)| listening.is_open())
            || http_listeners.iter().any(|listener| listener.port.is_open())
    };
    until(PORT_LIMIT, || !is_open()).await;
    for connector in driver.http_connectors.borrow().iter() {
        connector.close();
    }
    let connectors: Vec<_> = driver.connectors.borrow().keys().collect();
    driver.core(|router, _| {
        router.stop_serving();
        for (id, _) in &listeners {
            router.remove_listener(*id);
        }
        for id in connectors {
            router.remove_connector(id);
        }
    });
}

/// What a drain waits for: our own TCP connections and HTTP requests, and streams between our edges.
fn busy(driver: &Rc<Driver>) -> usize {
    let listeners = driver.http_listeners.borrow();
    let connectors = driver.http_connectors.borrow();
    let bridges = listeners.iter().map(|l| &l.bridge).chain(connectors.iter().map(|c| &c.bridge));
    let requests: usize = bridges.map(|bridge| bridge.open_requests.get()).sum();
    driver.open_flows() + requests + driver.core(|router, _| router.open_splices())
}

async fn until(limit: Duration, reached: impl Fn() -> bool) {
    let deadline = Instant::now() + limit;
    while !reached() && Instant::now() < deadline {
        sleep(LOOK).await;
    }
}
