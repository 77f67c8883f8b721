//! As an edge: the links of the uplink, and what the network says about addresses.

use super::Router;
use super::conn::{LINK_CREDIT, LinkUse};
use super::table::Dest;
use super::types::{ConnId, ConnRole, Encapsulation};
use moorline_amqp::message::{self, section};
use moorline_amqp::{Attach, End, LinkId, Role, SessionId, Terminus, Value};
use std::sync::Arc;

pub(super) const MESH_DISCOVERY: &str = "_$qd.mesh_discovery";
pub(super) const ADDRESS_TRACKING: &str = "_$qd.edge_addr_tracking";
pub(super) const DOWNLINK: &str = "qd.router-edge-downlink";
/// Credit for tracking messages, as an edge router gives.
const TRACKING_CREDIT: u32 = 32;

impl Router {
    /// The network has answered our open: attach what an edge attaches.
    pub(super) fn uplink_opened(&mut self, conn_id: ConnId) {
        let id = self.settings.id.clone();
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        // Links that concern the router itself have a session of their own, as real routers keep them.
        let core = conn.amqp.begin();
        let endpoint = conn.amqp.begin();
        conn.endpoint_session = Some(endpoint);
        let anonymous = Terminus::anonymous;
        self.attach(conn_id, core, Role::Sender, anonymous(), Terminus::at(MESH_DISCOVERY), LinkUse::MeshOut);
        let base = self.attach(conn_id, endpoint, Role::Sender, anonymous(), anonymous(), LinkUse::Base);
        let downlink = vec![DOWNLINK.to_owned()];
        let source = Terminus { address: Some(id), capabilities: downlink.clone(), ..anonymous() };
        let target = Terminus { capabilities: downlink, ..anonymous() };
        let down = self.attach(conn_id, endpoint, Role::Receiver, source, target, LinkUse::In(None));
        let tracking = Terminus::at(ADDRESS_TRACKING);
        let tracking = self.attach(conn_id, core, Role::Receiver, tracking, anonymous(), LinkUse::TrackingIn);
        if let Some(conn) = self.conns.get_mut(conn_id) {
            conn.base = base;
            for (link, credit) in [(down, LINK_CREDIT), (tracking, TRACKING_CREDIT)] {
                if let Some(link) = link {
                    conn.amqp.keep_credit(link, credit);
                }
            }
        }
        let mut wanted: Vec<(Arc<str>, bool, bool)> = self
            .table
            .iter()
            .map(|(address, entry)| (address.clone(), !entry.listeners.is_empty(), entry.has_connector()))
            .collect();
        wanted.sort();
        for (address, listeners, connectors) in wanted {
            if listeners {
                self.announce_producer(conn_id, &address);
            }
            if connectors {
                self.announce_consumer(conn_id, &address);
            }
        }
        self.serve_waiting(conn_id);
        self.wake_conn(conn_id);
    }

    fn attach(
        &mut self,
        conn_id: ConnId,
        session: SessionId,
        role: Role,
        source: Terminus,
        target: Terminus,
        used_for: LinkUse,
    ) -> Option<LinkId> {
        let (source, target) = (Some(source), Some(target));
        let name = self.names.link();
        let attach =
            Attach { name, role, source, target, snd_settle_mode: 2, rcv_settle_mode: 0, properties: Vec::new() };
        let conn = self.conns.get_mut(conn_id)?;
        let link = conn.amqp.attach(session, attach)?;
        conn.links.insert(link, used_for);
        self.wake_conn(conn_id);
        Some(link)
    }

    /// The uplink that is up, if we are an edge.
    pub(super) fn uplink(&self) -> Option<ConnId> {
        self.conns.iter().find(|(_, conn)| conn.spec.role == ConnRole::Uplink && conn.opened).map(|(id, _)| id)
    }

    /// We have listeners for this address: the network shall tell whether it can be reached.
    pub(super) fn announce_producer(&mut self, conn_id: ConnId, address: &Arc<str>) {
        let Some(session) = self.conns.get(conn_id).and_then(|conn| conn.endpoint_session) else { return };
        let target = Terminus::at(&**address);
        let used_for = LinkUse::Producer(address.clone());
        self.attach(conn_id, session, Role::Sender, Terminus::anonymous(), target, used_for);
    }

    /// We serve this address: an attached receiver is the announcement.
    pub(super) fn announce_consumer(&mut self, conn_id: ConnId, address: &Arc<str>) {
        let Some(session) = self.conns.get(conn_id).and_then(|conn| conn.endpoint_session) else { return };
        let source = Terminus::at(&**address);
        let used_for = LinkUse::In(Some(address.clone()));
        let link = self.attach(conn_id, session, Role::Receiver, source, Terminus::anonymous(), used_for);
        if let (Some(link), Some(conn)) = (link, self.conns.get_mut(conn_id)) {
            conn.amqp.keep_credit(link, LINK_CREDIT);
        }
    }

    /// Takes an announcement back: the detach says it.
    pub(super) fn withdraw(&mut self, conn_id: ConnId, announced: &LinkUse) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        let link = conn.links.iter().find(|(_, used_for)| *used_for == announced).map(|(link, _)| *link);
        if let Some(link) = link {
            conn.links.remove(&link);
            conn.amqp.detach(link, None);
        }
        self.wake_conn(conn_id);
    }

    /// Tells our mesh id, so that the network does not take ourselves for a way to reach us.
    pub(super) fn send_mesh_id(&mut self, conn_id: ConnId, link: LinkId) {
        let Some(mesh) = self.mesh_id.clone() else { return };
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        let mut bytes = Vec::new();
        let properties = vec![(Value::Symbol("meshid".to_owned()), Value::String(mesh))];
        message::encode_section(message::APPLICATION_PROPERTIES as u8, &Value::Map(properties), &mut bytes);
        conn.amqp.start(link, &bytes, End::LastSettled);
        self.wake_conn(conn_id);
    }

    /// A message on one of the router's own links.
    pub(super) fn on_control(&mut self, conn_id: ConnId, link: LinkId, bytes: &[u8]) {
        let used_for = self.conns.get(conn_id).and_then(|conn| conn.links.get(&link)).cloned();
        match used_for {
            Some(LinkUse::TrackingIn) => {
                if let Some((address, reachable)) = tracking_message(bytes) {
                    self.set_reachable(conn_id, &address, reachable);
                }
            }
            Some(LinkUse::MeshIn) => {
                if let Some(mesh) = mesh_message(bytes) {
                    self.edge_told_mesh(conn_id, mesh);
                }
            }
            _ => {}
        }
    }

    fn set_reachable(&mut self, conn_id: ConnId, address: &str, reachable: bool) {
        let address: Arc<str> = address.into();
        let dest = Dest::Remote { conn: conn_id, link: None };
        if reachable {
            // Only what we asked about can be told: a peer cannot make the table grow.
            if self.table.get(&address).is_none_or(|entry| entry.listeners.is_empty()) {
                return;
            }
            self.table.add_server(&address, dest);
        } else {
            self.table.remove_server(&address, dest);
        }
        self.address_changed(&address);
    }

    /// Which encapsulation a listener speaks when nobody said: the one that the network's version takes by default.
    pub(super) fn network_encapsulation(&self, conn_id: ConnId) -> Encapsulation {
        let version = self.conns.get(conn_id).and_then(|conn| conn.version.as_deref()).unwrap_or_default();
        match version.split('.').next().and_then(|major| major.parse::<u32>().ok()) {
            Some(3..) => Encapsulation::Lite,
            _ => Encapsulation::Legacy,
        }
    }
}

fn sections(mut bytes: &[u8]) -> impl Iterator<Item = (u64, Value)> {
    std::iter::from_fn(move || {
        let found = section(bytes).ok()??;
        bytes = bytes.get(found.len..)?;
        let mut value = found.value;
        Some((found.descriptor, Value::decode(&mut value).ok()?))
    })
}

/// `["M<address>", reachable]`.
fn tracking_message(bytes: &[u8]) -> Option<(String, bool)> {
    let body = sections(bytes).find(|(descriptor, _)| *descriptor == message::VALUE)?.1;
    let Value::List(fields) = body else { return None };
    let (key, Value::Bool(reachable)) = (fields.first()?.as_str()?, fields.get(1)?) else { return None };
    Some((key.strip_prefix('M')?.to_owned(), *reachable))
}

/// `{meshid: <15 characters>}` in the application properties.
fn mesh_message(bytes: &[u8]) -> Option<String> {
    let properties = sections(bytes).find(|(descriptor, _)| *descriptor == message::APPLICATION_PROPERTIES)?.1;
    let Value::Map(properties) = properties else { return None };
    let (_, mesh) = properties.into_iter().find(|(key, _)| key.as_str() == Some("meshid"))?;
    mesh.as_str().map(|mesh| mesh.chars().take(15).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracking_messages_of_real_routers() {
        // With annotations and header, list32; and the smallest form.
        let long = b"\0\x80SKPR--RA\xd0\0\0\0\x2f\0\0\0\x04\x43\x40\xa1\x0e0/interior-2.7\xd0\0\0\0\x14\0\0\0\x01\xa1\x0e0/interior-2.7\
            \0\x53\x70\xd0\0\0\0\x05\0\0\0\x01\x42\0\x53\x77\xd0\0\0\0\x0b\0\0\0\x02\xa1\x04Mrev\x41";
        let short = b"\0\x53\x77\xc0\x08\x02\xa1\x04Mrev\x42";
        assert_eq!(tracking_message(long), Some(("rev".to_owned(), true)));
        assert_eq!(tracking_message(short), Some(("rev".to_owned(), false)));
        assert_eq!(tracking_message(b"\0\x53\x77\x40"), None);
    }
}
