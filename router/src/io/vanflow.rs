//! The task that tells collectors what this router knows: it looks at what there is once a second, while somebody
//! listens.

use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use moorline_amqp::{DeliveryState, End};
use tokio::time::{MissedTickBehavior, interval};

use super::driver::{Driver, Owner};
use super::http::{Bridge, Encapsulation, RequestRecord};
use super::{Timestamp, UplinkState};
use crate::core::{EndpointEvent, EndpointId, FlowSnapshot, Router};
use crate::vanflow::{BEACONS, Dialect, Kind, Link, Moment, Recorder, Request, Round, RouterFacts, Service};

/// Between two looks at what there is.
const ROUND: Duration = Duration::from_secs(1);
/// Rounds between heartbeats, and between beacons.
const HEARTBEAT: u64 = 2;
const BEACON: u64 = 10;

/// What the task needs of the plan; the rest it sees while it runs.
pub(super) struct Telling {
    facts: RouterFacts,
}

impl Telling {
    pub(super) fn new(facts: RouterFacts) -> Telling {
        Telling { facts }
    }

    /// Runs as long as the router.
    pub(super) async fn run(self, driver: Rc<Driver>) {
        let (endpoint, signal) = driver.add_endpoint();
        let source = driver.recorder.borrow().source().clone();
        driver.core(|router, _| {
            for address in [BEACONS, &source.events, &source.flows] {
                router.produce(endpoint, address);
            }
            for address in [&source.direct, &source.additions] {
                router.subscribe(endpoint, address);
            }
        });
        let mut rounds = interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count = 0;
        loop {
            let (sought, heard) = {
                let recorder = driver.recorder.borrow();
                (recorder.is_sought(), recorder.is_heard())
            };
            tokio::select! {
                biased;
                () = signal.wait() => {
                    match listen(&driver, endpoint) {
                        Some(Listener::Collector) => count = 0,
                        Some(Listener::OfRecords) => {}
                        None => continue,
                    }
                    // Who begins to listen waits for nothing.
                    rounds.reset_immediately();
                }
                _ = rounds.tick(), if sought || heard => {
                    self.tell(&driver, endpoint, count);
                    count += 1;
                }
            }
        }
    }

    fn tell(&self, driver: &Rc<Driver>, endpoint: EndpointId, count: u64) {
        driver.core(|router, now| {
            let mut recorder = driver.recorder.borrow_mut();
            let moment = moment(now);
            if recorder.is_sought() && count.is_multiple_of(BEACON) {
                router.send_message(endpoint, BEACONS, &recorder.beacon(), Some(End::LastSettled));
            }
            if recorder.is_watched() && count.is_multiple_of(HEARTBEAT) {
                let heartbeat = recorder.heartbeat(moment.micros);
                router.send_message(endpoint, &recorder.source().events, &heartbeat, Some(End::LastSettled));
            }
            if recorder.is_heard() {
                let mut round = recorder.round(dialect(driver), moment);
                self.describe(driver, router, &mut round);
                round.end();
                recorder.flush(moment.micros, |to, bytes| {
                    router.send_message(endpoint, to, &bytes, Some(End::LastSettled));
                });
            }
        });
    }

    fn describe(&self, driver: &Driver, router: &Router, round: &mut Round<'_>) {
        round.router(&self.facts);
        for (id, listening) in &*driver.listeners.borrow() {
            if let Some(tally) = router.listener_tally(id) {
                round.service(&Service {
                    number: tally.record,
                    kind: Kind::Listener,
                    name: &listening.name,
                    address: &listening.address,
                    protocol: "tcp",
                    host: &listening.target.host,
                    port: listening.target.port,
                    started: micros(listening.added),
                    opened: tally.opened,
                });
            }
        }
        for (id, connector) in &*driver.connectors.borrow() {
            if let Some(tally) = router.connector_tally(id) {
                round.service(&Service {
                    number: tally.record,
                    kind: Kind::Connector,
                    name: &connector.name,
                    address: &connector.address,
                    protocol: "tcp",
                    host: &connector.target.host,
                    port: connector.target.port,
                    started: micros(connector.added),
                    opened: tally.opened,
                });
            }
        }
        let listeners = driver.http_listeners.borrow();
        let connectors = driver.http_connectors.borrow();
        let bridges = listeners.iter().map(|listener| &listener.bridge);
        for bridge in bridges.chain(connectors.iter().map(|connector| &connector.bridge)) {
            round.service(&http_service(bridge));
        }
        for known in driver.uplinks.all() {
            let (plan, uplink) = (&known.plan, known.status());
            let up = uplink.state == UplinkState::Up;
            let peer = uplink.peer.as_ref().filter(|_| up);
            let conn = driver.uplink_connection(&known);
            round.link(&Link {
                number: known.record,
                name: &uplink.name,
                peer: peer.map(|peer| &*peer.container),
                access: conn.and_then(|conn| router.peer_access(conn)),
                traffic: conn.map(|conn| router.traffic(conn)).unwrap_or_default(),
                port: uplink.port,
                tls: plan.target.tls.is_some(),
                cost: plan.cost,
                since: micros(uplink.since),
                losses: uplink.losses,
            });
        }
        router.flows().for_each(|flow| round.flow(&flow));
        for connection in driver.http_connections.borrow().values() {
            round.flow(&connection.snapshot());
        }
    }
}

fn http_service(bridge: &Bridge) -> Service<'_> {
    Service {
        number: bridge.record,
        kind: if bridge.listener { Kind::Listener } else { Kind::Connector },
        name: &bridge.name,
        address: &bridge.address,
        protocol: bridge.encapsulation.name(),
        host: &bridge.host,
        port: bridge.port,
        started: micros(bridge.added),
        opened: bridge.opened.get(),
    }
}

/// Who has begun to listen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Listener {
    /// To records of ours.
    OfRecords,
    /// To beacons.
    Collector,
}

/// Hears what has happened.
fn listen(driver: &Rc<Driver>, endpoint: EndpointId) -> Option<Listener> {
    let mut new = None;
    driver.core(|router, _| {
        let mut recorder = driver.recorder.borrow_mut();
        while let Some(event) = router.poll_endpoint(endpoint) {
            match event {
                EndpointEvent::Reachable { address, reachable } => {
                    recorder.reachable(&address, reachable);
                    let listener = if &*address == BEACONS { Listener::Collector } else { Listener::OfRecords };
                    new = new.max(reachable.then_some(listener));
                }
                EndpointEvent::Arrived { message, address } => {
                    // Both kinds of messages to us are whole and small; a larger one is not for us.
                    let state = match router.message_input(message) {
                        Some((bytes, true)) => {
                            recorder.message(&address, bytes);
                            DeliveryState::Accepted
                        }
                        _ => DeliveryState::Rejected(None),
                    };
                    router.settle_message(message, state);
                }
                EndpointEvent::Input(_)
                | EndpointEvent::Aborted(_)
                | EndpointEvent::Room(_)
                | EndpointEvent::Outcome { .. } => {}
            }
        }
    });
    new
}

impl Driver {
    /// Writes a flow's end down, if somebody listens.
    pub(super) fn record_end(&self, flow: &FlowSnapshot<'_>) {
        let mut recorder = self.recorder.borrow_mut();
        if recorder.is_heard() {
            recorder.flow_ended(flow, moment(Instant::now()));
        }
    }

    /// The same for a request. One that reached no connection has no place among the records; the far end tells of it.
    pub(super) fn record_request(&self, record: &RequestRecord<'_>) {
        let mut recorder = self.recorder.borrow_mut();
        let Some(connection) = record.connection.filter(|_| recorder.is_heard()) else { return };
        let is_http1 = record.bridge.encapsulation == Encapsulation::Http1;
        // Collectors count every method and result that they see, so that each is told by the end whose records have
        // it in skupper-router: the method by the listener's, the result in HTTP/2 by the connector's. The listener's
        // end names the other in HTTP/2 alone.
        let status = record.status.filter(|_| record.bridge.listener == is_http1);
        let fault = record.fault.map(|fault| fault.words.as_str());
        let request = Request {
            number: record.number,
            connection: connection.record,
            started: record.begun,
            octets: record.bytes_in,
            latency: record.latency,
            method: Some(record.method).filter(|_| record.bridge.listener),
            status: status.map(|status| status.as_u16()),
            reason: fault.or(record.reason.filter(|_| status.is_some() && is_http1)),
            counterflow: record.counterflow.filter(|_| !(record.bridge.listener && is_http1)),
            trace: record.trace,
        };
        recorder.request_ended(&request, moment(Instant::now()));
    }
}

/// A book-keeper for this router.
pub(super) fn recorder(router: &Router) -> Recorder {
    Recorder::new(router.record_prefix())
}

fn dialect(driver: &Driver) -> Dialect {
    let connections = driver.connections.borrow();
    let routers = connections.values().filter(|entry| !matches!(entry.owner, Owner::Client(_)));
    Dialect::of(routers.filter_map(|entry| entry.peer.as_ref()?.version.as_deref()))
}

/// Now, on both clocks.
pub(super) fn moment(now: Instant) -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Moment { now, micros: u64::try_from(since.as_micros()).unwrap_or(u64::MAX) }
}

fn micros(at: Timestamp) -> u64 {
    u64::try_from(at.unix()).unwrap_or(0).saturating_mul(1_000_000)
}
