//! A message that passes through: from a link or an endpoint to a link, an endpoint, or everyone who consumes its
//! address. It may be whole or a stream that goes on for hours.

use super::Router;
use super::conn::{Inbound, Owner, Waiter};
use super::flow::FailedState;
use super::queue::ByteQueue;
use super::table::Dest;
use super::types::{ConnId, EndpointEvent, EndpointId, MessageId};
use moorline_amqp::{DeliveryState, End, Incoming, LinkId, Outgoing};
use std::sync::Arc;

/// A stream whose ends keep a window may hold this much on its way: the windows are well below.
const WINDOWED_LIMIT: usize = 4 * 1024 * 1024;
/// Any other message: nobody keeps its sender back while it is under way.
const LIMIT: usize = 64 * 1024 * 1024;

/// Who hears what becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// It is settled already, or its sender is gone.
    Nobody,
    Link(ConnId, Incoming),
    Endpoint(EndpointId),
    /// It is a copy of this multicast message.
    Copy(MessageId),
}

pub(super) enum Sink {
    Link {
        conn: ConnId,
        out: Option<Outgoing>,
    },
    Endpoint {
        endpoint: EndpointId,
        trace: Vec<String>,
        /// It has been told of what is here.
        told: bool,
    },
    /// Copies are under way, so many are not settled.
    Everyone {
        left: usize,
        accepted: bool,
    },
}

/// A message and the way that was chosen for it.
pub(super) struct Passage {
    pub(super) from: Source,
    /// Not a connector: those have flows.
    pub(super) dest: Dest,
    /// Counted as open at its server under this address.
    pub(super) counted: Option<Arc<str>>,
    /// The link whose credit it takes while it waits here.
    pub(super) held: Option<(ConnId, LinkId)>,
    /// Its ends keep a window.
    pub(super) windowed: bool,
    /// Which subscription of an endpoint it is for.
    pub(super) address: Arc<str>,
    /// Routers that it passed.
    pub(super) trace: Vec<String>,
}

pub(super) struct Splice {
    pub(super) from: Source,
    pub(super) to: Sink,
    /// Not taken by the next hop yet.
    pub(super) backlog: ByteQueue,
    /// The last part is in the backlog or sent.
    pub(super) end: Option<End>,
    /// It was whole before it went on.
    whole: bool,
    windowed: bool,
    counted: Option<(Arc<str>, Dest)>,
    held: Option<(ConnId, LinkId, usize)>,
    blocked: bool,
}

impl Splice {
    /// The end of the message was received.
    pub(super) fn has_all(&self) -> bool {
        self.end.is_some()
    }

    /// A multicast message that waits for the verdicts on its copies.
    pub(super) fn everyone(from: Source) -> Splice {
        Splice {
            from,
            to: Sink::Everyone { left: 0, accepted: false },
            backlog: ByteQueue::default(),
            end: Some(End::Last),
            whole: true,
            windowed: false,
            counted: None,
            held: None,
            blocked: false,
        }
    }
}

impl Router {
    /// Begins to pass a message on. `bytes` is what the next hop shall see of it so far.
    /// None: the destination is a connector, which has flows instead.
    pub(super) fn begin_splice(&mut self, passage: Passage, bytes: Vec<u8>, end: Option<End>) -> Option<MessageId> {
        let Passage { from, dest, counted, held, windowed, address, trace } = passage;
        let to = match dest {
            Dest::Remote { conn, .. } => Sink::Link { conn, out: None },
            Dest::Endpoint(endpoint) => Sink::Endpoint { endpoint, trace, told: true },
            Dest::Local(_) => return None,
        };
        if let Some(address) = &counted {
            self.table.count(address, dest, 1);
        }
        let size = bytes.len();
        let id = self.splices.insert(Box::new(Splice {
            from,
            to,
            backlog: bytes.into(),
            end,
            whole: end.is_some(),
            windowed,
            counted: counted.map(|address| (address, dest)),
            held: held.map(|(conn, link)| (conn, link, size)),
            blocked: false,
        }));
        if let Source::Link(conn, delivery) = from
            && let Some(conn) = self.conns.get_mut(conn)
        {
            conn.incoming.insert(delivery, Inbound::Splice(id));
        }
        if let Some((conn, link)) = held {
            self.hold_credit(conn, link, size);
        }
        match dest {
            Dest::Remote { conn, link } if end.is_some() => self.request_on(conn, Waiter::Splice(id), link, size),
            Dest::Remote { conn, link } => self.request_link(conn, Waiter::Splice(id), link),
            Dest::Endpoint(endpoint) => self.tell_endpoint(endpoint, EndpointEvent::Arrived { message: id, address }),
            Dest::Local(_) => {}
        }
        Some(id)
    }

    pub(super) fn start_splice(&mut self, id: MessageId, link: LinkId) -> bool {
        let Some(splice) = self.splices.get_mut(id) else { return false };
        let Sink::Link { conn: to, out: started } = &mut splice.to else { return false };
        let to = *to;
        let Some(conn) = self.conns.get_mut(to) else { return false };
        let end = splice.end.unwrap_or(End::More);
        // A backlog that has grown may lie in two pieces.
        let (first, rest) = splice.backlog.slices();
        let Some((out, mut pushed)) = conn.amqp.start(link, first, if rest.is_empty() { end } else { End::More })
        else {
            return false;
        };
        if pushed.done && !rest.is_empty() {
            let more = conn.amqp.push(out, rest, end);
            pushed.bytes += more.bytes;
            pushed.done = more.done;
        }
        conn.own(out, Owner::Splice(id), link);
        *started = Some(out);
        if let Some(held) = splice.held.take() {
            self.release_credit(held);
        }
        self.wake_conn(to);
        self.splice_pushed(id, pushed.bytes, pushed.done);
        true
    }

    /// More of the message.
    pub(super) fn splice_data(&mut self, id: MessageId, payload: &[u8], end: Option<End>) {
        let Some(splice) = self.splices.get_mut(id) else { return };
        splice.end = end.or(splice.end);
        if let Sink::Link { conn: to, out: Some(out) } = splice.to
            && splice.backlog.is_empty()
            && let Some(conn) = self.conns.get_mut(to)
        {
            let pushed = conn.amqp.push(out, payload, splice.end.unwrap_or(End::More));
            if !pushed.done {
                splice.backlog.push(payload.get(pushed.bytes..).unwrap_or_default());
            }
            self.splice_pushed(id, 0, pushed.done);
            return self.wake_conn(to);
        }
        splice.backlog.push(payload);
        if splice.backlog.len() > if splice.windowed { WINDOWED_LIMIT } else { LIMIT } {
            self.warn("a message was cut: its receiver does not take what its sender goes on sending");
            return self.cut_splice(id, FailedState::Modified);
        }
        if let Sink::Endpoint { endpoint, told, .. } = &mut splice.to
            && !std::mem::replace(told, true)
        {
            let endpoint = *endpoint;
            self.tell_endpoint(endpoint, EndpointEvent::Input(id));
        }
    }

    pub(super) fn unblock_splice(&mut self, id: MessageId) {
        let Some(splice) = self.splices.get_mut(id) else { return };
        splice.blocked = false;
        let Sink::Link { conn: to, out: Some(out) } = splice.to else { return };
        let Some(conn) = self.conns.get_mut(to) else { return };
        let (first, rest) = splice.backlog.slices();
        let pushed = conn.amqp.push_parts(out, [first, rest], splice.end.unwrap_or(End::More));
        self.splice_pushed(id, pushed.bytes, pushed.done);
        self.wake_conn(to);
    }

    /// Accounts for what the next hop took out of the backlog.
    fn splice_pushed(&mut self, id: MessageId, taken: usize, done: bool) {
        let Some(splice) = self.splices.get_mut(id) else { return };
        splice.backlog.consume(taken);
        let Sink::Link { conn: to, out } = splice.to else { return };
        if !done {
            if !splice.blocked {
                splice.blocked = true;
                if let Some(conn) = self.conns.get_mut(to) {
                    conn.blocked.push_back(Waiter::Splice(id));
                }
            }
            return;
        }
        if splice.end.is_none() {
            if let (Source::Endpoint(endpoint), true) = (splice.from, taken > 0) {
                self.tell_endpoint(endpoint, EndpointEvent::Room(id));
            }
            return;
        }
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

    /// The next hop said something of the message: its sender hears it.
    pub(super) fn splice_disposition(&mut self, id: MessageId, state: Option<DeliveryState>, settled: bool) {
        let Some(splice) = self.splices.get_mut(id) else { return };
        let from = splice.from;
        if settled {
            splice.from = Source::Nobody;
            if splice.end.is_none() {
                // The sender need not be heard any more, but what we send must end.
                splice.end = Some(End::Last);
                self.unblock_splice(id);
            }
        }
        self.tell_source(from, id, state, settled);
        self.forget_splice_if_over(id);
    }

    /// Passes a word of the next hop on.
    fn tell_source(&mut self, from: Source, message: MessageId, state: Option<DeliveryState>, settled: bool) {
        match from {
            Source::Nobody => {}
            Source::Link(conn_id, delivery) => {
                if let Some(conn) = self.conns.get_mut(conn_id) {
                    conn.amqp.dispose(delivery, state, settled);
                    if settled {
                        conn.incoming.remove(&delivery);
                    }
                }
                self.wake_conn(conn_id);
            }
            Source::Endpoint(endpoint) => {
                self.tell_endpoint(endpoint, EndpointEvent::Outcome { message, state, settled });
            }
            Source::Copy(of) if settled => self.copy_settled(of, state),
            Source::Copy(_) => {}
        }
    }

    /// The sender said something: the next hop hears it.
    pub(super) fn splice_sender_disposition(&mut self, id: MessageId, state: Option<DeliveryState>, settled: bool) {
        let Some(splice) = self.splices.get_mut(id) else { return };
        if settled {
            splice.from = Source::Nobody;
        }
        if let Sink::Link { conn: to, out: Some(out) } = splice.to
            && let Some(conn) = self.conns.get_mut(to)
        {
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

    /// The sender is gone before it could hear a verdict. What was sent whole goes on without it.
    pub(super) fn lose_splice_source(&mut self, id: MessageId) {
        match self.splices.get_mut(id) {
            Some(splice) if splice.whole => {
                splice.from = Source::Nobody;
                self.forget_splice_if_over(id);
            }
            _ => self.abort_splice(id),
        }
    }

    /// The message's sender is gone or aborted it: the next hop gets an abort.
    pub(super) fn abort_splice(&mut self, id: MessageId) {
        let Some(splice) = self.remove_splice(id) else { return };
        match splice.to {
            Sink::Link { conn, out: Some(out) } => self.abort_delivery(conn, out),
            Sink::Endpoint { endpoint, .. } => self.tell_endpoint(endpoint, EndpointEvent::Aborted(id)),
            Sink::Link { .. } | Sink::Everyone { .. } => {}
        }
    }

    /// The next hop is gone. It may have acted on what it got; of a TCP stream routers say `released` all the same.
    pub(super) fn lose_splice_sink(&mut self, id: MessageId) {
        let Some(splice) = self.splices.get(id) else { return };
        let sent = matches!(splice.to, Sink::Link { out: Some(_), .. });
        let state = if sent && !splice.windowed { FailedState::Modified } else { FailedState::Released };
        self.cut_splice(id, state);
    }

    /// The next hop is gone, or does not take it: the sender hears so.
    pub(super) fn cut_splice(&mut self, id: MessageId, state: FailedState) {
        self.decide_splice(id, state.state());
        self.abort_splice(id);
    }

    /// The verdict on a message, perhaps before its end: the sender hears it at once and once more at the end.
    pub(super) fn decide_splice(&mut self, id: MessageId, state: DeliveryState) {
        let Some(splice) = self.splices.get_mut(id) else { return };
        let ended = splice.end.is_some();
        match std::mem::replace(&mut splice.from, Source::Nobody) {
            Source::Link(conn_id, delivery) if !ended => {
                if let Some(conn) = self.conns.get_mut(conn_id) {
                    conn.amqp.dispose(delivery, Some(state.clone()), false);
                    conn.incoming.insert(delivery, Inbound::Decided(state));
                }
                self.wake_conn(conn_id);
            }
            from => self.tell_source(from, id, Some(state), true),
        }
    }

    fn forget_splice_if_over(&mut self, id: MessageId) {
        let over = self.splices.get(id).is_some_and(|splice| {
            let sent = match splice.to {
                Sink::Link { out, .. } => splice.end.is_some() && splice.backlog.is_empty() && out.is_some(),
                // The endpoint says when it has done with it.
                Sink::Endpoint { .. } => false,
                Sink::Everyone { left, .. } => left == 0,
            };
            sent && splice.from == Source::Nobody
        });
        if over {
            self.remove_splice(id);
        }
    }

    pub(super) fn remove_splice(&mut self, id: MessageId) -> Option<Box<Splice>> {
        let splice = self.splices.remove(id)?;
        if let Sink::Link { conn, out: None } = splice.to
            && let Some(conn) = self.conns.get_mut(conn)
        {
            conn.forget_waiter(Waiter::Splice(id));
        }
        if let Some(held) = splice.held {
            self.release_credit(held);
        }
        if let Some((address, dest)) = &splice.counted {
            self.table.count(address, *dest, -1);
        }
        Some(splice)
    }
}
