//! From the network to the socket: payload, acknowledgements, what the far end says.

use super::window::REPORTED_EACH;
use super::{FailedState, LOCAL_WINDOW, Net, QUEUE_LIMIT, Side};
use crate::core::Router;
use crate::core::types::{Encapsulation, FlowId};
use moorline_amqp::DeliveryState;
use std::time::Instant;

impl Router {
    /// Payload of the peer's stream.
    pub(in crate::core) fn flow_deliver(&mut self, id: FlowId, payload: &[u8]) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let Net::Remote(remote) = &mut flow.net else { return };
        match remote.encapsulation {
            Encapsulation::Lite => flow.write.push(payload),
            Encapsulation::Legacy => {
                // A body that breaks off is an end of stream that must not look like a good one.
                if !remote.sections.feed(payload, |data| flow.write.push(data)) {
                    return self.fail_flow(
                        id,
                        "the peer sent a malformed legacy body".to_owned(),
                        FailedState::Rejected,
                    );
                }
                if let (Some(id), Side::Connector(_)) = (remote.sections.take_flow_id(), flow.side) {
                    flow.record.counterflow = Some(id);
                }
            }
        }
        if flow.write.len() > QUEUE_LIMIT {
            return self.fail_flow(id, "the peer does not keep to the flow window".to_owned(), FailedState::Rejected);
        }
        self.wake_flow(id);
    }

    /// The peer's stream has ended well.
    pub(in crate::core) fn flow_stream_over(&mut self, id: FlowId, settled: bool) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.write_ended = true;
        let drained = flow.write.is_empty();
        if settled && let Some(remote) = flow.remote() {
            let (conn, delivery) = (remote.conn, remote.incoming.take());
            if let (Some(conn), Some(delivery)) = (self.conns.get_mut(conn), delivery) {
                conn.incoming.remove(&delivery);
            }
        }
        if drained {
            self.settle_flow(id);
        }
        self.wake_flow(id);
    }

    /// The delivery of the peer's stream does not exist any more: nothing may be said of it.
    pub(in crate::core) fn flow_lost_stream(&mut self, id: FlowId) {
        if let Some(remote) = self.flows.get_mut(id).and_then(|flow| flow.remote()) {
            remote.incoming = None;
        }
    }

    /// All of the peer's stream is written: accept it.
    fn settle_flow(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        if let Some(remote) = flow.remote()
            && let Some(delivery) = remote.incoming.take()
        {
            let conn_id = remote.conn;
            if let Some(conn) = self.conns.get_mut(conn_id) {
                conn.incoming.remove(&delivery);
                conn.amqp.dispose(delivery, Some(DeliveryState::Accepted), true);
            }
            self.wake_conn(conn_id);
        }
        self.close_if_over(id);
    }

    pub(in crate::core) fn flow_written(&mut self, id: FlowId, n: usize, now: Instant) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let (before, moved) = (flow.write.len(), flow.moved);
        flow.write.consume(n);
        flow.moved -= n.saturating_sub(before).min(moved);
        flow.count_written(n, now);
        let emptied = moved > 0 && flow.moved == 0;
        let (left, bytes_out, over) = (flow.write.len(), flow.bytes_out, flow.write_ended && flow.is_drained());
        let ended = flow.write_ended;
        match &mut flow.net {
            Net::Cut => {}
            Net::Local(other) => {
                let other = *other;
                if emptied || (before >= LOCAL_WINDOW / 2 && left < LOCAL_WINDOW / 2) {
                    self.wake_flow(other);
                }
            }
            Net::Remote(remote) => {
                let due = bytes_out - remote.reported >= REPORTED_EACH;
                if due
                    && !ended
                    && let Some(delivery) = remote.incoming
                {
                    remote.reported = bytes_out;
                    let conn_id = remote.conn;
                    if let Some(conn) = self.conns.get_mut(conn_id) {
                        let state = DeliveryState::Received { section_number: 0, section_offset: bytes_out };
                        conn.amqp.dispose(delivery, Some(state), false);
                    }
                    self.wake_conn(conn_id);
                }
            }
        }
        if over {
            self.settle_flow(id);
        }
    }

    /// The far end said something of our stream.
    pub(in crate::core) fn flow_disposition(
        &mut self,
        id: FlowId,
        state: Option<DeliveryState>,
        settled: bool,
        now: Instant,
    ) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let listener = matches!(flow.side, Side::Listener(_));
        let Some(remote) = flow.remote() else { return };
        match state {
            Some(DeliveryState::Received { section_offset, .. }) if section_offset > 0 => {
                let heard = self.conns.get(remote.conn).and_then(|conn| conn.heard);
                let others = heard.filter(|(flow, _)| *flow != id).map(|(_, at)| at);
                remote.window.acknowledge(section_offset, others, now);
                self.wake_flow(id);
            }
            Some(DeliveryState::Received { .. }) => {}
            Some(DeliveryState::Accepted) => {
                remote.window.limit(false);
                self.wake_flow(id);
            }
            None if settled => remote.window.limit(false),
            None => {}
            Some(failed) => {
                remote.refused = true;
                let began = remote.answered && remote.window.sent > 0;
                let cause = failure(&failed, listener && !began);
                self.fail_flow(id, cause, FailedState::Modified);
            }
        }
    }
}

fn failure(state: &DeliveryState, connecting: bool) -> String {
    match state {
        DeliveryState::Released if connecting => {
            "no server took the connection: its target refused it, speaks another encapsulation, or left".to_owned()
        }
        DeliveryState::Released => "the router that held the other end went away".to_owned(),
        DeliveryState::Rejected(Some(c)) => {
            format!("rejected by the network: {} {}", c.condition, c.description.as_deref().unwrap_or_default())
        }
        DeliveryState::Rejected(None) => "rejected by the network".to_owned(),
        _ if connecting => "the far side could not connect to its target, or was reset".to_owned(),
        _ => "reset by the far side".to_owned(),
    }
}
