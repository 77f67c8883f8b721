//! How flows end: well, badly, and in the log.

use super::{FailedState, Net, Remote, Side};
use crate::core::Router;
use crate::core::conn::{Inbound, Owner, Waiter};
use crate::core::types::{Action, CloseKind, FlowId, FlowRecord, Report};
use std::time::Instant;

impl Router {
    /// Both directions ended well: the socket may go.
    pub(super) fn close_if_over(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let sent = match &flow.net {
            Net::Remote(remote) => remote.ended,
            Net::Local(_) => flow.read_closed,
            Net::Cut => true,
        };
        if flow.close.is_none() && flow.read_closed && sent && flow.write_ended && flow.is_drained() {
            flow.close = Some(CloseKind::Done);
            self.wake_flow(id);
        }
    }

    /// Ends a flow that went wrong: its socket is reset, its peer told, its streams ended.
    pub(in crate::core) fn fail_flow(&mut self, id: FlowId, cause: String, state: FailedState) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.error.get_or_insert(cause);
        flow.close.get_or_insert(CloseKind::Reset);
        let write_ended = flow.write_ended;
        match std::mem::replace(&mut flow.net, Net::Cut) {
            Net::Cut => {}
            Net::Local(other) => {
                let cause = flow.error.clone().unwrap_or_default();
                self.fail_flow(other, cause, state);
            }
            Net::Remote(remote) => self.cut_streams(id, *remote, write_ended, state),
        }
        self.wake_flow(id);
    }

    /// The far end must know this from a good end. It hears so by the state of its own stream, which goes before our
    /// final transfer; where that stream is over already, ours is aborted.
    fn cut_streams(&mut self, id: FlowId, remote: Remote, ended: bool, state: FailedState) {
        if let Some(temp) = &remote.temp {
            self.locals.remove(temp);
        }
        let Some(conn) = self.conns.get_mut(remote.conn) else { return };
        if let Some(delivery) = remote.incoming {
            conn.amqp.dispose(delivery, Some(state.state()), ended);
            if ended {
                conn.incoming.remove(&delivery);
            } else {
                conn.incoming.insert(delivery, Inbound::Decided(state.state()));
            }
        }
        if let Some(out) = remote.out {
            if let Some(outbound) = conn.outgoing.get_mut(&out) {
                outbound.owner = Owner::Nobody;
            }
            let told = remote.refused || remote.incoming.is_some();
            if !remote.ended && told {
                self.finish_delivery(remote.conn, out);
            } else if !remote.ended {
                self.abort_delivery(remote.conn, out);
            }
        } else if let Some(conn) = self.conns.get_mut(remote.conn) {
            conn.forget_waiter(Waiter::Flow(id));
        }
        self.wake_conn(remote.conn);
    }

    /// The flow is gone from the driver: its record.
    pub(in crate::core) fn end_flow(&mut self, id: FlowId, now: Instant) {
        let still_joined = self.flows.get(id).is_some_and(|flow| match &flow.net {
            // It ended well; a local partner may still have bytes to write.
            _ if flow.close == Some(CloseKind::Done) => false,
            Net::Local(other) => self.flows.get(*other).is_some_and(|other| other.close.is_none()),
            Net::Remote(remote) => !remote.ended || remote.incoming.is_some(),
            Net::Cut => false,
        });
        if still_joined {
            self.fail_flow(id, "the socket was dropped".to_owned(), FailedState::Modified);
        }
        let Some(flow) = self.flows.remove(id) else { return };
        let flow = *flow;
        if let Net::Remote(remote) = &flow.net
            && let Some(temp) = &remote.temp
        {
            self.locals.remove(temp);
        }
        if let Some(dest) = flow.dest {
            self.table.count(&flow.address, dest, -1);
        }
        self.actions.push_back(Action::Report(Report::FlowEnded(Box::new(FlowRecord {
            flow: id,
            address: flow.address.to_string(),
            entity: flow.entity.to_string(),
            listener: matches!(flow.side, Side::Listener(_)),
            peer: flow.peer,
            bytes_in: flow.bytes_in,
            bytes_out: flow.bytes_out,
            started: flow.started,
            duration: now.saturating_duration_since(flow.started),
            error: flow.error,
            facts: flow.record,
        }))));
    }
}
