//! Links for streams, and who waits for one or for room.

use super::Router;
use super::conn::{Conn, LinkUse, Outbound, Owner, Waiter};
use super::flow::FailedState;
use super::names::Names;
use super::types::{Action, ConnId, FlowId};
use moorline_amqp::{Attach, End, LinkId, Outgoing, Role, SessionId, Terminus};

/// Blocked streams that are let go for each of this much room.
const ROOM_EACH: usize = 32 * 1024;

impl Conn {
    /// Remembers on whose behalf a delivery is sent.
    pub(super) fn own(&mut self, out: Outgoing, owner: Owner, link: LinkId) {
        self.outgoing.insert(out, Outbound { owner, link, ended: false, settled: false });
    }
}

impl Router {
    /// Asks for a link to send one stream on; `fallback` is for peers that do not take streams on links of their own.
    pub(super) fn request_link(&mut self, conn_id: ConnId, waiter: Waiter, fallback: Option<LinkId>) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return self.turn_away(waiter) };
        if !conn.streaming {
            return self.request_on(conn_id, waiter, fallback, 0);
        }
        conn.pool.waiting.push_back(waiter);
        self.serve_waiting(conn_id);
    }

    /// Asks for this very link, or the connection's base link, for a message of `bytes`.
    pub(super) fn request_on(&mut self, conn_id: ConnId, waiter: Waiter, link: Option<LinkId>, bytes: usize) {
        let conn = self.conns.get_mut(conn_id);
        let queued =
            conn.is_some_and(|conn| link.or(conn.base).is_some_and(|link| conn.queues.push(link, waiter, bytes)));
        if queued {
            self.serve_waiting(conn_id);
        } else {
            self.turn_away(waiter);
        }
    }

    /// Gives links to those who wait, and attaches more where they are too few.
    pub(super) fn serve_waiting(&mut self, conn_id: ConnId) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        if std::mem::replace(&mut conn.pool.serving, true) {
            return;
        }
        while let Some((waiter, link)) = self.conns.get_mut(conn_id).and_then(Conn::next_served) {
            let started = match waiter {
                Waiter::Flow(flow) => self.start_flow_stream(flow, link),
                Waiter::Splice(splice) => self.start_splice(splice, link),
                Waiter::Finish(_) => false,
            };
            if !started {
                self.link_free(conn_id, link);
            }
        }
        if let Some(conn) = self.conns.get_mut(conn_id) {
            conn.pool.serving = false;
        }
        self.grow_pool(conn_id);
    }

    fn grow_pool(&mut self, conn_id: ConnId) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        if !conn.streaming || conn.closed.is_some() {
            return;
        }
        while conn.pool.wants_more() {
            let Some(link) = conn.attach_for_streams(&mut self.names) else {
                conn.pool.set_full(true);
                break;
            };
            conn.links.insert(link, LinkUse::Stream);
            conn.pool.attached(link);
        }
        let hopeless = conn.pool.is_hopeless().then(|| std::mem::take(&mut conn.pool.waiting));
        for waiter in hopeless.unwrap_or_default() {
            self.turn_away(waiter);
        }
        self.wake_conn(conn_id);
    }

    /// Who waits for a link that will not come hears so.
    fn turn_away(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Flow(flow) => {
                self.fail_flow(flow, "the network takes no link for it".to_owned(), FailedState::Released);
            }
            Waiter::Splice(splice) => self.cut_splice(splice, FailedState::Released),
            Waiter::Finish(_) => {}
        }
    }

    /// A link is gone: nobody else can serve those who wait for just this one.
    pub(super) fn turn_away_from(&mut self, conn_id: ConnId, link: LinkId) {
        let left = self.conns.get_mut(conn_id).map(|conn| conn.queues.take(link));
        for waiter in left.into_iter().flatten() {
            self.turn_away(waiter);
        }
    }

    /// The session of our streams has ended, and they with it: the next ones get another.
    pub(super) fn stream_session_down(&mut self, conn_id: ConnId, session: SessionId) {
        if let Some(conn) = self.conns.get_mut(conn_id)
            && conn.stream_session == Some(session)
        {
            conn.stream_session = None;
            conn.pool.set_full(false);
            self.serve_waiting(conn_id);
        }
    }

    /// A sending link carries nothing any more.
    pub(super) fn link_free(&mut self, conn_id: ConnId, link: LinkId) {
        if let Some(conn) = self.conns.get_mut(conn_id) {
            conn.pool.released(link, conn.amqp.credit(link));
        }
    }

    /// Credit came for a link that had none.
    pub(super) fn link_credited(&mut self, conn_id: ConnId, link: LinkId) {
        if let Some(conn) = self.conns.get_mut(conn_id) {
            conn.pool.credited(link);
            self.serve_waiting(conn_id);
            self.detach_spare(conn_id, link);
        }
    }

    /// Something on a link is over: the link goes too, if it is one of too many and nothing else is under way on it.
    pub(super) fn detach_spare(&mut self, conn_id: ConnId, link: LinkId) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        if conn.pool.is_spare(link) && conn.amqp.can_detach(link) {
            conn.pool.gone(link, false);
            conn.links.remove(&link);
            conn.amqp.detach(link, None);
            self.wake_conn(conn_id);
        }
    }

    /// The last transfer of a delivery of ours is out: its link is free again.
    pub(super) fn stream_ended(&mut self, conn_id: ConnId, out: Outgoing) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        let Some(outbound) = conn.outgoing.get_mut(&out) else { return };
        outbound.ended = true;
        let (link, settled) = (outbound.link, outbound.settled);
        if settled {
            conn.outgoing.remove(&out);
        }
        self.link_free(conn_id, link);
        self.serve_waiting(conn_id);
        self.detach_spare(conn_id, link);
    }

    /// Ends a delivery that has no owner any more.
    pub(super) fn finish_delivery(&mut self, conn_id: ConnId, out: Outgoing) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        if conn.amqp.push(out, &[], End::Last).done {
            self.stream_ended(conn_id, out);
        } else {
            conn.blocked.push_back(Waiter::Finish(out));
        }
    }

    /// Cuts a delivery of ours off, so that its receiver cannot take it for complete.
    pub(super) fn abort_delivery(&mut self, conn_id: ConnId, out: Outgoing) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        let Some(outbound) = conn.outgoing.remove(&out).filter(|outbound| !outbound.ended) else { return };
        conn.amqp.abort(out);
        self.link_free(conn_id, outbound.link);
        self.serve_waiting(conn_id);
        self.detach_spare(conn_id, outbound.link);
        self.wake_conn(conn_id);
    }

    /// Output was sent or the window opened: those who were blocked go on, in turn.
    pub(super) fn room_opened(&mut self, conn_id: ConnId) {
        let Some(conn) = self.conns.get(conn_id) else { return };
        let (drained, streaming) = (conn.amqp.output().is_empty(), conn.streaming);
        let queued = !conn.queues.is_empty();
        let room = conn.stream_session.map_or(0, |session| conn.amqp.room(session));
        let turns = if drained { conn.blocked.len() } else { conn.blocked.len().min(room / ROOM_EACH) };
        self.tell_untold(conn_id);
        // The heads of new streams are small: they do not wait behind those that send all the time.
        if drained || streaming || queued {
            self.serve_waiting(conn_id);
        }
        for _ in 0..turns {
            let Some(waiter) = self.conns.get_mut(conn_id).and_then(|conn| conn.blocked.pop_front()) else { break };
            match waiter {
                Waiter::Flow(flow) => self.unblock_flow(flow),
                Waiter::Splice(splice) => self.unblock_splice(splice),
                Waiter::Finish(out) => self.finish_delivery(conn_id, out),
            }
        }
    }

    pub(super) fn wake_flow(&mut self, id: FlowId) {
        if let Some(flow) = self.flows.get_mut(id)
            && !flow.woken
        {
            flow.woken = true;
            self.actions.push_back(Action::WakeFlow(id));
        }
    }

    pub(super) fn wake_conn(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id)
            && !conn.woken
        {
            conn.woken = true;
            self.actions.push_back(Action::WakeConnection(id));
        }
    }
}

impl Conn {
    /// The next waiter that has a link to start on now.
    fn next_served(&mut self) -> Option<(Waiter, LinkId)> {
        if let Some(ready) = self.queues.pop_ready(&self.amqp) {
            return Some(ready);
        }
        let session = self.stream_session?;
        if self.pool.waiting.is_empty() || self.amqp.room(session) == 0 {
            return None;
        }
        let link = self.pool.take(&self.amqp)?;
        self.pool.waiting.pop_front().map(|waiter| (waiter, link))
    }

    /// One more link for streams; none when the peer allows no more links or sessions.
    fn attach_for_streams(&mut self, names: &mut Names) -> Option<LinkId> {
        let attach = Attach {
            name: names.link(),
            role: Role::Sender,
            source: Some(Terminus::anonymous()),
            target: Some(Terminus::anonymous()),
            snd_settle_mode: 2,
            rcv_settle_mode: 0,
            properties: Vec::new(),
        };
        let session = *self.stream_session.get_or_insert_with(|| self.amqp.begin());
        let link = self.amqp.attach(session, attach.clone());
        link.or_else(|| {
            let session = self.amqp.begin();
            let link = self.amqp.attach(session, attach);
            self.stream_session = link.map(|_| session);
            link
        })
    }
}
