//! Links that a peer opens: what each is for, and what we answer.

use super::address::{self, Address};
use super::conn::{Conn, LINK_CREDIT, LinkUse};
use super::edge::{ADDRESS_TRACKING, DOWNLINK, MESH_DISCOVERY};
use super::table::Dest;
use super::types::{ConnId, ConnRole, Mode};
use super::{Local, Router};
use moorline_amqp::{Attach, Condition, LinkId, Role, Terminus};
use std::sync::Arc;

/// Credit on the mesh link, as an interior router gives.
const MESH_CREDIT: u32 = 3;
/// Longest address that we keep in the table, bytes.
const MAX_ADDRESS: usize = 1024;
/// Links that one peer may have open.
const MAX_LINKS: usize = 100_000;
/// So many bytes that wait take the credit of one more message.
const BYTES_EACH: usize = 16 * 1024;

impl Router {
    /// The peer wants a link.
    pub(super) fn on_attach(&mut self, conn_id: ConnId, link: LinkId, attach: Attach) {
        let Some(conn) = self.conns.get(conn_id) else { return };
        let coordinator = attach.target.as_ref().is_some_and(|target| target.coordinator);
        let decided = match attach.role {
            _ if conn.links.len() >= MAX_LINKS => {
                Err(Condition::new("amqp:resource-limit-exceeded", "too many links on this connection"))
            }
            _ if coordinator => Err(Condition::new("amqp:not-implemented", "there are no transactions here")),
            Role::Receiver => self.incoming_link(&attach, conn.spec.role),
            Role::Sender => self.outgoing_link(&attach, conn),
        };
        match decided {
            Ok(used_for) => self.accept_link(conn_id, link, &attach, used_for),
            Err(condition) => {
                if let Some(conn) = self.conns.get_mut(conn_id) {
                    conn.amqp.refuse(link, condition);
                }
                self.wake_conn(conn_id);
            }
        }
    }

    fn accept_link(&mut self, conn_id: ConnId, link: LinkId, attach: &Attach, mut used_for: LinkUse) {
        let (mut source, target) = answered(attach);
        if let LinkUse::OutTemporary(name) = &mut used_for {
            let (temporary, address) = self.new_temporary();
            *name = temporary.as_str().into();
            self.locals.insert(temporary, Local::Link(conn_id, link));
            source = Terminus { address: Some(address), ..source };
        }
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        conn.amqp.accept(link, Some(source), Some(target));
        conn.links.insert(link, used_for.clone());
        match used_for {
            LinkUse::TrackingOut => conn.tracking = Some(link),
            LinkUse::In(None) => conn.amqp.keep_credit(link, LINK_CREDIT),
            LinkUse::MeshIn => conn.amqp.keep_credit(link, MESH_CREDIT),
            LinkUse::Out(None) => conn.base = Some(link),
            LinkUse::In(Some(address)) => self.producer_attached(conn_id, link, &address),
            LinkUse::Out(Some(address)) => {
                self.table.add_server(&address, Dest::Remote { conn: conn_id, link: Some(link) });
                self.address_changed(&address);
            }
            _ => {}
        }
        self.wake_conn(conn_id);
    }

    /// A producer gets credit when its address can be reached, so that it waits rather than hears `released`.
    fn producer_attached(&mut self, conn_id: ConnId, link: LinkId, address: &Arc<str>) {
        let Some(conn) = self.conns.get(conn_id) else { return };
        match address::parse(address, &self.settings.id, self.settings.mode == Mode::Edge) {
            Address::Mobile(name) => {
                let name: Arc<str> = name.into();
                // A multicast message that nobody takes is lost, not held back.
                let at_once = !conn.is_router() && self.is_multicast(&name);
                self.table.add_producer(&name, conn_id, link, at_once);
                if at_once && let Some(conn) = self.conns.get_mut(conn_id) {
                    conn.amqp.keep_credit(link, LINK_CREDIT);
                }
                self.address_changed(&name);
            }
            // A place: there is nothing to wait for.
            _ => {
                if let Some(conn) = self.conns.get_mut(conn_id) {
                    conn.amqp.keep_credit(link, LINK_CREDIT);
                }
            }
        }
    }

    pub(super) fn on_detached(&mut self, conn_id: ConnId, link: LinkId, refused: bool) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        // A peer may attach the next before it detaches the last.
        conn.base = conn.base.filter(|base| *base != link);
        conn.tracking = conn.tracking.filter(|tracking| *tracking != link);
        conn.held.remove(&link);
        let used_for = conn.links.remove(&link);
        if let Some(used_for) = &used_for
            && conn.announced.get(used_for) == Some(&link)
        {
            conn.announced.remove(used_for);
        }
        self.turn_away_from(conn_id, link);
        match used_for {
            Some(LinkUse::In(Some(address))) => {
                let own_id = self.settings.id.clone();
                if let Address::Mobile(name) = address::parse(&address, &own_id, self.settings.mode == Mode::Edge) {
                    self.table.remove_producer(name, (conn_id, link));
                    if let Some(conn) = self.conns.get_mut(conn_id) {
                        conn.untold.remove(name);
                    }
                    self.address_changed(name);
                }
            }
            Some(LinkUse::Out(Some(address))) => {
                self.table.remove_server(&address, Dest::Remote { conn: conn_id, link: Some(link) });
                self.address_changed(&address);
            }
            Some(LinkUse::OutTemporary(name)) => drop(self.locals.remove(&*name)),
            Some(LinkUse::Stream) => {
                if let Some(conn) = self.conns.get_mut(conn_id) {
                    conn.pool.gone(link, refused);
                }
                self.serve_waiting(conn_id);
            }
            _ => {}
        }
    }

    /// What a link is for on which the peer sends.
    fn incoming_link(&self, attach: &Attach, role: ConnRole) -> Result<LinkUse, Condition> {
        let Some(target) = &attach.target else { return Ok(LinkUse::In(None)) };
        if target.dynamic {
            return Err(Condition::new("amqp:not-implemented", "a dynamic target is not made here"));
        }
        match (target.address.as_deref(), role) {
            (None, _) => Ok(LinkUse::In(None)),
            (Some(_), ConnRole::Uplink) => Err(Condition::new("amqp:not-allowed", "an edge takes streams only")),
            (Some(MESH_DISCOVERY), ConnRole::Edge) => Ok(LinkUse::MeshIn),
            (Some(address), _) if address.len() > MAX_ADDRESS => Err(too_long()),
            (Some(address), _) => Ok(LinkUse::In(Some(address.into()))),
        }
    }

    /// What a link is for on which the peer receives.
    fn outgoing_link(&self, attach: &Attach, conn: &Conn) -> Result<LinkUse, Condition> {
        let Some(source) = &attach.source else {
            return Err(Condition::new("amqp:invalid-field", "a receiver needs a source"));
        };
        let role = conn.spec.role;
        let downlink = source.capabilities.iter().any(|capability| capability == DOWNLINK);
        match source.address.as_deref() {
            _ if role == ConnRole::Uplink => {
                Err(Condition::new("amqp:not-allowed", "an edge is not consumed from this way"))
            }
            _ if source.dynamic => Ok(LinkUse::OutTemporary("".into())),
            Some(address) if downlink && role == ConnRole::Edge && address == conn.container => Ok(LinkUse::Out(None)),
            _ if downlink => Err(Condition::new("amqp:not-allowed", "a downlink bears the id of its own router")),
            Some(ADDRESS_TRACKING) if role == ConnRole::Edge => Ok(LinkUse::TrackingOut),
            Some(address) if address.len() > MAX_ADDRESS => Err(too_long()),
            Some(address) => match address::parse(address, &self.settings.id, self.settings.mode == Mode::Edge) {
                Address::Mobile(name) if !name.is_empty() => Ok(LinkUse::Out(Some(name.into()))),
                // Addresses that name a place are not for a peer to claim.
                _ => Err(Condition::new("amqp:not-allowed", "this address cannot be consumed from")),
            },
            None => Err(Condition::new("amqp:invalid-field", "a receiver needs a source address")),
        }
    }

    /// A message waits here: it counts against the credit of the link that it came on.
    pub(super) fn hold_credit(&mut self, conn_id: ConnId, link: LinkId, bytes: usize) {
        if let Some(conn) = self.conns.get_mut(conn_id) {
            let held = conn.held.entry(link).or_default();
            *held += 1 + bytes / BYTES_EACH;
            let left = (LINK_CREDIT as usize).saturating_sub(*held);
            conn.amqp.limit_credit(link, left as u32);
        }
    }

    /// It waits no more.
    pub(super) fn release_credit(&mut self, (conn_id, link, bytes): (ConnId, LinkId, usize)) {
        if let Some(conn) = self.conns.get_mut(conn_id)
            && let Some(held) = conn.held.get_mut(&link)
        {
            *held = held.saturating_sub(1 + bytes / BYTES_EACH);
            // In large steps: each is a frame.
            let left = (LINK_CREDIT as usize).saturating_sub(*held);
            if left >= LINK_CREDIT as usize / 2 {
                conn.amqp.limit_credit(link, left as u32);
                self.wake_conn(conn_id);
            }
        }
    }

    /// A name for a temporary address, and the whole address.
    pub(super) fn new_temporary(&mut self) -> (String, String) {
        let name = format!("temp.{}", self.names.random(15));
        let place = if self.settings.mode == Mode::Edge { "_edge" } else { "_topo/0" };
        let address = format!("amqp:/{place}/{}/{name}", self.settings.id);
        (name, address)
    }
}

fn too_long() -> Condition {
    Condition::new("amqp:not-allowed", "the address is too long")
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
