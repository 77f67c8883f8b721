//! Who serves which address: our connectors, the edges that consume it, the network behind the uplink.

use super::facts::Passages;
use super::types::{ConnId, ConnectorId, EndpointId, ListenerId};
use moorline_amqp::LinkId;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Where a stream may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dest {
    /// A connector of this router.
    Local(ConnectorId),
    /// A consumer inside this process.
    Endpoint(EndpointId),
    /// Over this connection; to peers without streaming links on this link (none: the connection's base link).
    Remote { conn: ConnId, link: Option<LinkId> },
}

/// One place that serves an address.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) dest: Dest,
    /// Streams that run to it.
    open: usize,
    /// When it was last chosen, to take turns among equals.
    turn: u64,
}

/// A sending link of an edge or client for this address: it wants to know whether it can be reached.
#[derive(Debug, Clone)]
pub(super) struct Producer {
    pub(super) conn: ConnId,
    pub(super) link: LinkId,
    /// What it was told last.
    pub(super) told: bool,
    /// It has been given credit.
    pub(super) credited: bool,
}

#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) servers: Vec<Server>,
    pub(super) producers: Vec<Producer>,
    /// Our listeners for it.
    pub(super) listeners: Vec<ListenerId>,
    /// Endpoints that produce for it, and what each was told last.
    pub(super) endpoints: Vec<(EndpointId, bool)>,
    pub(super) passages: Passages,
}

impl Entry {
    fn is_empty(&self) -> bool {
        self.servers.is_empty() && !self.has_senders()
    }

    /// Somebody here wants to know whether the address can be reached.
    pub(super) fn has_senders(&self) -> bool {
        !(self.producers.is_empty() && self.listeners.is_empty() && self.endpoints.is_empty())
    }

    /// A TCP stream for this address can be sent somewhere.
    pub(super) fn serves_sockets(&self) -> bool {
        self.servers.iter().any(|server| !matches!(server.dest, Dest::Endpoint(_)))
    }

    /// Somebody here, not behind `uplink`, consumes it.
    pub(super) fn has_own_server(&self, uplink: ConnId) -> bool {
        self.servers.iter().any(|server| !matches!(server.dest, Dest::Remote { conn, .. } if conn == uplink))
    }
}

/// All addresses.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: FxHashMap<Arc<str>, Entry>,
    turns: u64,
}

impl Table {
    pub(super) fn get(&self, address: &str) -> Option<&Entry> {
        self.entries.get(address)
    }

    pub(super) fn producers_mut(&mut self, address: &str) -> Option<&mut Vec<Producer>> {
        self.entries.get_mut(address).map(|entry| &mut entry.producers)
    }

    /// All addresses, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Entry)> {
        self.entries.iter()
    }

    pub(super) fn add_listener(&mut self, address: &Arc<str>, listener: ListenerId) {
        self.entries.entry(address.clone()).or_default().listeners.push(listener);
    }

    pub(super) fn remove_listener(&mut self, address: &str, listener: ListenerId) {
        self.change(address, |entry| entry.listeners.retain(|id| *id != listener));
    }

    pub(super) fn add_endpoint(&mut self, address: &Arc<str>, endpoint: EndpointId) {
        let entry = self.entries.entry(address.clone()).or_default();
        if !entry.endpoints.iter().any(|(known, _)| *known == endpoint) {
            entry.endpoints.push((endpoint, false));
        }
    }

    pub(super) fn remove_endpoint(&mut self, address: &str, endpoint: EndpointId) {
        self.change(address, |entry| entry.endpoints.retain(|(known, _)| *known != endpoint));
    }

    pub(super) fn endpoints_mut(&mut self, address: &str) -> Option<&mut Vec<(EndpointId, bool)>> {
        self.entries.get_mut(address).map(|entry| &mut entry.endpoints)
    }

    /// Changes an entry, and forgets it when nothing is left of it.
    fn change(&mut self, address: &str, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(address) {
            change(entry);
            if entry.is_empty() {
                self.entries.remove(address);
            }
        }
    }

    pub(super) fn add_server(&mut self, address: &Arc<str>, dest: Dest) {
        let entry = self.entries.entry(address.clone()).or_default();
        if !entry.servers.iter().any(|server| server.dest == dest) {
            // Most have one server, and there may be thousands.
            entry.servers.reserve_exact(1);
            entry.servers.push(Server { dest, open: 0, turn: 0 });
        }
    }

    pub(super) fn remove_server(&mut self, address: &str, dest: Dest) {
        self.change(address, |entry| entry.servers.retain(|server| server.dest != dest));
    }

    pub(super) fn add_producer(&mut self, address: &Arc<str>, conn: ConnId, link: LinkId, credited: bool) {
        let entry = self.entries.entry(address.clone()).or_default();
        entry.producers.push(Producer { conn, link, told: false, credited });
    }

    pub(super) fn remove_producer(&mut self, address: &str, link: (ConnId, LinkId)) {
        self.change(address, |entry| entry.producers.retain(|producer| (producer.conn, producer.link) != link));
    }

    /// Forgets a connection; returns the addresses that this concerns.
    pub(super) fn remove_connection(&mut self, gone: ConnId) -> Vec<Arc<str>> {
        let mut changed = Vec::new();
        self.entries.retain(|address, entry| {
            let before = (entry.servers.len(), entry.producers.len());
            entry.servers.retain(|server| !matches!(server.dest, Dest::Remote { conn, .. } if conn == gone));
            entry.producers.retain(|producer| producer.conn != gone);
            if (entry.servers.len(), entry.producers.len()) != before {
                changed.push(address.clone());
            }
            !entry.is_empty()
        });
        changed
    }

    /// The server with the fewest open streams among those that may serve. The cost of leaving this router is one
    /// stream, so a server here is preferred until it is busier than the others.
    /// Ranks come first: a server of a higher one is only asked when there is none of a lower. None: it may not serve.
    pub(super) fn choose(&mut self, address: &str, rank: impl Fn(Dest) -> Option<u8>) -> Option<Dest> {
        let entry = self.entries.get_mut(address)?;
        let candidates = entry.servers.iter_mut().filter_map(|server| rank(server.dest).map(|rank| (rank, server)));
        let (_, best) = candidates.min_by_key(|(rank, server)| {
            let cost = usize::from(matches!(server.dest, Dest::Remote { .. }));
            (*rank, server.open + cost, server.turn)
        })?;
        self.turns += 1;
        best.turn = self.turns;
        Some(best.dest)
    }

    /// Counts what was sent to an address.
    pub(super) fn passed(&mut self, address: &str, passage: Passages) {
        if let Some(entry) = self.entries.get_mut(address) {
            entry.passages += passage;
        }
    }

    /// Counts a stream that begins (+1) or ends (-1). A server that has left is not counted any more.
    pub(super) fn count(&mut self, address: &str, dest: Dest, change: isize) {
        if let Some(entry) = self.entries.get_mut(address)
            && let Some(server) = entry.servers.iter_mut().find(|server| server.dest == dest)
        {
            server.open = server.open.saturating_add_signed(change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::SlotMap;

    #[test]
    fn fewest_streams_first_then_turns() {
        let (mut conns, mut connectors) = (SlotMap::<ConnId, ()>::with_key(), SlotMap::<ConnectorId, ()>::with_key());
        let remote = |conn| Dest::Remote { conn, link: None };
        let (a, b) = (remote(conns.insert(())), remote(conns.insert(())));
        let local = Dest::Local(connectors.insert(()));
        let address: Arc<str> = "db:1".into();
        let mut table = Table::default();
        for dest in [a, b] {
            table.add_server(&address, dest);
        }
        let open = |table: &mut Table| {
            let dest = table.choose("db:1", |_| Some(0)).unwrap();
            table.count("db:1", dest, 1);
            dest
        };
        let four: Vec<Dest> = (0..4).map(|_| open(&mut table)).collect();
        assert_eq!(four.iter().filter(|dest| **dest == a).count(), 2);
        table.count("db:1", a, -1);
        assert_eq!(open(&mut table), a);
        table.add_server(&address, local);
        let three: Vec<Dest> = (0..3).map(|_| open(&mut table)).collect();
        assert_eq!(three, [local, local, local]);
        assert_eq!(table.choose("db:1", |dest| (dest == b).then_some(1)), Some(b));
        assert_eq!(table.choose("other:1", |_| Some(0)), None);
    }
}
