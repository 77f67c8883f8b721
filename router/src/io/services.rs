//! Adding and removing services while the router runs, and its status.

use std::rc::Rc;

use super::Timestamp;
use super::driver::{ConnectorEntry, Driver, Owner, Service};
use super::listen::{BindTarget, TcpListening, probe, serve_tcp};
use super::plan::{ConnectorPlan, ListenerPlan};
use super::problem::{ServiceError, StartProblem};
use super::process;
use super::status::{ConnectorStatus, EdgeStatus, RouterStatus};
use super::tally::Tally;
use crate::core::{Mode, Settings};

/// Kinds, as the configuration names them.
const LISTENER: &str = "tcpListener";
const CONNECTOR: &str = "tcpConnector";

impl Driver {
    /// Adds a listener; its port opens when the core says so.
    pub(super) fn add_listener(self: &Rc<Self>, plan: ListenerPlan) -> Result<(), ServiceError> {
        let name = plan.spec.name.clone();
        self.free_listener_name(&name)?;
        let listeners = &self.listeners;
        let address = plan.spec.address.clone();
        let listening = Rc::new(TcpListening::new(name, address, plan.target, plan.tls));
        // Known before the core's actions are carried out: the first may be to open the port.
        let id = self.core(|router, _| {
            let id = router.add_listener(plan.spec);
            listeners.borrow_mut().insert(id, Rc::clone(&listening));
            id
        });
        self.configured.borrow_mut().tcp_listeners.push(plan.entity);
        self.spawn(serve_tcp(Rc::clone(self), id, listening));
        Ok(())
    }

    fn free_listener_name(&self, name: &str) -> Result<(), ServiceError> {
        if self.listeners.borrow().values().any(|listening| listening.name == name) {
            return Err(ServiceError::Exists { kind: LISTENER, name: name.to_owned() });
        }
        Ok(())
    }

    /// Adds a listener whose port is free now: its host may have to be resolved, which must not stop the router.
    pub(super) async fn add_free_listener(self: &Rc<Self>, plan: ListenerPlan) -> Result<(), ServiceError> {
        self.free_listener_name(&plan.spec.name)?;
        self.port_is_free(format!("{LISTENER} {}", plan.spec.name), &plan.target).await?;
        self.add_listener(plan)
    }

    /// Whether `entity` can have its port now.
    pub(super) async fn port_is_free(&self, entity: String, target: &BindTarget) -> Result<(), ServiceError> {
        let free = match target.addresses().await {
            Ok(addresses) => probe(&addresses),
            Err(error) => Err(error),
        };
        match free {
            Err(source) => Err(ServiceError::Problem(StartProblem::Bind { entity, source })),
            Ok(()) if self.draining.get() => Err(ServiceError::Stopped),
            Ok(()) => Ok(()),
        }
    }

    /// Removes a listener: its port closes, its connections go on.
    pub(super) fn remove_listener(self: &Rc<Self>, name: &str) -> Result<(), ServiceError> {
        let found = self
            .listeners
            .borrow()
            .iter()
            .find_map(|(id, listening)| (listening.name == name).then(|| (id, Rc::clone(listening))));
        let Some((id, listening)) = found else {
            return Err(ServiceError::Unknown { kind: LISTENER, name: name.to_owned() });
        };
        self.core(|router, _| router.remove_listener(id));
        listening.remove();
        self.listeners.borrow_mut().remove(id);
        self.configured.borrow_mut().tcp_listeners.retain(|entity| entity.name != name);
        Ok(())
    }

    /// Adds a connector and announces its address.
    pub(super) fn add_connector(self: &Rc<Self>, plan: ConnectorPlan) -> Result<(), ServiceError> {
        let name = plan.spec.name.clone();
        let connectors = &self.connectors;
        if connectors.borrow().values().any(|c| c.name == name) {
            let kind = CONNECTOR;
            return Err(ServiceError::Exists { kind, name });
        }
        let entry = Rc::new(ConnectorEntry {
            name,
            address: plan.spec.address.clone(),
            target: plan.target,
            last_error: None.into(),
            added: Timestamp::now(),
            tally: Tally::default(),
        });
        self.core(|router, _| {
            let id = router.add_connector(plan.spec);
            connectors.borrow_mut().insert(id, entry);
        });
        self.configured.borrow_mut().tcp_connectors.push(plan.entity);
        Ok(())
    }

    /// Withdraws a connector: no new connections come, open ones go on.
    pub(super) fn remove_connector(self: &Rc<Self>, name: &str) -> Result<(), ServiceError> {
        let found = self.connectors.borrow().iter().find_map(|(id, entry)| (entry.name == name).then_some(id));
        let Some(id) = found else {
            return Err(ServiceError::Unknown { kind: CONNECTOR, name: name.to_owned() });
        };
        self.core(|router, _| router.remove_connector(id));
        self.connectors.borrow_mut().remove(id);
        self.configured.borrow_mut().tcp_connectors.retain(|entity| entity.name != name);
        Ok(())
    }

    /// All that is known now.
    pub(super) fn status(self: &Rc<Self>, settings: &Settings) -> RouterStatus {
        let open = self.open_traffic();
        let listeners = self.listeners.borrow();
        let connectors = self.connectors.borrow();
        RouterStatus {
            id: settings.id.clone(),
            version: settings.version.clone(),
            started: self.began,
            mode: match settings.mode {
                Mode::Edge => "edge",
                Mode::Hub => "hub",
            },
            draining: self.draining.get(),
            uplinks: self.uplinks.status(),
            listeners: listeners
                .iter()
                .map(|(id, listening)| {
                    let service = Service::Listener(id);
                    listening.status(open.connections(service), open.counts(service, &listening.tally))
                })
                .collect(),
            connectors: connectors
                .iter()
                .map(|(id, entry)| ConnectorStatus {
                    name: entry.name.clone(),
                    address: entry.address.clone(),
                    host: entry.target.host.clone(),
                    port: entry.target.port,
                    open_flows: open.connections(Service::Connector(id)),
                    last_error: entry.last_error.borrow().clone(),
                    counts: open.counts(Service::Connector(id), &entry.tally),
                })
                .collect(),
            http_listeners: self.http_listeners.borrow().iter().map(|listener| listener.status()).collect(),
            http_connectors: self.http_connectors.borrow().iter().map(|connector| connector.bridge.status()).collect(),
            certificates: self.profiles.in_use().iter().map(|profile| profile.status()).collect(),
            edges: self.edges(),
            announced: self.service_sync.borrow().announced().to_vec(),
            services: self.heard_services(),
            totals: self.totals.status(self.flows.borrow().len()),
            memory: process::memory(),
        }
    }

    fn edges(&self) -> Vec<EdgeStatus> {
        let connections = self.connections.borrow();
        connections
            .values()
            .filter_map(|entry| match (&entry.owner, &entry.peer) {
                (Owner::Edge(peer), Some(identity)) => Some(EdgeStatus {
                    container: identity.container.clone(),
                    version: identity.version.clone(),
                    peer: peer.clone(),
                    since: entry.since,
                }),
                _ => None,
            })
            .collect()
    }
}
