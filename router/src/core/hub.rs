//! As a hub: the edges, and what they may know about addresses.

use super::Router;
use super::conn::{Conn, LINK_CREDIT, LinkUse};
use super::route::Origin;
use super::table::Dest;
use super::types::ConnId;
use moorline_amqp::{End, Value, message};
use slotmap::SlotMap;
use std::sync::Arc;

impl Router {
    /// An edge's open is there: it can be found under its id from now on.
    pub(super) fn edge_opened(&mut self, conn_id: ConnId) {
        let Some(container) = self.conns.get(conn_id).map(|conn| conn.container.clone()) else { return };
        // The newest wins: after a network fault the old connection may still look alive.
        let known = self.edges.entry(container.clone()).or_default();
        let old = known.last().copied();
        known.push(conn_id);
        if let Some(old) = old.and_then(|old| self.conns.get_mut(old)) {
            old.superseded = true;
            self.warn(format!("a second edge with the id {container:?} has connected; the newer one is used"));
        }
    }

    pub(super) fn edge_gone(&mut self, conn_id: ConnId, container: &str) {
        let Some(known) = self.edges.get_mut(container) else { return };
        known.retain(|other| *other != conn_id);
        match known.last().and_then(|newest| self.conns.get_mut(*newest)) {
            Some(newest) => newest.superseded = false,
            None => drop(self.edges.remove(container)),
        }
    }

    pub(super) fn edge_told_mesh(&mut self, conn_id: ConnId, mesh: String) {
        if let Some(conn) = self.conns.get_mut(conn_id) {
            conn.mesh = Some(mesh);
        }
        let produced: Vec<Arc<str>> = self.produced_by(conn_id);
        for address in produced {
            self.tell_producers(&address);
        }
    }

    fn produced_by(&self, conn_id: ConnId) -> Vec<Arc<str>> {
        let Some(conn) = self.conns.get(conn_id) else { return Vec::new() };
        let address = |used_for: &LinkUse| match used_for {
            LinkUse::In(address) => address.clone(),
            _ => None,
        };
        conn.links.values().filter_map(address).collect()
    }

    /// There is credit or room again: says what could not be said before.
    pub(super) fn tell_untold(&mut self, conn_id: ConnId) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        if conn.untold.is_empty() || !conn.tracking.is_some_and(|link| conn.amqp.can_start(link)) {
            return;
        }
        for address in std::mem::take(&mut conn.untold) {
            self.tell(&address, Some(conn_id));
        }
    }

    /// Tells each edge that has listeners for this address whether it can be reached, if that has changed.
    pub(super) fn tell_producers(&mut self, address: &str) {
        self.tell(address, None);
    }

    /// The same, for one edge only.
    fn tell(&mut self, address: &str, only: Option<ConnId>) {
        let Some(mut producers) = self.table.producers_mut(address).map(std::mem::take) else { return };
        for producer in producers.iter_mut().filter(|producer| only.is_none_or(|only| only == producer.conn)) {
            let reachable = self.reachable_for(address, Origin::Conn(producer.conn));
            if (reachable == producer.told) && (producer.credited || !reachable) {
                continue;
            }
            let Some(conn) = self.conns.get_mut(producer.conn) else { continue };
            if reachable && !producer.credited {
                producer.credited = true;
                conn.amqp.keep_credit(producer.link, LINK_CREDIT);
            }
            if !conn.is_router() {
                producer.told = reachable;
            } else if reachable != producer.told {
                if let Some(link) = conn.tracking.filter(|link| conn.amqp.can_start(*link)) {
                    let body = Value::List(vec![Value::String(format!("M{address}")), Value::Bool(reachable)]);
                    let mut bytes = Vec::new();
                    message::encode_section(message::VALUE as u8, &body, &mut bytes);
                    conn.amqp.start(link, &bytes, End::LastSettled);
                    producer.told = reachable;
                } else {
                    conn.untold.insert(address.into());
                }
            }
            self.wake_conn(producer.conn);
        }
        if let Some(known) = self.table.producers_mut(address) {
            *known = producers;
        }
    }

    /// Tells every edge that nothing can be reached through here any more. Streams under way go on, and those that
    /// come before the edges have closed their ports are served.
    pub fn stop_serving(&mut self) {
        self.leaving = true;
        let addresses: Vec<Arc<str>> = self.table.iter().map(|(address, _)| address.clone()).collect();
        for address in addresses {
            self.tell_producers(&address);
        }
    }

    pub(super) fn reachable_for(&self, address: &str, asking: Origin) -> bool {
        if self.leaving {
            return false;
        }
        let servers = self.table.get(address).map(|entry| entry.servers.as_slice()).unwrap_or_default();
        servers.iter().any(|server| may_serve(&self.conns, server.dest, asking))
    }
}

/// What came from a router never goes back to it, nor to the mesh of edges that it belongs to, and what came from an
/// endpoint never to itself.
pub(super) fn may_serve(conns: &SlotMap<ConnId, Conn>, dest: Dest, origin: Origin) -> bool {
    match (dest, origin) {
        (Dest::Endpoint(endpoint), Origin::Endpoint(origin)) => endpoint != origin,
        (Dest::Remote { conn, .. }, Origin::Conn(origin)) => {
            let mesh = |id: ConnId| conns.get(id).and_then(|conn| conn.mesh.as_deref());
            let echo = conn == origin && conns.get(conn).is_some_and(Conn::is_router);
            !echo && (mesh(conn).is_none() || mesh(conn) != mesh(origin))
        }
        _ => true,
    }
}
