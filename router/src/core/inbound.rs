//! Deliveries that arrive: where each goes.

use super::Router;
use super::conn::{Inbound, LinkUse};
use super::endpoint::Endpoint;
use super::flow::{Answer, FailedState};
use super::head::{Head, STREAMING, UNTHROTTLED};
use super::route::{Origin, Target};
use super::splice::{Passage, Source};
use super::table::Dest;
use super::types::{ConnId, FlowId};
use moorline_amqp::{DeliveryState, End, Incoming, LinkId};
use std::sync::Arc;
use std::time::Instant;

/// A multicast message is copied whole; a larger one is refused.
const MULTICAST_LIMIT: usize = 1024 * 1024;
/// A message that is no stream goes on before its end is there once it is this long.
const WHOLE_LIMIT: usize = 256 * 1024;
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
                _ => Inbound::Decided(DeliveryState::Released),
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
            Some(Inbound::Decided(_)) => {
                if !transfer.more
                    && let Some(Inbound::Decided(state)) = conn.incoming.remove(&transfer.delivery)
                    && !transfer.settled
                {
                    conn.amqp.dispose(transfer.delivery, Some(state), true);
                    self.wake_conn(conn_id);
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

    /// A final transfer for a flow; a flow that failed meanwhile has left its verdict behind.
    fn inbound_flow_over(&mut self, conn_id: ConnId, flow: FlowId, transfer: Transfer<'_>) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        let Some(Inbound::Decided(state)) = conn.incoming.get(&transfer.delivery) else {
            return self.flow_stream_over(flow, transfer.settled);
        };
        if !transfer.settled {
            conn.amqp.dispose(transfer.delivery, Some(state.clone()), true);
        }
        conn.incoming.remove(&transfer.delivery);
        self.wake_conn(conn_id);
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
        let Some(to) = self.destination(conn_id, transfer.link, &head) else {
            return self.doom(conn_id, transfer, FailedState::Rejected);
        };
        match self.target(&to, Origin::Conn(conn_id)) {
            Target::Answer(flow) => self.route_answer(conn_id, transfer, &head, &bytes, flow),
            Target::Everyone(_) => self.collect_multicast(conn_id, transfer, bytes),
            Target::Server { dest: Dest::Local(connector), .. } => {
                // Streams without a way back are not TCP.
                let Some(reply_to) = head.properties.reply_to.clone() else {
                    return self.doom(conn_id, transfer, FailedState::Released);
                };
                let from = (conn_id, transfer.delivery);
                let way_back = (reply_to, head.alpn(&bytes));
                match self.begin_connector_flow(connector, from, (&head, &bytes), way_back, now) {
                    Some(flow) => self.join_flow(conn_id, transfer, flow, bytes.get(head.body..).unwrap_or_default()),
                    None => self.doom(conn_id, transfer, FailedState::Released),
                }
            }
            Target::Server { dest, address, counted } => {
                self.pass_on(conn_id, transfer, &head, bytes, dest, (address, counted));
            }
            Target::Nowhere => self.doom(conn_id, transfer, FailedState::Released),
        }
    }

    /// Where a delivery wants to go: a client says so by its link, a router by the message.
    fn destination(&self, conn_id: ConnId, link: LinkId, head: &Head) -> Option<String> {
        let conn = self.conns.get(conn_id)?;
        let by_link = match conn.links.get(&link) {
            Some(LinkUse::In(Some(address))) => Some(address.to_string()),
            _ => None,
        };
        let overridden = head.annotations.as_ref().and_then(|annotations| annotations.to_override.clone());
        let by_message = overridden.filter(|_| conn.is_router()).or_else(|| head.properties.to.clone());
        if conn.is_router() { by_message.or(by_link) } else { by_link.or(by_message) }
    }

    fn route_answer(&mut self, conn_id: ConnId, transfer: Transfer<'_>, head: &Head, bytes: &[u8], flow: FlowId) {
        match self.flow_answered(flow, transfer.delivery, (head, bytes)) {
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
        bytes: Vec<u8>,
        dest: Dest,
        (address, counted): (Arc<str>, bool),
    ) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        let flags = head.annotations.as_ref().map_or(0, |annotations| annotations.flags);
        let hurried = matches!(dest, Dest::Endpoint(id) if self.endpoints.get(id).is_some_and(Endpoint::is_hurried));
        if !hurried && transfer.more && flags & STREAMING == 0 && bytes.len() < WHOLE_LIMIT {
            // Most messages are whole soon, and go on their address's own link, in order.
            conn.incoming.insert(transfer.delivery, Inbound::Head(bytes));
            return;
        }
        // Links of routers that carry messages for many addresses must not stand still because of one.
        let shared = conn.is_router() && matches!(conn.links.get(&transfer.link), Some(LinkUse::In(None)));
        if head.trace().contains(&self.node_id()) {
            // It has been here already: routers that are linked in a ring would pass it round for ever.
            return self.doom(conn_id, transfer, FailedState::Released);
        }
        let settled = transfer.settled && !transfer.more;
        if settled {
            self.forget_inbound(conn_id, transfer.delivery);
        }
        let passage = Passage {
            from: if settled { Source::Nobody } else { Source::Link(conn_id, transfer.delivery) },
            dest,
            counted: counted.then(|| address.clone()),
            held: (!transfer.more && !shared).then_some((conn_id, transfer.link)),
            windowed: flags & UNTHROTTLED != 0,
            address: address.clone(),
            trace: head.trace().to_vec(),
        };
        let out = self.outgoing_form((head, &bytes), Origin::Conn(conn_id), (dest, &address), transfer.more);
        self.begin_splice(passage, out, transfer.end());
    }

    fn collect_multicast(&mut self, conn_id: ConnId, transfer: Transfer<'_>, bytes: Vec<u8>) {
        if bytes.len() > MULTICAST_LIMIT {
            self.warn(format!("a multicast message of more than {MULTICAST_LIMIT} bytes was refused"));
            return self.doom(conn_id, transfer, FailedState::Rejected);
        }
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        if transfer.more {
            conn.incoming.insert(transfer.delivery, Inbound::Multicast(bytes));
            return;
        }
        conn.incoming.remove(&transfer.delivery);
        let Ok(Some(head)) = Head::parse(&bytes, true) else {
            return self.doom(conn_id, transfer, FailedState::Rejected);
        };
        let Some(to) = self.destination(conn_id, transfer.link, &head) else { return };
        let Target::Everyone(address) = self.target(&to, Origin::Conn(conn_id)) else { return };
        let from = if transfer.settled { Source::Nobody } else { Source::Link(conn_id, transfer.delivery) };
        self.multicast(Origin::Conn(conn_id), from, (&head, &bytes), address);
    }

    /// Nobody takes this delivery: says so now, settles when it ends.
    fn doom(&mut self, conn_id: ConnId, transfer: Transfer<'_>, state: FailedState) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        if transfer.more {
            conn.incoming.insert(transfer.delivery, Inbound::Decided(state.state()));
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
            Inbound::Splice(splice) => self.lose_splice_source(splice),
            _ => {}
        }
    }
}
