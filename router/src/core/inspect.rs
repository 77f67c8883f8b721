//! What may be asked of the core for the network's console and for management: flows, services, connections.

use super::Router;
use super::flow::FlowSnapshot;
use super::types::{ConnId, ConnectorId, Encapsulation, FlowId, ListenerId, ServiceTally};

impl Router {
    /// Five characters in front of the numbers of this router's records; together they are unique in the network.
    pub fn record_prefix(&self) -> &str {
        &self.record_prefix
    }

    /// How the network knows the record of this number.
    pub fn record_id(&self, number: u64) -> String {
        format!("{}:{number}", self.record_prefix)
    }

    /// A number that no other record of this router has. It begins with 1.
    pub fn new_record(&mut self) -> u64 {
        self.records += 1;
        self.records
    }

    pub(in crate::core) fn new_tally(&mut self) -> ServiceTally {
        ServiceTally { record: self.new_record(), opened: 0 }
    }

    /// What the peer calls the record of its port that this connection uses.
    pub fn peer_access(&self, conn: ConnId) -> Option<&str> {
        self.conns.get(conn)?.access.as_deref()
    }

    /// Bytes received and sent on a connection.
    pub fn traffic(&self, conn: ConnId) -> (u64, u64) {
        self.conns.get(conn).map(|conn| conn.traffic).unwrap_or_default()
    }

    /// One flow.
    pub fn flow(&self, id: FlowId) -> Option<FlowSnapshot<'_>> {
        self.flows.get(id).map(|flow| flow.snapshot())
    }

    /// All flows that are open, in no order.
    pub fn flows(&self) -> impl Iterator<Item = FlowSnapshot<'_>> {
        self.flows.values().map(|flow| flow.snapshot())
    }

    /// What a listener has seen.
    pub fn listener_tally(&self, id: ListenerId) -> Option<ServiceTally> {
        self.listeners.get(id).map(|entry| entry.tally)
    }

    /// How the streams of a listener travel: as configured, else as the network of the moment asks.
    pub fn listener_encapsulation(&self, id: ListenerId) -> Option<Encapsulation> {
        let configured = self.listeners.get(id)?.encapsulation;
        let asked = || self.uplink().map_or(Encapsulation::Legacy, |uplink| self.network_encapsulation(uplink));
        Some(configured.unwrap_or_else(asked))
    }

    /// What a connector has seen.
    pub fn connector_tally(&self, id: ConnectorId) -> Option<ServiceTally> {
        self.connectors.get(id).map(|entry| entry.tally)
    }
}
