//! Deliveries that arrive: where each goes.

use super::Router;
use super::address::{self, Address};
use super::conn::{Inbound, LinkUse};
use super::flow::{Answer, FailedState};
use super::head::{self, Head, STREAMING};
use super::table::Dest;
use super::types::{ConnId, FlowId, Mode};
use moorline_amqp::{End, Incoming, LinkId};
use std::sync::Arc;
use std::time::Instant;

/// A multicast message is copied whole; a larger one is refused.
const MULTICAST_LIMIT: usize = 1024 * 1024;
/// Messages for the router itself are small.
const CONTROL_LIMIT: usize = 16 * 1024;

/// One transfer, as the engine tells it.
#[derive(Clone, Copy)]
pub(super) struct Transfer<'a> {
    pub(super) link: LinkId,
    pub(super) delivery: Incoming,
    pub(super) first: bool,
    pub(super) more: bool,
    pub(super) settled: bool,
    pub(super) aborted: bool,
    pub(super) payload: &'a [u8],
}

impl Transfer<'_> {
    fn end(&self) -> Option<End> {
        match (self.more, self.settled) {
            (true, _) => None,
            (false, true) => Some(End::LastSettled),
            (false, false) => Some(End::Last),
        }
    }
}

impl Router {
    pub(super) fn on_transfer(&mut self, conn_id: ConnId, transfer: Transfer<'_>, now: Instant) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        if transfer.first {
            let begun = match conn.links.get(&transfer.link) {
                Some(LinkUse::In(_)) => Inbound::Head(Vec::new()),
                Some(LinkUse::MeshIn | LinkUse::TrackingIn) => Inbound::Control(Vec::new()),
                _ => Inbound::Doomed(FailedState::Released),
            };
            conn.incoming.insert(transfer.delivery, begun);
        }
        if transfer.aborted {
            if let Some(inbound) = conn.incoming.remove(&transfer.delivery) {
                self.lost_inbound(inbound, "the far side vanished in mid-stream");
            }
            return;
        }
        match conn.incoming.get_mut(&transfer.delivery) {
            Some(Inbound::Flow(flow)) => {
                let flow = *flow;
                self.flow_deliver(flow, transfer.payload);
                if !transfer.more {
                    self.inbound_flow_over(conn_id, flow, transfer);
                }
            }
            Some(Inbound::Splice(splice)) => {
                let splice = *splice;
                self.splice_data(splice, transfer.payload, transfer.end());
                if !transfer.more && (transfer.settled || !self.splices.contains_key(splice)) {
                    self.forget_inbound(conn_id, transfer.delivery);
                    self.splice_sender_disposition(splice, None, transfer.settled);
                }
            }
            Some(Inbound::Doomed(state)) => {
                let state = *state;
                if !transfer.more {
                    conn.incoming.remove(&transfer.delivery);
                    if !transfer.settled {
                        conn.amqp.dispose(transfer.delivery, Some(state.state()), true);
                        self.wake_conn(conn_id);
                    }
                }
            }
            Some(Inbound::Head(bytes)) => {
                let mut bytes = std::mem::take(bytes);
                bytes.extend_from_slice(transfer.payload);
                self.route(conn_id, transfer, bytes, now);
            }
            Some(Inbound::Control(bytes)) => {
                bytes.extend_from_slice(transfer.payload);
                if bytes.len() > CONTROL_LIMIT {
                    return self.doom(conn_id, transfer, FailedState::Rejected);
                }
                if !transfer.more {
                    let bytes = std::mem::take(bytes);
                    self.on_control(conn_id, transfer.link, &bytes);
                    self.accept(conn_id, transfer);
                }
            }
            Some(Inbound::Multicast(bytes)) => {
                let mut bytes = std::mem::take(bytes);
                bytes.extend_from_slice(transfer.payload);
                self.collect_multicast(conn_id, transfer, bytes);
            }
            None => {}
        }
    }

    /// A final transfer for a flow; a flow that failed meanwhile has left a doomed delivery behind.
    fn inbound_flow_over(&mut self, conn_id: ConnId, flow: FlowId, transfer: Transfer<'_>) {
        let conn = self.conns.get_mut(conn_id);
        let doomed = conn.and_then(|conn| match conn.incoming.get(&transfer.delivery) {
            Some(Inbound::Doomed(state)) => Some(*state),
            _ => None,
        });
        match doomed {
            Some(state) => {
                self.forget_inbound(conn_id, transfer.delivery);
                if !transfer.settled {
                    self.dispose(conn_id, transfer.delivery, state);
                }
            }
            None => self.flow_stream_over(flow, transfer.settled),
        }
    }

    /// Decides where a delivery goes as soon as its head is there.
    fn route(&mut self, conn_id: ConnId, transfer: Transfer<'_>, bytes: Vec<u8>, now: Instant) {
        let head = match Head::parse(&bytes, !transfer.more) {
            Ok(Some(head)) => head,
            Ok(None) => {
                if let Some(conn) = self.conns.get_mut(conn_id) {
                    conn.incoming.insert(transfer.delivery, Inbound::Head(bytes));
                }
                return;
            }
            Err(error) => {
                self.warn(format!("a message that cannot be read was rejected: {error}"));
                return self.doom(conn_id, transfer, FailedState::Rejected);
            }
        };
        let link_address = self.conns.get(conn_id).and_then(|conn| match conn.links.get(&transfer.link) {
            Some(LinkUse::In(address)) => address.clone(),
            _ => None,
        });
        let Some(to) = head.properties.to.clone().or_else(|| link_address.map(|a| a.to_string())) else {
            return self.doom(conn_id, transfer, FailedState::Rejected);
        };
        let own_id = self.settings.id.clone();
        match address::parse(&to, &own_id, self.settings.mode == Mode::Edge) {
            Address::Local(name) => match self.replies.get(name).copied() {
                Some(flow) => self.route_answer(conn_id, transfer, &head, &bytes, flow),
                None => self.doom(conn_id, transfer, FailedState::Released),
            },
            Address::Mobile(name) if self.is_multicast(name) => self.collect_multicast(conn_id, transfer, bytes),
            Address::Mobile(name) => self.route_service(conn_id, transfer, &head, bytes, name, now),
            Address::Edge(id) => {
                match self.edges.get(id).and_then(|known| known.last().copied()).filter(|edge| *edge != conn_id) {
                    Some(edge) => self.pass_on(conn_id, transfer, &head, &bytes, (edge, None), None),
                    None => self.doom(conn_id, transfer, FailedState::Released),
                }
            }
            Address::Interior(_) => self.doom(conn_id, transfer, FailedState::Released),
        }
    }

    fn route_answer(&mut self, conn_id: ConnId, transfer: Transfer<'_>, head: &Head, bytes: &[u8], flow: FlowId) {
        match self.flow_answered(flow, transfer.delivery, head.encapsulation()) {
            Answer::Taken => {}
            Answer::Unwanted => return self.doom(conn_id, transfer, FailedState::Rejected),
            Answer::Mismatch => {
                self.warn(
                    "an answer came in another TCP encapsulation than it was asked in: \
                     set `encapsulation` of the listener to what the far side speaks",
                );
                self.doom(conn_id, transfer, FailedState::Rejected);
                let cause = "the far side answered in another encapsulation".to_owned();
                return self.fail_flow(flow, cause, FailedState::Rejected);
            }
        }
        self.join_flow(conn_id, transfer, flow, bytes.get(head.body..).unwrap_or_default());
    }

    fn route_service(
        &mut self,
        conn_id: ConnId,
        transfer: Transfer<'_>,
        head: &Head,
        bytes: Vec<u8>,
        name: &str,
        now: Instant,
    ) {
        match self.choose(name, Some(conn_id)) {
            Some(Dest::Local(connector)) => {
                // Streams without a way back are not TCP.
                let Some(reply_to) = head.properties.reply_to.clone() else {
                    return self.doom(conn_id, transfer, FailedState::Released);
                };
                let subject = head.properties.subject.clone().unwrap_or_default();
                let from = (conn_id, transfer.delivery);
                match self.begin_connector_flow(connector, from, head.encapsulation(), (reply_to, subject), now) {
                    Some(flow) => self.join_flow(conn_id, transfer, flow, bytes.get(head.body..).unwrap_or_default()),
                    None => self.doom(conn_id, transfer, FailedState::Released),
                }
            }
            Some(dest @ Dest::Remote { conn, link }) => {
                let address: Arc<str> = name.into();
                self.pass_on(conn_id, transfer, head, &bytes, (conn, link), Some((address, dest)));
            }
            None => self.doom(conn_id, transfer, FailedState::Released),
        }
    }

    fn join_flow(&mut self, conn_id: ConnId, transfer: Transfer<'_>, flow: FlowId, body: &[u8]) {
        if let Some(conn) = self.conns.get_mut(conn_id) {
            conn.incoming.insert(transfer.delivery, Inbound::Flow(flow));
        }
        self.flow_deliver(flow, body);
        if !transfer.more {
            self.inbound_flow_over(conn_id, flow, transfer);
        }
    }

    fn pass_on(
        &mut self,
        conn_id: ConnId,
        transfer: Transfer<'_>,
        head: &Head,
        bytes: &[u8],
        to: (ConnId, Option<LinkId>),
        counted: Option<(Arc<str>, Dest)>,
    ) {
        // A long message that is no stream would have to be held back whole: routers ask for the flag.
        let streams = head.annotations.as_ref().is_some_and(|a| a.flags & STREAMING != 0);
        if transfer.more && !streams {
            self.warn("a message of several frames without the streaming flag was refused");
            return self.doom(conn_id, transfer, FailedState::Rejected);
        }
        let node = self.node_id();
        if head.annotations.as_ref().is_some_and(|annotations| annotations.trace.contains(&node)) {
            // It has been here already: routers that are linked in a ring would pass it round for ever.
            return self.doom(conn_id, transfer, FailedState::Released);
        }
        let mut out = Vec::with_capacity(bytes.len() + 64);
        head::forwarded(head, bytes, &node, &mut out);
        let from = (!transfer.settled || transfer.more).then_some((conn_id, transfer.delivery));
        if from.is_none() {
            self.forget_inbound(conn_id, transfer.delivery);
        }
        self.begin_splice(from, to, out, transfer.end(), counted);
    }

    fn collect_multicast(&mut self, conn_id: ConnId, transfer: Transfer<'_>, bytes: Vec<u8>) {
        if bytes.len() > MULTICAST_LIMIT {
            self.warn(format!("a multicast message of more than {MULTICAST_LIMIT} bytes was refused"));
            return self.doom(conn_id, transfer, FailedState::Rejected);
        }
        if transfer.more {
            if let Some(conn) = self.conns.get_mut(conn_id) {
                conn.incoming.insert(transfer.delivery, Inbound::Multicast(bytes));
            }
            return;
        }
        self.multicast(conn_id, transfer.link, &bytes);
        self.accept(conn_id, transfer);
    }

    /// Nobody takes this delivery: says so now, settles when it ends.
    fn doom(&mut self, conn_id: ConnId, transfer: Transfer<'_>, state: FailedState) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        if transfer.more {
            conn.incoming.insert(transfer.delivery, Inbound::Doomed(state));
            conn.amqp.dispose(transfer.delivery, Some(state.state()), false);
        } else {
            conn.incoming.remove(&transfer.delivery);
            if !transfer.settled {
                conn.amqp.dispose(transfer.delivery, Some(state.state()), true);
            }
        }
        self.wake_conn(conn_id);
    }

    fn accept(&mut self, conn_id: ConnId, transfer: Transfer<'_>) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        conn.incoming.remove(&transfer.delivery);
        if !transfer.settled {
            conn.amqp.dispose(transfer.delivery, Some(moorline_amqp::DeliveryState::Accepted), true);
            self.wake_conn(conn_id);
        }
    }

    fn dispose(&mut self, conn_id: ConnId, delivery: Incoming, state: FailedState) {
        if let Some(conn) = self.conns.get_mut(conn_id) {
            conn.amqp.dispose(delivery, Some(state.state()), true);
        }
        self.wake_conn(conn_id);
    }

    fn forget_inbound(&mut self, conn_id: ConnId, delivery: Incoming) {
        if let Some(conn) = self.conns.get_mut(conn_id) {
            conn.incoming.remove(&delivery);
        }
    }

    /// An unfinished delivery will never end.
    pub(super) fn lost_inbound(&mut self, inbound: Inbound, cause: &str) {
        match inbound {
            Inbound::Flow(flow) => {
                self.flow_lost_stream(flow);
                self.fail_flow(flow, cause.to_owned(), FailedState::Modified);
            }
            Inbound::Splice(splice) => self.abort_splice(splice),
            _ => {}
        }
    }
}
