//! Deliveries that we send (2.6.12, 2.6.14).

use super::incoming::known;
use super::link::{LinkKey, LinkState};
use super::output::Output;
use super::session::{Session, SessionState};
use super::{Connection, End, LinkId, Outgoing, Pushed, SessionId};
use crate::performative::disposition::{Disposition, put_disposition};
use crate::performative::transfer::{MAX_TRANSFER_LEN, Tail, put_transfer, transfer_len};
use crate::{DeliveryState, Event, Role};

/// Length of a frame header.
const FRAME_HEADER: usize = 8;

/// An unfinished or unsettled delivery.
pub(super) struct OutDelivery {
    pub(super) link: LinkKey,
    tag: u64,
    finished: bool,
    /// By either side; it is forgotten once it is finished as well.
    settled: bool,
    /// Gone for the caller; the frame that ends it waits for a window.
    pub(super) aborting: bool,
}

impl Connection {
    /// Sender: the link is up, has credit, carries no unfinished delivery, and there is room for a frame.
    /// Also false while as many deliveries as [`Config::max_unsettled`](super::Config::max_unsettled) are unsettled;
    /// [`Event::Room`] comes when that is over.
    pub fn can_start(&self, link: LinkId) -> bool {
        let Some(link) = self.links.get(link.into()) else { return false };
        let ready = link.state == LinkState::Up
            && link.role == Role::Sender
            && link.credit > 0
            && link.outgoing.is_none()
            && self.outgoing_total < self.config.max_unsettled;
        ready && self.room(SessionId(link.session)) > 0
    }

    /// Sender: nothing that was sent is unfinished or unsettled, and the receiver has read it all, so that nothing is
    /// lost if the link is detached.
    pub fn can_detach(&self, link: LinkId) -> bool {
        let link = self.links.get(link.into()).filter(|link| link.state == LinkState::Up && link.role == Role::Sender);
        link.is_some_and(|link| link.unsettled == 0 && link.unproven.is_none())
    }

    /// Starts a delivery if [`Connection::can_start`]; `payload` is taken as far as the window goes.
    /// The tag is an 8-byte little-endian counter of the connection.
    pub fn start(&mut self, link: LinkId, payload: &[u8], end: End) -> Option<(Outgoing, Pushed)> {
        if !self.can_start(link) {
            return None;
        }
        let key = link.into();
        let link = self.links.get_mut(key)?;
        let session = self.sessions.get_mut(link.session)?;
        let id = session.next_delivery_out;
        session.next_delivery_out = id.wrapping_add(1);
        let delivery = OutDelivery { link: key, tag: self.next_tag, finished: false, settled: false, aborting: false };
        self.next_tag = self.next_tag.wrapping_add(1);
        session.outgoing.insert(id, delivery);
        self.outgoing_total += 1;
        link.unsettled += 1;
        link.outgoing = Some(id);
        link.delivery_count = link.delivery_count.wrapping_add(1);
        link.credit = link.credit.saturating_sub(1);
        link.tally.deliveries += 1;
        link.tally.presettled += u64::from(end == End::LastSettled || link.snd_settle_mode == 1);
        let delivery = Outgoing { session: link.session, id };
        Some((delivery, self.send(delivery, [payload, &[]], end, true)))
    }

    /// Continues a delivery. An unknown or finished delivery takes nothing and is `done`.
    pub fn push(&mut self, delivery: Outgoing, payload: &[u8], end: End) -> Pushed {
        self.send(delivery, [payload, &[]], end, false)
    }

    /// The same for payload in two parts, for instance a section's head and its octets. `bytes` counts both.
    pub fn push_parts(&mut self, delivery: Outgoing, parts: [&[u8]; 2], end: End) -> Pushed {
        self.send(delivery, parts, end, false)
    }

    fn send(&mut self, delivery: Outgoing, parts: [&[u8]; 2], end: End, start: bool) -> Pushed {
        const NOTHING: Pushed = Pushed { bytes: 0, done: true };
        let Some(session) = self.sessions.get_mut(delivery.session) else { return NOTHING };
        let Some(entry) = session.outgoing.get(&delivery.id).filter(|entry| !entry.finished && !entry.aborting) else {
            return NOTHING;
        };
        let (link, tag, settled) = (entry.link, entry.tag, entry.settled);
        let Some((handle, presettled)) =
            self.links.get(link).and_then(|link| Some((link.handle?, link.snd_settle_mode == 1)))
        else {
            return NOTHING;
        };
        let tail = match end {
            End::More => Tail::More,
            End::Last if !presettled => Tail::Last,
            End::Last | End::LastSettled => Tail::LastSettled,
        };
        let capacity = self.frame_limit.saturating_sub(FRAME_HEADER + transfer_len(handle, delivery.id));
        let [mut first, mut second] = parts;
        let mut start = start;
        let done = loop {
            let empty = first.is_empty() && second.is_empty();
            if empty && tail == Tail::More && !start {
                break true;
            }
            if session.remote_window == 0 || self.output.pending() >= self.config.output_limit {
                break false;
            }
            start = false;
            let (a, first_left) = first.split_at(first.len().min(capacity));
            let (b, second_left) = second.split_at(second.len().min(capacity - a.len()));
            (first, second) = (first_left, second_left);
            let last = first.is_empty() && second.is_empty();
            let tail = if last { tail } else { Tail::More };
            session.put_frame(&mut self.output, delivery, handle, tag, tail, [a, b]);
            if last {
                break true;
            }
        };
        let taken = parts.iter().map(|part| part.len()).sum::<usize>() - first.len() - second.len();
        if done && tail != Tail::More {
            if let Some(link) = self.links.get_mut(link) {
                link.outgoing = None;
                if tail == Tail::LastSettled && !settled {
                    link.unproven = Some(delivery.id);
                }
            }
            if settled || tail == Tail::LastSettled {
                self.forget_outgoing(delivery);
            } else if let Some(entry) = session.outgoing.get_mut(&delivery.id) {
                entry.finished = true;
            }
        }
        Pushed { bytes: taken, done }
    }

    /// Payload bytes that `push` on this session would take now: bounded by the session's window and by what the
    /// output limit leaves. A push fills its last frame, so the limit may be passed by less than a frame.
    pub fn room(&self, session: SessionId) -> usize {
        let Some(session) = self.sessions.get(session.0).filter(|session| session.state == SessionState::Up) else {
            return 0;
        };
        let left = self.config.output_limit.saturating_sub(self.output.pending());
        let frames = left.div_ceil(self.frame_limit).min(session.remote_window as usize);
        frames.saturating_mul(self.frame_limit.saturating_sub(FRAME_HEADER + MAX_TRANSFER_LEN))
    }

    /// Ends an unfinished delivery with an aborted, settled transfer. A finished one is settled as released-by-sender.
    /// The delivery is gone for the caller; if the window is shut, the frame goes out when it opens.
    pub fn abort(&mut self, delivery: Outgoing) {
        let Some(session) = self.sessions.get_mut(delivery.session) else { return };
        let Some(entry) = session.outgoing.get_mut(&delivery.id).filter(|entry| !entry.aborting) else { return };
        if entry.finished {
            return self.dispose_sent(delivery, Some(DeliveryState::Released), true);
        }
        entry.aborting = true;
        session.aborts.push_back(delivery.id);
        self.send_aborts(delivery.session);
    }

    /// Sends the aborts that waited, as far as the window goes.
    pub(super) fn send_aborts(&mut self, id: u16) {
        while let Some(session) = self.sessions.get_mut(id).filter(|session| session.remote_window > 0) {
            let Some(delivery) = session.aborts.pop_front() else { return };
            // It may have died with its link in the meantime.
            let Some(entry) = session.outgoing.get(&delivery) else { continue };
            let Some(link) = self.links.get_mut(entry.link) else { continue };
            let (Some(handle), tag) = (link.handle, entry.tag) else { continue };
            link.outgoing = None;
            let delivery = Outgoing { session: id, id: delivery };
            session.put_frame(&mut self.output, delivery, handle, tag, Tail::Aborted, [&[], &[]]);
            self.forget_outgoing(delivery);
        }
    }

    /// Tells the receiver of a delivery its state (role sender).
    pub fn dispose_sent(&mut self, delivery: Outgoing, state: Option<DeliveryState>, settled: bool) {
        let Some(session) = self.sessions.get_mut(delivery.session) else { return };
        let Some(entry) = session.outgoing.get_mut(&delivery.id) else { return };
        if entry.settled || entry.aborting || (state.is_none() && !settled) {
            return;
        }
        entry.settled = settled;
        let over = settled && entry.finished;
        if settled && let Some(link) = self.links.get_mut(entry.link) {
            link.unproven = Some(delivery.id);
        }
        let state = state.as_ref();
        self.output.amqp(delivery.session, |out| put_disposition(out, Role::Sender, delivery.id, state, settled));
        if over {
            self.forget_outgoing(delivery);
        }
    }

    pub(super) fn on_receiver_disposition(&mut self, id: u16, disposition: &Disposition) {
        let Some(session) = self.sessions.get(id) else { return };
        for delivery in known(&session.outgoing, disposition.first, disposition.last) {
            let session = self.sessions.get_mut(id);
            let Some(entry) = session.and_then(|session| session.outgoing.get_mut(&delivery)) else { continue };
            if entry.settled || entry.aborting {
                continue;
            }
            entry.settled = disposition.settled;
            let over = entry.settled && entry.finished;
            if entry.settled
                && let Some(link) = self.links.get_mut(entry.link)
            {
                link.tally.settle(disposition.state.as_ref());
                link.unproven = link.unproven.filter(|&unproven| delivery.wrapping_sub(unproven).cast_signed() <= 0);
            }
            let delivery = Outgoing { session: id, id: delivery };
            let (state, settled) = (disposition.state.clone(), disposition.settled);
            self.events.push_back(Event::Disposition { delivery, state, settled });
            if over {
                self.forget_outgoing(delivery);
            }
        }
    }

    fn forget_outgoing(&mut self, delivery: Outgoing) {
        let session = self.sessions.get_mut(delivery.session);
        if let Some(entry) = session.and_then(|session| session.outgoing.remove(&delivery.id)) {
            if let Some(link) = self.links.get_mut(entry.link) {
                link.unsettled = link.unsettled.saturating_sub(1);
            }
            self.outgoing_dropped(1);
        }
    }

    /// Counts deliveries out. If there were too many for another, there is room again.
    pub(super) fn outgoing_dropped(&mut self, count: usize) {
        let was_full = self.outgoing_total >= self.config.max_unsettled;
        self.outgoing_total = self.outgoing_total.saturating_sub(count);
        if was_full && self.outgoing_total < self.config.max_unsettled {
            let up = |&id: &u16| self.sessions.get(id).is_some_and(|session| session.state == SessionState::Up);
            let rooms = self.sessions.ids().filter(up).map(|id| Event::Room(SessionId(id)));
            self.events.extend(rooms);
        }
    }
}

impl Session {
    /// Writes one transfer frame and takes it from the peer's window.
    fn put_frame(
        &mut self,
        output: &mut Output,
        delivery: Outgoing,
        handle: u32,
        tag: u64,
        tail: Tail,
        payload: [&[u8]; 2],
    ) {
        self.remote_window = self.remote_window.saturating_sub(1);
        self.next_outgoing_id = self.next_outgoing_id.wrapping_add(1);
        output.amqp(delivery.session, |out| {
            put_transfer(out, handle, delivery.id, tag, tail);
            payload.iter().for_each(|part| out.extend_from_slice(part));
        });
    }
}
