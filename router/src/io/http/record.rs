//! What is counted and told of bridges and their requests.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::{Response, StatusCode};
use hyper::ext::ReasonPhrase;

use super::connection::HttpConnection;
use super::counts::{Counts, Fault, FaultKind};
use super::encapsulation::Encapsulation;
use crate::io::Timestamp;
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
    /// Number of its flow record.
    pub(in crate::io) record: u64,
    pub(in crate::io) added: Timestamp,
    pub(in crate::io) connections: Cell<usize>,
    /// Connections since it was added.
    pub(in crate::io) opened: Cell<u64>,
    pub(in crate::io) open_requests: Cell<usize>,
    requests: Cell<u64>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    pub(in crate::io) last_error: RefCell<Option<String>>,
    /// Of requests that are over.
    pub(super) counts: Counts,
}

impl Bridge {
    pub(in crate::io) fn new(driver: &Rc<Driver>, plan: &super::HttpPlan, listener: bool) -> Bridge {
        Bridge {
            listener,
            name: plan.name.clone(),
            address: plan.address.clone(),
            host: plan.host.clone(),
            port: plan.port,
            encapsulation: plan.encapsulation,
            site_id: plan.site_id.clone(),
            record: driver.core(|router, _| router.new_record()),
            added: Timestamp::now(),
            connections: Cell::new(0),
            opened: Cell::new(0),
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
            version: self.encapsulation.name(),
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
    /// Of the client, or to the server; none when there was none.
    pub(in crate::io) connection: Option<&'a HttpConnection>,
    pub(in crate::io) method: &'a str,
    /// Of the answer, when there was one.
    pub(in crate::io) status: Option<StatusCode>,
    /// The words beside it.
    pub(in crate::io) reason: Option<&'a str>,
    /// Octets of the body that came from the socket.
    pub(in crate::io) bytes_in: u64,
    /// Octets of the body that went to the socket.
    pub(in crate::io) bytes_out: u64,
    pub(in crate::io) duration: Duration,
    /// Until the head of the answer.
    pub(in crate::io) latency: Option<Duration>,
    pub(in crate::io) begun: Instant,
    /// Number of its flow record; the identity of that, and of the far end's when that told.
    pub(in crate::io) number: u64,
    pub(in crate::io) flow_id: &'a str,
    pub(in crate::io) counterflow: Option<&'a str>,
    /// Connector's end: the ids of the routers passed, joined by `|`.
    pub(in crate::io) trace: Option<&'a str>,
    /// The far end's, when it told.
    pub(in crate::io) site: Option<&'a str>,
    /// None: ended well.
    pub(in crate::io) fault: Option<&'a Fault>,
}

/// One request while it runs; its record is told when the last holder lets go.
pub(super) struct Request {
    driver: Rc<Driver>,
    pub(super) bridge: Rc<Bridge>,
    connection: Option<Rc<HttpConnection>>,
    method: String,
    begun: Instant,
    number: u64,
    pub(super) flow_id: String,
    counterflow: RefCell<Option<String>>,
    trace: RefCell<Option<String>>,
    site: RefCell<Option<String>>,
    answered: Cell<Option<(StatusCode, Duration)>>,
    reason: RefCell<Option<String>>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    outcome: RefCell<Option<Result<(), Fault>>>,
}

impl Request {
    pub(super) fn new(
        driver: &Rc<Driver>,
        bridge: &Rc<Bridge>,
        connection: Option<Rc<HttpConnection>>,
        method: &http::Method,
    ) -> Rc<Request> {
        bridge.open_requests.set(bridge.open_requests.get() + 1);
        bridge.requests.set(bridge.requests.get() + 1);
        let (number, flow_id) = driver.core(|router, _| {
            let number = router.new_record();
            (number, router.record_id(number))
        });
        Rc::new(Request {
            driver: Rc::clone(driver),
            bridge: Rc::clone(bridge),
            connection,
            method: method.to_string(),
            begun: Instant::now(),
            number,
            flow_id,
            counterflow: RefCell::default(),
            trace: RefCell::default(),
            site: RefCell::default(),
            answered: Cell::new(None),
            reason: RefCell::default(),
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

    pub(super) fn answered<B>(&self, response: &Response<B>) {
        let status = response.status();
        let reason = match response.extensions().get::<ReasonPhrase>() {
            Some(reason) => Some(String::from_utf8_lossy(reason.as_bytes()).into_owned()),
            None => status.canonical_reason().map(str::to_owned),
        };
        *self.reason.borrow_mut() = reason;
        self.answered.set(Some((status, self.begun.elapsed())));
    }

    pub(super) fn counterflow(&self, identity: &[u8]) {
        *self.counterflow.borrow_mut() = Some(String::from_utf8_lossy(identity).into_owned());
    }

    /// The routers passed.
    pub(super) fn came_by(&self, trace: String) {
        *self.trace.borrow_mut() = Some(trace);
    }

    pub(super) fn site(&self, site: Option<String>) {
        *self.site.borrow_mut() = site;
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
        let (counterflow, trace, site) = (self.counterflow.take(), self.trace.take(), self.site.take());
        let reason = self.reason.take();
        let record = RequestRecord {
            bridge,
            connection: self.connection.as_deref(),
            method: &self.method,
            status: self.answered.get().map(|(status, _)| status),
            reason: reason.as_deref(),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            duration: self.begun.elapsed(),
            latency: self.answered.get().map(|(_, latency)| latency),
            begun: self.begun,
            number: self.number,
            flow_id: &self.flow_id,
            counterflow: counterflow.as_deref(),
            trace: trace.as_deref(),
            site: site.as_deref(),
            fault: fault.as_ref(),
        };
        bridge.counts.count(&record);
        self.driver.http_request(&record);
    }
}
