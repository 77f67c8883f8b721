//! What is counted and told of bridges and their requests.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::StatusCode;

use super::counts::{Counts, Fault, FaultKind};
use super::encapsulation::Encapsulation;
use crate::io::driver::Driver;
use crate::io::status::HttpBridgeStatus;

/// An `httpListener` or `httpConnector`, and what is counted of it.
#[derive(Debug)]
pub(in crate::io) struct Bridge {
    /// True: `httpListener`.
    pub(in crate::io) listener: bool,
    pub(in crate::io) name: String,
    pub(in crate::io) address: String,
    pub(in crate::io) host: String,
    pub(in crate::io) port: u16,
    pub(in crate::io) encapsulation: Encapsulation,
    pub(in crate::io) site_id: String,
    pub(in crate::io) connections: Cell<usize>,
    pub(in crate::io) open_requests: Cell<usize>,
    requests: Cell<u64>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    pub(in crate::io) last_error: RefCell<Option<String>>,
    /// Of requests that are over.
    pub(super) counts: Counts,
}

impl Bridge {
    pub(in crate::io) fn new(plan: &super::HttpPlan, listener: bool) -> Bridge {
        Bridge {
            listener,
            name: plan.name.clone(),
            address: plan.address.clone(),
            host: plan.host.clone(),
            port: plan.port,
            encapsulation: plan.encapsulation,
            site_id: plan.site_id.clone(),
            connections: Cell::new(0),
            open_requests: Cell::new(0),
            requests: Cell::new(0),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            last_error: RefCell::default(),
            counts: Counts::default(),
        }
    }

    pub(super) fn count_in(&self, octets: usize) {
        self.bytes_in.set(self.bytes_in.get() + octets as u64);
    }

    pub(super) fn count_out(&self, octets: usize) {
        self.bytes_out.set(self.bytes_out.get() + octets as u64);
    }

    pub(in crate::io) fn status(&self) -> HttpBridgeStatus {
        HttpBridgeStatus {
            name: self.name.clone(),
            address: self.address.clone(),
            host: self.host.clone(),
            port: self.port,
            version: match self.encapsulation {
                Encapsulation::Http1 => "http1",
                Encapsulation::Http2 => "http2",
            },
            open_connections: self.connections.get(),
            open_requests: self.open_requests.get(),
            requests: self.requests.get(),
            finished: self.counts.status(),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            state: None,
            last_error: self.last_error.borrow().clone(),
        }
    }
}

/// One request, when it is over.
#[derive(Debug)]
pub(in crate::io) struct RequestRecord<'a> {
    pub(in crate::io) bridge: &'a Bridge,
    /// The socket's peer: client, or server.
    pub(in crate::io) peer: &'a str,
    pub(in crate::io) method: &'a str,
    /// Of the answer, when there was one.
    pub(in crate::io) status: Option<StatusCode>,
    /// Octets of the body that came from the socket.
    pub(in crate::io) bytes_in: u64,
    /// Octets of the body that went to the socket.
    pub(in crate::io) bytes_out: u64,
    pub(in crate::io) duration: Duration,
    /// Until the head of the answer.
    pub(in crate::io) latency: Option<Duration>,
    /// Identity of its flow, and of the far end's when that told.
    pub(in crate::io) flow_id: &'a str,
    pub(in crate::io) counterflow: Option<&'a str>,
    /// None: ended well.
    pub(in crate::io) fault: Option<&'a Fault>,
}

/// One request while it runs; its record is told when the last holder lets go.
pub(super) struct Request {
    driver: Rc<Driver>,
    pub(super) bridge: Rc<Bridge>,
    peer: String,
    method: String,
    begun: Instant,
    pub(super) flow_id: String,
    counterflow: RefCell<Option<String>>,
    answered: Cell<Option<(StatusCode, Duration)>>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    outcome: RefCell<Option<Result<(), Fault>>>,
}

impl Request {
    pub(super) fn new(driver: &Rc<Driver>, bridge: &Rc<Bridge>, peer: String, method: &http::Method) -> Rc<Request> {
        bridge.open_requests.set(bridge.open_requests.get() + 1);
        bridge.requests.set(bridge.requests.get() + 1);
        let flow_id = driver.core(|router, _| {
            let number = router.new_record();
            router.record_id(number)
        });
        Rc::new(Request {
            driver: Rc::clone(driver),
            bridge: Rc::clone(bridge),
            peer,
            method: method.to_string(),
            begun: Instant::now(),
            flow_id,
            counterflow: RefCell::default(),
            answered: Cell::new(None),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            outcome: RefCell::default(),
        })
    }

    pub(super) fn count_in(&self, octets: usize) {
        self.bytes_in.set(self.bytes_in.get() + octets as u64);
    }

    pub(super) fn count_out(&self, octets: usize) {
        self.bytes_out.set(self.bytes_out.get() + octets as u64);
    }

    pub(super) fn answered(&self, status: StatusCode) {
        self.answered.set(Some((status, self.begun.elapsed())));
    }

    pub(super) fn counterflow(&self, identity: &[u8]) {
        *self.counterflow.borrow_mut() = Some(String::from_utf8_lossy(identity).into_owned());
    }

    /// How it ended; the first word counts.
    pub(super) fn ended(&self, outcome: Result<(), Fault>) {
        self.outcome.borrow_mut().get_or_insert(outcome);
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let bridge = &self.bridge;
        bridge.open_requests.set(bridge.open_requests.get().saturating_sub(1));
        let gone = || match bridge.listener {
            true => FaultKind::Client.because("the client is gone"),
            false => FaultKind::Server.because("the server is gone"),
        };
        let fault = self.outcome.take().unwrap_or_else(|| Err(gone())).err();
        let counterflow = self.counterflow.take();
        let record = RequestRecord {
            bridge,
            peer: &self.peer,
            method: &self.method,
            status: self.answered.get().map(|(status, _)| status),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            duration: self.begun.elapsed(),
            latency: self.answered.get().map(|(_, latency)| latency),
            flow_id: &self.flow_id,
            counterflow: counterflow.as_deref(),
            fault: fault.as_ref(),
        };
        bridge.counts.count(&record);
        self.driver.http_request(&record);
    }
}
