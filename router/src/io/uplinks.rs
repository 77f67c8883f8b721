//! The uplinks that there are, the preferred ones first: whose turn it is, and what each does.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use moorline_definition::router_config::Connector;

use super::Timestamp;
use super::backoff::Failure;
use super::driver::{Driver, Owner};
use super::plan::{unserved_connector, uplink_plan};
use super::problem::{ServiceError, StartProblem};
use super::signal::Signal;
use super::status::{PeerIdentity, UplinkState, UplinkStatus};
use super::turns::Turns;
use super::uplink::UplinkPlan;
use crate::core::ConnId;

/// The kind, as the configuration names it.
const CONNECTOR: &str = "connector";

/// A connection to the network.
#[derive(Debug)]
pub(super) struct Uplink {
    pub(super) plan: UplinkPlan,
    /// Number of its flow record.
    pub(super) record: u64,
    /// The failure that was told last; each is told once.
    pub(super) told: RefCell<Option<String>>,
    status: RefCell<UplinkStatus>,
}

impl Uplink {
    fn new(plan: UplinkPlan, record: u64) -> Uplink {
        let status = UplinkStatus {
            name: plan.name.clone(),
            host: plan.target.host.clone(),
            port: plan.target.port,
            state: UplinkState::Down,
            since: Timestamp::now(),
            peer: None,
            last_error: None,
            attempts: 0,
            links: 0,
            losses: 0,
            certificate_not_after: plan.certificate_not_after(),
        };
        Uplink { plan, record, told: RefCell::default(), status: RefCell::new(status) }
    }

    pub(super) fn status(&self) -> UplinkStatus {
        self.status.borrow().clone()
    }

    fn is_up(&self) -> bool {
        self.status.borrow().state == UplinkState::Up
    }

    fn enter(&self, state: UplinkState) {
        let mut status = self.status.borrow_mut();
        if status.state != state {
            status.state = state;
            status.since = Timestamp::now();
        }
    }

    fn leave(&self, state: UplinkState, next: UplinkState) {
        if self.status.borrow().state == state {
            self.enter(next);
        }
    }
}

/// All uplinks. One task keeps one of them up.
#[derive(Debug, Default)]
pub(super) struct Uplinks {
    all: RefCell<Vec<Rc<Uplink>>>,
    /// Of each, in the same order.
    turns: RefCell<Turns>,
    /// One was added or removed; for the task that keeps them.
    pub(super) changed: Signal,
}

impl Uplinks {
    pub(super) fn all(&self) -> Vec<Rc<Uplink>> {
        self.all.borrow().clone()
    }

    pub(super) fn status(&self) -> Vec<UplinkStatus> {
        self.all.borrow().iter().map(|uplink| uplink.status()).collect()
    }

    /// Whether it was not removed.
    pub(super) fn has(&self, uplink: &Rc<Uplink>) -> bool {
        self.place(uplink).is_some()
    }

    fn place(&self, uplink: &Rc<Uplink>) -> Option<usize> {
        self.all.borrow().iter().position(|known| Rc::ptr_eq(known, uplink))
    }

    /// The cheapest is tried first, and among equals the oldest.
    fn add(&self, uplink: Uplink) {
        let mut all = self.all.borrow_mut();
        let at = all.partition_point(|known| known.plan.cost <= uplink.plan.cost);
        if all.iter().any(|known| known.is_up()) {
            uplink.enter(UplinkState::Standby);
        }
        all.insert(at, Rc::new(uplink));
        self.turns.borrow_mut().insert(at);
        self.changed.set();
    }

    /// Its task ends its connection.
    fn remove(&self, name: &str) {
        let mut all = self.all.borrow_mut();
        let Some(at) = all.iter().position(|uplink| uplink.plan.name == name) else { return };
        let removed = all.remove(at);
        self.turns.borrow_mut().remove(at);
        if removed.is_up() {
            all.iter().for_each(|other| other.leave(UplinkState::Standby, UplinkState::Down));
        }
        self.changed.set();
    }

    /// The next to try, and when; none: there is no uplink.
    pub(super) fn next(&self, now: Instant) -> Option<(Rc<Uplink>, Instant)> {
        let (at, due) = self.turns.borrow_mut().next(now)?;
        Some((Rc::clone(self.all.borrow().get(at)?), due))
    }

    /// An attempt begins; the others stand by.
    pub(super) fn connecting(&self, uplink: &Rc<Uplink>) {
        for other in self.all.borrow().iter() {
            other.leave(UplinkState::Connecting, UplinkState::Down);
        }
        uplink.enter(UplinkState::Connecting);
        let mut status = uplink.status.borrow_mut();
        status.attempts += 1;
        status.certificate_not_after = uplink.plan.certificate_not_after();
    }

    /// It is linked, the others stand by.
    pub(super) fn up(&self, uplink: &Rc<Uplink>, peer: PeerIdentity) {
        for other in self.all.borrow().iter() {
            other.enter(UplinkState::Standby);
        }
        uplink.enter(UplinkState::Up);
        let mut status = uplink.status.borrow_mut();
        status.attempts = 0;
        status.links += 1;
        status.last_error = None;
        status.peer = Some(peer);
    }

    /// It failed or was lost, or the router stops.
    pub(super) fn down(&self, uplink: &Rc<Uplink>, cause: &str) {
        for other in self.all.borrow().iter() {
            other.leave(UplinkState::Standby, UplinkState::Down);
        }
        let lost = uplink.is_up();
        uplink.enter(UplinkState::Down);
        let mut status = uplink.status.borrow_mut();
        status.losses += u64::from(lost);
        status.last_error = Some(cause.to_owned());
        status.peer = None;
    }

    /// Answers how long it waits before its next turn.
    pub(super) fn failed(&self, uplink: &Rc<Uplink>, failure: Failure, was_up: bool) -> Duration {
        let at = self.place(uplink);
        at.map_or(Duration::ZERO, |at| self.turns.borrow_mut().failed(at, failure, was_up, Instant::now()))
    }
}

impl Driver {
    pub(super) fn add_uplink(self: &Rc<Self>, plan: UplinkPlan) {
        let record = self.core(|router, _| router.new_record());
        self.uplinks.add(Uplink::new(plan, record));
    }

    /// Adds a connector to the running router.
    pub(super) fn add_connector_entity(self: &Rc<Self>, connector: &Connector) -> Result<(), ServiceError> {
        let plan = {
            let config = self.configured.borrow();
            let name = &connector.name;
            if config.connectors.iter().any(|known| known.name == *name) {
                return Err(ServiceError::Exists { kind: CONNECTOR, name: name.clone() });
            }
            if let Some(what) = unserved_connector(connector, config.router.mode) {
                let what = what.to_owned();
                return Err(StartProblem::Unsupported { entity: format!("{CONNECTOR} {name}"), what }.into());
            }
            uplink_plan(connector, &config.proxy_profiles, &self.profiles)?
        };
        self.configured.borrow_mut().connectors.push(connector.clone());
        self.add_uplink(plan);
        tracing::info!(uplink = %connector.name, "an uplink is added");
        Ok(())
    }

    /// Removes a connector: its connection is closed and not made again.
    pub(super) fn remove_connector_entity(&self, name: &str) -> Result<(), ServiceError> {
        let mut config = self.configured.borrow_mut();
        let before = config.connectors.len();
        config.connectors.retain(|connector| connector.name != name);
        if config.connectors.len() == before {
            return Err(ServiceError::Unknown { kind: CONNECTOR, name: name.to_owned() });
        }
        self.uplinks.remove(name);
        tracing::info!(uplink = %name, "an uplink is removed");
        Ok(())
    }

    /// The AMQP connection of an uplink.
    pub(super) fn uplink_connection(&self, uplink: &Rc<Uplink>) -> Option<ConnId> {
        let is_its = |owner: &Owner| matches!(owner, Owner::Uplink(known) if Rc::ptr_eq(known, uplink));
        let connections = self.connections.borrow();
        connections.iter().find(|(_, entry)| is_its(&entry.owner)).map(|(conn, _)| conn)
    }
}
