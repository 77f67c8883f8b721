//! As an edge: the links of the uplink, and what the network says about addresses.

use super::Router;
use super::conn::{LINK_CREDIT, LinkUse};
use super::head::sections;
use super::table::{Dest, Entry};
use super::types::{ConnId, Encapsulation};
use moorline_amqp::message;
use moorline_amqp::{Attach, End, LinkId, Role, SessionId, Terminus, Value};
use std::sync::Arc;

pub(super) const MESH_DISCOVERY: &str = "_$qd.mesh_discovery";
pub(super) const ADDRESS_TRACKING: &str = "_$qd.edge_addr_tracking";
pub(super) const DOWNLINK: &str = "qd.router-edge-downlink";
/// Credit for tracking messages, as an edge router gives.
const TRACKING_CREDIT: u32 = 32;

impl Router {
    /// Whether an uplink serves nothing without this session.
    pub(super) fn is_endpoint_session(&self, conn_id: ConnId, session: SessionId) -> bool {
        self.conns.get(conn_id).is_some_and(|conn| conn.endpoint_session == Some(session))
    }

    /// The network has answered our open: attach what an edge attaches.
    pub(super) fn uplink_opened(&mut self, conn_id: ConnId) {
        let id = self.settings.id.clone();
        self.uplink.get_or_insert(conn_id);
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
        self.announce_all();
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
        self.uplink
    }

    pub(super) fn announce_all(&mut self) {
        let mut addresses: Vec<Arc<str>> = self.table.iter().map(|(address, _)| address.clone()).collect();
        addresses.sort();
        for address in addresses {
            self.announce(&address);
        }
    }

    /// Brings what the network knows of an address up to date: that we send to it, that we consume it. An attached
    /// link is the announcement, its detach takes it back.
    pub(super) fn announce(&mut self, address: &Arc<str>) {
        let Some(uplink) = self.uplink else { return };
        let entry = self.table.get(address);
        let sends = entry.is_some_and(Entry::has_senders);
        let consumes = entry.is_some_and(|entry| entry.has_own_server(uplink));
        for (wanted, used_for) in
            [(sends, LinkUse::Producer(address.clone())), (consumes, LinkUse::In(Some(address.clone())))]
        {
            let Some(conn) = self.conns.get_mut(uplink) else { return };
            let (Some(session), known) = (conn.endpoint_session, conn.announced.get(&used_for).copied()) else {
                return;
            };
            match known {
                None if wanted => self.announce_as(uplink, session, address, used_for),
                Some(link) if !wanted => {
                    conn.announced.remove(&used_for);
                    conn.links.remove(&link);
                    conn.amqp.detach(link, None);
                    self.turn_away_from(uplink, link);
                    if matches!(used_for, LinkUse::Producer(_)) {
                        self.table.remove_server(address, Dest::Remote { conn: uplink, link: None });
                    }
                    self.wake_conn(uplink);
                }
                _ => {}
            }
        }
    }

    fn announce_as(&mut self, conn_id: ConnId, session: SessionId, address: &Arc<str>, used_for: LinkUse) {
        let (place, anonymous) = (Terminus::at(&**address), Terminus::anonymous());
        let link = match used_for {
            LinkUse::Producer(_) => self.attach(conn_id, session, Role::Sender, anonymous, place, used_for.clone()),
            _ => self.attach(conn_id, session, Role::Receiver, place, anonymous, used_for.clone()),
        };
        if let (Some(link), Some(conn)) = (link, self.conns.get_mut(conn_id)) {
            if matches!(used_for, LinkUse::In(_)) {
                conn.amqp.keep_credit(link, LINK_CREDIT);
            }
            conn.announced.insert(used_for, link);
        }
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
            if !self.table.get(&address).is_some_and(Entry::has_senders) {
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
        match self.peer_version(conn_id) {
            Some((3.., _)) => Encapsulation::Lite,
            _ => Encapsulation::Legacy,
        }
    }

    /// Whether the network is older than the windows of lite streams.
    pub(super) fn is_before_windows(&self, conn_id: ConnId) -> bool {
        self.peer_version(conn_id).is_some_and(|version| ((2, 0)..(2, 6)).contains(&version))
    }

    /// Whether the peer holds one stream up without the others. A hub of ours cannot: a stream that its receiver does not
    /// take is cut there, so one without a window is better kept waiting.
    pub(super) fn can_throttle(&self, conn_id: ConnId) -> bool {
        self.peer_version(conn_id).is_some_and(|version| version >= (2, 0))
    }

    /// Major and minor version.
    fn peer_version(&self, conn_id: ConnId) -> Option<(u32, u32)> {
        let mut numbers = self.conns.get(conn_id)?.version.as_deref()?.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next().and_then(Result::ok).unwrap_or(0)))
    }
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
