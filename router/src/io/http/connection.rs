//! One TCP connection of a bridge, as management and flow records show it.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::task::Context;
use std::time::Instant;

use super::record::Bridge;
use crate::core::FlowSnapshot;
use crate::io::driver::Driver;
use crate::io::signal::Signal;
use crate::io::transport::Transport;
use crate::management::types::connection::Tls;

/// An open connection of a client, or to a server.
#[derive(Debug)]
pub(in crate::io) struct HttpConnection {
    /// Unique among connections of all kinds.
    pub(in crate::io) number: u64,
    /// Number of its flow record.
    pub(in crate::io) record: u64,
    pub(in crate::io) bridge: Rc<Bridge>,
    /// The socket's other end.
    pub(in crate::io) peer: String,
    /// Connector's end: ours.
    local: String,
    pub(in crate::io) began: Instant,
    pub(in crate::io) tls: Option<Tls>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    cut: Cell<bool>,
    /// It is cut now.
    cut_now: Signal,
}

impl HttpConnection {
    /// Enters it in the books, until [`HttpConnection::close`].
    pub(super) fn open(
        driver: &Rc<Driver>,
        bridge: &Rc<Bridge>,
        transport: &Transport,
        peer: String,
    ) -> Rc<HttpConnection> {
        let local = transport.local_addr().filter(|_| !bridge.listener);
        let connection = Rc::new(HttpConnection {
            number: driver.new_number(),
            record: driver.core(|router, _| router.new_record()),
            bridge: Rc::clone(bridge),
            peer,
            local: local.map(|local| local.to_string()).unwrap_or_default(),
            began: Instant::now(),
            tls: transport.tls(),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            cut: Cell::new(false),
            cut_now: Signal::default(),
        });
        bridge.connections.set(bridge.connections.get() + 1);
        bridge.opened.set(bridge.opened.get() + 1);
        driver.http_connections.borrow_mut().insert(connection.number, Rc::clone(&connection));
        connection
    }

    pub(super) fn close(&self, driver: &Driver) {
        self.bridge.connections.set(self.bridge.connections.get().saturating_sub(1));
        driver.http_connections.borrow_mut().remove(&self.number);
        driver.record_end(&self.snapshot());
    }

    /// Breaks it off: whoever reads or writes hears of a failure.
    pub(in crate::io) fn cut(&self) {
        self.cut.set(true);
        self.cut_now.set();
    }

    /// Fails from the cut on; until then the task is woken by it.
    pub(super) fn poll_uncut(&self, context: &mut Context<'_>) -> io::Result<()> {
        match self.cut.get() || self.cut_now.poll(context).is_ready() {
            true => Err(io::ErrorKind::ConnectionAborted.into()),
            false => Ok(()),
        }
    }

    pub(super) fn count_in(&self, octets: usize) {
        self.bytes_in.set(self.bytes_in.get() + octets as u64);
        self.bridge.count_in(octets);
    }

    pub(super) fn count_out(&self, octets: usize) {
        self.bytes_out.set(self.bytes_out.get() + octets as u64);
        self.bridge.count_out(octets);
    }

    /// As it is now.
    pub(in crate::io) fn snapshot(&self) -> FlowSnapshot<'_> {
        FlowSnapshot {
            number: self.record,
            parent: self.bridge.record,
            listener: self.bridge.listener,
            address: &self.bridge.address,
            peer: &self.peer,
            local: &self.local,
            started: self.began,
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            // It carries requests, whose ends, routers and times are their own.
            window: None,
            latency: None,
            counterflow: None,
            trace: None,
            error: None,
        }
    }
}
