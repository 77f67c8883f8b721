//! As a hub: the links of edges, what they may know about addresses, and messages for many.

use super::Router;
use super::conn::{Conn, LINK_CREDIT, LinkUse};
use super::edge::{ADDRESS_TRACKING, DOWNLINK, MESH_DISCOVERY};
use super::table::Dest;
use super::types::{ConnId, ConnRole};
use moorline_amqp::{Attach, Condition, End, LinkId, Role, Terminus, Value, message};
use slotmap::SlotMap;
use std::sync::Arc;

/// Credit on the mesh link, as an interior router gives.
const MESH_CREDIT: u32 = 3;
/// Longest address that we keep in the table, bytes.
const MAX_ADDRESS: usize = 1024;
/// Links that one peer may have open.
const MAX_LINKS: usize = 100_000;

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

    /// The peer wants a link.
    pub(super) fn on_attach(&mut self, conn_id: ConnId, link: LinkId, attach: Attach) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        let coordinator = attach.target.as_ref().is_some_and(|target| target.coordinator);
        let decided = match (conn.spec.role, attach.role) {
            _ if conn.links.len() >= MAX_LINKS => {
                Err(Condition::new("amqp:resource-limit-exceeded", "too many links on this connection"))
            }
            _ if coordinator => Err(Condition::new("amqp:not-implemented", "there are no transactions here")),
            (_, Role::Receiver) => incoming_link(&attach, conn.spec.role),
            (ConnRole::Edge, Role::Sender) => outgoing_link(&attach, &conn.container),
            (ConnRole::Uplink, Role::Sender) => {
                Err(Condition::new("amqp:not-allowed", "an edge is not consumed from this way"))
            }
        };
        let used_for = match decided {
            Ok(used_for) => used_for,
            Err(condition) => {
                conn.amqp.refuse(link, condition);
                return self.wake_conn(conn_id);
            }
        };
        let (source, target) = answered(&attach);
        conn.amqp.accept(link, Some(source), Some(target));
        conn.links.insert(link, used_for.clone());
        match used_for {
            LinkUse::TrackingOut => conn.tracking = Some(link),
            LinkUse::In(None) => conn.amqp.keep_credit(link, LINK_CREDIT),
            LinkUse::MeshIn => conn.amqp.keep_credit(link, MESH_CREDIT),
            LinkUse::Out(None) => conn.base = Some(link),
            LinkUse::In(Some(address)) => {
                self.table.add_producer(&address, conn_id, link);
                self.tell_producers(&address);
            }
            LinkUse::Out(Some(address)) => {
                self.table.add_server(&address, Dest::Remote { conn: conn_id, link: Some(link) });
                self.address_changed(&address);
            }
            _ => {}
        }
        self.wake_conn(conn_id);
    }

    pub(super) fn on_detached(&mut self, conn_id: ConnId, link: LinkId, refused: bool) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        // A peer may attach the next before it detaches the last.
        conn.base = conn.base.filter(|base| *base != link);
        conn.tracking = conn.tracking.filter(|tracking| *tracking != link);
        let used_for = conn.links.remove(&link);
        self.turn_away_from(conn_id, link);
        match used_for {
            Some(LinkUse::In(Some(address))) => {
                self.table.remove_producer(&address, (conn_id, link));
                if let Some(conn) = self.conns.get_mut(conn_id) {
                    conn.untold.remove(&address);
                }
            }
            Some(LinkUse::Out(Some(address))) => {
                self.table.remove_server(&address, Dest::Remote { conn: conn_id, link: Some(link) });
                self.address_changed(&address);
            }
            Some(LinkUse::Stream) => {
                if let Some(conn) = self.conns.get_mut(conn_id) {
                    conn.pool.gone(link, refused);
                }
                self.serve_waiting(conn_id);
            }
            _ => {}
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
            let reachable = self.reachable_for(address, producer.conn);
            if (reachable == producer.told) && (producer.credited || !reachable) {
                continue;
            }
            let Some(conn) = self.conns.get_mut(producer.conn) else { continue };
            if reachable && !producer.credited {
                producer.credited = true;
                conn.amqp.keep_credit(producer.link, LINK_CREDIT);
            }
            if reachable != producer.told {
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

    fn reachable_for(&self, address: &str, asking: ConnId) -> bool {
        if self.leaving {
            return false;
        }
        let servers = self.table.get(address).map(|entry| entry.servers.as_slice()).unwrap_or_default();
        servers.iter().any(|server| may_serve(&self.conns, server.dest, Some(asking)))
    }

    /// A copy for each consumer that has credit. A consumer without credit misses it: the sender is not held up.
    pub(super) fn multicast(&mut self, conn_id: ConnId, link: LinkId, bytes: &[u8]) {
        let Ok(Some(head)) = super::head::Head::parse(bytes, true) else { return };
        let link_address = self.conns.get(conn_id).and_then(|conn| match conn.links.get(&link) {
            Some(LinkUse::In(Some(address))) => Some(address.to_string()),
            _ => None,
        });
        let Some(to) = head.properties.to.clone().or(link_address) else { return };
        let mut copy = Vec::with_capacity(bytes.len() + 64);
        super::head::forwarded(&head, bytes, &self.node_id(), &mut copy);
        let address = to.strip_prefix("amqp:/").unwrap_or(&to);
        let servers = self.table.get(address).map(|entry| entry.servers.clone()).unwrap_or_default();
        for server in servers {
            let Dest::Remote { conn: to, link: Some(link) } = server.dest else { continue };
            let ready = self.conns.get(to).is_some_and(|conn| conn.amqp.can_start(link));
            if ready && may_serve(&self.conns, server.dest, Some(conn_id)) {
                self.begin_copy((to, link), copy.clone());
            }
        }
    }

    pub(super) fn is_multicast(&self, address: &str) -> bool {
        let prefix = |prefix: &String| address.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('/'));
        self.settings.multicast_prefixes.iter().any(prefix)
    }
}

/// What came from an edge never goes back to it, nor to the mesh of edges that it belongs to.
pub(super) fn may_serve(conns: &SlotMap<ConnId, Conn>, dest: Dest, origin: Option<ConnId>) -> bool {
    let (Dest::Remote { conn, .. }, Some(origin)) = (dest, origin) else { return true };
    let mesh = |id: ConnId| conns.get(id).and_then(|conn| conn.mesh.as_deref());
    conn != origin && (mesh(conn).is_none() || mesh(conn) != mesh(origin))
}

/// What a link is for on which the peer sends.
fn incoming_link(attach: &Attach, role: ConnRole) -> Result<LinkUse, Condition> {
    let target = attach.target.as_ref().and_then(|target| target.address.as_deref());
    match (target, role) {
        (None, _) => Ok(LinkUse::In(None)),
        (Some(MESH_DISCOVERY), ConnRole::Edge) => Ok(LinkUse::MeshIn),
        (Some(address), ConnRole::Edge) => checked(address).map(|address| LinkUse::In(Some(address))),
        (Some(_), ConnRole::Uplink) => Err(Condition::new("amqp:not-allowed", "an edge takes streams only")),
    }
}

/// What a link is for on which an edge receives.
fn outgoing_link(attach: &Attach, container: &str) -> Result<LinkUse, Condition> {
    let Some(source) = &attach.source else {
        return Err(Condition::new("amqp:invalid-field", "a receiver needs a source"));
    };
    if source.dynamic {
        return Err(Condition::new("amqp:not-implemented", "dynamic addresses are not made here"));
    }
    let downlink = source.capabilities.iter().any(|capability| capability == DOWNLINK);
    match source.address.as_deref() {
        Some(address) if downlink && address == container => Ok(LinkUse::Out(None)),
        _ if downlink => Err(Condition::new("amqp:not-allowed", "a downlink bears the id of its own router")),
        Some(ADDRESS_TRACKING) => Ok(LinkUse::TrackingOut),
        Some(address) => checked(address).map(|address| LinkUse::Out(Some(address))),
        None => Err(Condition::new("amqp:invalid-field", "a receiver needs a source address")),
    }
}

/// Addresses that name a place are not for an edge to claim.
fn checked(address: &str) -> Result<Arc<str>, Condition> {
    let places = ["amqp:", "/", "_edge/", "_topo/", "_local/"];
    if address.len() > MAX_ADDRESS || places.iter().any(|place| address.starts_with(place)) {
        return Err(Condition::new("amqp:not-allowed", "this address cannot be attached to"));
    }
    Ok(address.into())
}

/// The peer's termini, mirrored; ours with the expiry that routers give.
fn answered(attach: &Attach) -> (Terminus, Terminus) {
    let ours = |theirs: &Option<Terminus>| {
        let theirs = theirs.clone().unwrap_or_default();
        let expiry_policy = match theirs.address {
            Some(_) => theirs.expiry_policy,
            None => Some("session-end".to_owned()),
        };
        Terminus { expiry_policy, ..theirs }
    };
    (ours(&attach.source), ours(&attach.target))
}
