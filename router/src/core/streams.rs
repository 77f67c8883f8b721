//! Links for streams, and who waits for one or for room.

use super::Router;
use super::conn::{Conn, LinkUse, Outbound, Owner, Waiter};
use super::types::{Action, ConnId, FlowId};
use moorline_amqp::{Attach, End, LinkId, Outgoing, Role, Terminus};

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
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        let only = if conn.streaming { None } else { fallback.or(conn.base) };
        conn.pool.waiting.push_back((waiter, only));
        self.serve_waiting(conn_id);
    }

    /// Gives links to those who wait, and attaches more where they are too few.
    pub(super) fn serve_waiting(&mut self, conn_id: ConnId) {
        loop {
            let Some(conn) = self.conns.get_mut(conn_id) else { return };
            let Some((waiter, link)) = conn.next_served() else { break };
            let started = match waiter {
                Waiter::Flow(flow) => self.start_flow_stream(flow, link),
                Waiter::Splice(splice) => self.start_splice(splice, link),
                Waiter::Finish(_) => false,
            };
            if !started {
                self.link_free(conn_id, link);
            }
        }
        self.grow_pool(conn_id);
    }

    fn grow_pool(&mut self, conn_id: ConnId) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        if !conn.streaming {
            return;
        }
        // One link stays in reserve, so that the next stream need not wait for an attach.
        let wanted = conn.pool.waiting.len() + 1;
        while conn.pool.idle.len() + conn.pool.coming < wanted {
            let session = *conn.stream_session.get_or_insert_with(|| conn.amqp.begin());
            let attach = Attach {
                name: self.names.link(),
                role: Role::Sender,
                source: Some(Terminus::anonymous()),
                target: Some(Terminus::anonymous()),
                snd_settle_mode: 2,
                rcv_settle_mode: 0,
                properties: Vec::new(),
            };
            let Some(link) = conn.amqp.attach(session, attach) else { break };
            conn.links.insert(link, LinkUse::Stream);
            conn.pool.coming += 1;
        }
        self.wake_conn(conn_id);
    }

    /// A sending link has credit and carries nothing.
    pub(super) fn link_free(&mut self, conn_id: ConnId, link: LinkId) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        if conn.links.get(&link) == Some(&LinkUse::Stream)
            && conn.amqp.credit(link) > 0
            && !conn.pool.idle.contains(&link)
        {
            conn.pool.idle.push(link);
        }
    }

    /// Credit came for a link that had none.
    pub(super) fn link_credited(&mut self, conn_id: ConnId, link: LinkId) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        if conn.links.get(&link) == Some(&LinkUse::Stream) {
            conn.pool.coming = conn.pool.coming.saturating_sub(1);
            self.link_free(conn_id, link);
        }
        self.serve_waiting(conn_id);
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
        if conn.links.get(&link) == Some(&LinkUse::Stream) && conn.amqp.credit(link) == 0 {
            conn.pool.coming += 1;
        }
        self.link_free(conn_id, link);
        self.serve_waiting(conn_id);
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
        self.wake_conn(conn_id);
    }

    /// Output was sent or the window opened: those who were blocked go on, in turn.
    pub(super) fn room_opened(&mut self, conn_id: ConnId) {
        let Some(conn) = self.conns.get(conn_id) else { return };
        let drained = conn.amqp.output().is_empty();
        let room = conn.stream_session.map_or(0, |session| conn.amqp.room(session));
        let turns = if drained { conn.blocked.len() } else { conn.blocked.len().min(room / ROOM_EACH) };
        for _ in 0..turns {
            let Some(waiter) = self.conns.get_mut(conn_id).and_then(|conn| conn.blocked.pop_front()) else { break };
            match waiter {
                Waiter::Flow(flow) => self.unblock_flow(flow),
                Waiter::Splice(splice) => self.unblock_splice(splice),
                Waiter::Finish(out) => self.finish_delivery(conn_id, out),
            }
        }
        if drained {
            self.serve_waiting(conn_id);
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
        let (_, only) = self.pool.waiting.front()?;
        if only.is_none() {
            let ready = self.pool.idle.iter().rposition(|link| self.amqp.can_start(*link))?;
            let link = self.pool.idle.swap_remove(ready);
            return self.pool.waiting.pop_front().map(|(waiter, _)| (waiter, link));
        }
        let ready = |(_, link): &(Waiter, Option<LinkId>)| link.is_some_and(|link| self.amqp.can_start(link));
        let index = self.pool.waiting.iter().position(ready)?;
        let (waiter, link) = self.pool.waiting.remove(index)?;
        Some((waiter, link?))
    }
}
