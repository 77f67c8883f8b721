//! A stream that passes through: from a link of one connection to a link of another.

use super::Router;
use super::conn::{Inbound, Owner, Waiter};
use super::flow::FailedState;
use super::table::Dest;
use super::types::ConnId;
use moorline_amqp::{DeliveryState, End, Incoming, LinkId, Outgoing};
use std::sync::Arc;

slotmap::new_key_type! {
    /// A stream through this router.
    pub(super) struct SpliceId;
}

/// A stream whose next hop does not take it may hold this much: the ends' windows are well below.
const BACKLOG_LIMIT: usize = 4 * 1024 * 1024;

pub(super) struct Splice {
    /// Where it comes from; none once settled, and for copies of a multicast.
    from: Option<(ConnId, Incoming)>,
    to: ConnId,
    out: Option<Outgoing>,
    /// Not taken by the next hop yet.
    backlog: Vec<u8>,
    /// The last part is in the backlog or sent.
    end: Option<End>,
    counted: Option<(Arc<str>, Dest)>,
    blocked: bool,
}

impl Splice {
    /// The end of the stream was received.
    pub(super) fn has_all(&self) -> bool {
        self.end.is_some()
    }
}

impl Router {
    /// Begins to pass a delivery on. `bytes` is its head as the next hop shall see it, and what came behind.
    pub(super) fn begin_splice(
        &mut self,
        from: Option<(ConnId, Incoming)>,
        (to, link): (ConnId, Option<LinkId>),
        bytes: Vec<u8>,
        end: Option<End>,
        counted: Option<(Arc<str>, Dest)>,
    ) {
        if let Some((address, dest)) = &counted {
            self.table.count(address, *dest, 1);
        }
        let id = self.splices.insert(Splice { from, to, out: None, backlog: bytes, end, counted, blocked: false });
        if let Some((conn, delivery)) = from
            && let Some(conn) = self.conns.get_mut(conn)
        {
            conn.incoming.insert(delivery, Inbound::Splice(id));
        }
        self.request_link(to, Waiter::Splice(id), link);
    }

    /// A copy of a whole message for one consumer whose link can start.
    pub(super) fn begin_copy(&mut self, (to, link): (ConnId, LinkId), bytes: Vec<u8>) {
        let end = Some(End::LastSettled);
        let copy = Splice { from: None, to, out: None, backlog: bytes, end, counted: None, blocked: false };
        let id = self.splices.insert(copy);
        if !self.start_splice(id, link) {
            self.splices.remove(id);
        }
    }

    pub(super) fn start_splice(&mut self, id: SpliceId, link: LinkId) -> bool {
        let Some(splice) = self.splices.get_mut(id) else { return false };
        let Some(conn) = self.conns.get_mut(splice.to) else { return false };
        let end = splice.end.unwrap_or(End::More);
        let Some((out, pushed)) = conn.amqp.start(link, &splice.backlog, end) else { return false };
        conn.own(out, Owner::Splice(id), link);
        splice.out = Some(out);
        let to = splice.to;
        self.wake_conn(to);
        self.splice_pushed(id, pushed.bytes, pushed.done);
        true
    }

    /// More of the stream.
    pub(super) fn splice_data(&mut self, id: SpliceId, payload: &[u8], end: Option<End>) {
        let Some(splice) = self.splices.get_mut(id) else { return };
        splice.end = end.or(splice.end);
        let to = splice.to;
        match (splice.out, self.conns.get_mut(to)) {
            (Some(out), Some(conn)) if splice.backlog.is_empty() => {
                let pushed = conn.amqp.push(out, payload, splice.end.unwrap_or(End::More));
                if !pushed.done {
                    splice.backlog.extend_from_slice(payload.get(pushed.bytes..).unwrap_or_default());
                }
                self.splice_pushed(id, 0, pushed.done);
                self.wake_conn(to);
            }
            _ => {
                splice.backlog.extend_from_slice(payload);
                if splice.backlog.len() > BACKLOG_LIMIT {
                    self.warn("a stream was cut: its sender does not keep to the flow window");
                    self.cut_splice(id, FailedState::Modified);
                }
            }
        }
    }

    pub(super) fn unblock_splice(&mut self, id: SpliceId) {
        let Some(splice) = self.splices.get_mut(id) else { return };
        splice.blocked = false;
        let (Some(out), Some(conn)) = (splice.out, self.conns.get_mut(splice.to)) else { return };
        let pushed = conn.amqp.push(out, &splice.backlog, splice.end.unwrap_or(End::More));
        let to = splice.to;
        self.splice_pushed(id, pushed.bytes, pushed.done);
        self.wake_conn(to);
    }

    /// Accounts for what the next hop took out of the backlog.
    fn splice_pushed(&mut self, id: SpliceId, taken: usize, done: bool) {
        let Some(splice) = self.splices.get_mut(id) else { return };
        splice.backlog.drain(..taken.min(splice.backlog.len()));
        if splice.backlog.is_empty() {
            splice.backlog = Vec::new();
        }
        let (to, out) = (splice.to, splice.out);
        if !done {
            if !splice.blocked {
                splice.blocked = true;
                if let Some(conn) = self.conns.get_mut(to) {
                    conn.blocked.push_back(Waiter::Splice(id));
                }
            }
            return;
        }
        if splice.end.is_some() {
            if splice.end == Some(End::LastSettled)
                && let (Some(conn), Some(out)) = (self.conns.get_mut(to), out)
                && let Some(outbound) = conn.outgoing.get_mut(&out)
            {
                outbound.settled = true;
            }
            if let Some(out) = out {
                self.stream_ended(to, out);
            }
            self.forget_splice_if_over(id);
        }
    }

    /// The next hop said something of the stream: its sender hears it.
    pub(super) fn splice_disposition(&mut self, id: SpliceId, state: Option<DeliveryState>, settled: bool) {
        let Some(splice) = self.splices.get_mut(id) else { return };
        if let Some((conn_id, delivery)) = splice.from {
            if settled {
                splice.from = None;
            }
            if settled && splice.end.is_none() {
                // The origin need not be heard any more, but what we send must end.
                splice.end = Some(End::Last);
                self.unblock_splice(id);
            }
            if let Some(conn) = self.conns.get_mut(conn_id) {
                conn.amqp.dispose(delivery, state, settled);
                if settled {
                    conn.incoming.remove(&delivery);
                }
            }
            self.wake_conn(conn_id);
        }
        self.forget_splice_if_over(id);
    }

    /// The sender said something: the next hop hears it.
    pub(super) fn splice_sender_disposition(&mut self, id: SpliceId, state: Option<DeliveryState>, settled: bool) {
        let Some(splice) = self.splices.get_mut(id) else { return };
        if settled {
            splice.from = None;
        }
        let to = splice.to;
        if let (Some(out), Some(conn)) = (splice.out, self.conns.get_mut(to)) {
            conn.amqp.dispose_sent(out, state, settled);
            if settled && let Some(outbound) = conn.outgoing.get_mut(&out) {
                outbound.settled = true;
                if outbound.ended {
                    conn.outgoing.remove(&out);
                }
            }
            self.wake_conn(to);
        }
        self.forget_splice_if_over(id);
    }

    /// The stream's origin is gone or aborted it: the next hop gets an abort.
    pub(super) fn abort_splice(&mut self, id: SpliceId) {
        let Some(splice) = self.remove_splice(id) else { return };
        if let Some(out) = splice.out {
            self.abort_delivery(splice.to, out);
        }
    }

    /// The next hop is gone: the origin hears so.
    pub(super) fn cut_splice(&mut self, id: SpliceId, state: FailedState) {
        let Some(splice) = self.splices.get_mut(id) else { return };
        let ended = splice.end.is_some();
        if let Some((conn_id, delivery)) = splice.from.take()
            && let Some(conn) = self.conns.get_mut(conn_id)
        {
            conn.amqp.dispose(delivery, Some(state.state()), ended);
            if ended {
                conn.incoming.remove(&delivery);
            } else {
                conn.incoming.insert(delivery, Inbound::Doomed(state));
            }
            self.wake_conn(conn_id);
        }
        self.abort_splice(id);
    }

    fn forget_splice_if_over(&mut self, id: SpliceId) {
        let over = self.splices.get(id).is_some_and(|splice| {
            let sent = splice.end.is_some() && splice.backlog.is_empty() && splice.out.is_some();
            sent && splice.from.is_none()
        });
        if over {
            self.remove_splice(id);
        }
    }

    fn remove_splice(&mut self, id: SpliceId) -> Option<Splice> {
        let splice = self.splices.remove(id)?;
        if splice.out.is_none()
            && let Some(conn) = self.conns.get_mut(splice.to)
        {
            conn.pool.forget(Waiter::Splice(id));
        }
        if let Some((address, dest)) = &splice.counted {
            self.table.count(address, *dest, -1);
        }
        Some(splice)
    }
}
