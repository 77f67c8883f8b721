//! Sessions (2.5): channels, windows, and what ends with them.

use super::fault::{Fault, NOT_ALLOWED, RESOURCE_LIMIT};
use super::incoming::InDelivery;
use super::link::LinkKey;
use super::outgoing::OutDelivery;
use super::{Connection, Phase};
use crate::codec::read::Reader;
use crate::performative::ending::{decode_ending, put_end};
use crate::performative::open::Begin;
use crate::{Condition, Event, Incoming, LinkId, Outgoing, Role, SessionId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

/// We never make a peer wait for our sending window.
pub(super) const OUTGOING_WINDOW: u32 = 0x7fff_ffff;
/// Ids of our transfers and deliveries start here.
pub(super) const FIRST_OUTGOING_ID: u32 = 0;
/// Names a session that could not be begun.
const NO_SESSION: u16 = u16::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionState {
    /// Ours, from before the peer's open.
    Waiting,
    /// Ours, not answered.
    BeginSent,
    Up,
    /// What arrives until the peer's end is swallowed.
    EndSent,
}

pub(super) struct Session {
    pub(super) state: SessionState,
    pub(super) remote_channel: Option<u16>,
    pub(super) next_incoming_id: u32,
    /// Frames that the peer may still send before a flow of ours.
    pub(super) incoming_window: u32,
    pub(super) next_outgoing_id: u32,
    /// Frames that we may still send before a flow of the peer.
    pub(super) remote_window: u32,
    pub(super) next_delivery_out: u32,
    /// `None` until the peer's first delivery.
    pub(super) next_delivery_in: Option<u32>,
    /// Highest link handle that we may use.
    remote_handle_max: u32,
    next_handle: u32,
    /// In one piece: many that were scattered would hold the memory of all around them.
    free_handles: BinaryHeap<Reverse<u32>>,
    pub(super) remote_handles: BTreeMap<u32, LinkKey>,
    /// Links of ours that wait for our begin.
    pub(super) waiting: Vec<LinkKey>,
    /// Links of ours that wait for the peer's attach, in the order of ours.
    pub(super) awaiting: VecDeque<LinkKey>,
    /// Names of the links that are not being detached, by our role.
    pub(super) names: BTreeSet<(Role, String)>,
    pub(super) incoming: BTreeMap<u32, InDelivery>,
    pub(super) outgoing: BTreeMap<u32, OutDelivery>,
    /// Deliveries of ours to be aborted as soon as there is a window.
    pub(super) aborts: VecDeque<u32>,
}

impl Session {
    fn new(state: SessionState, incoming_window: u32) -> Session {
        Session {
            state,
            remote_channel: None,
            next_incoming_id: 0,
            incoming_window,
            next_outgoing_id: FIRST_OUTGOING_ID,
            remote_window: 0,
            next_delivery_out: FIRST_OUTGOING_ID,
            next_delivery_in: None,
            remote_handle_max: u32::MAX,
            next_handle: 0,
            free_handles: BinaryHeap::new(),
            remote_handles: BTreeMap::new(),
            waiting: Vec::new(),
            awaiting: VecDeque::new(),
            names: BTreeSet::new(),
            incoming: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            aborts: VecDeque::new(),
        }
    }

    /// The lowest handle that is free.
    pub(super) fn take_handle(&mut self) -> Option<u32> {
        if let Some(Reverse(handle)) = self.free_handles.pop() {
            return Some(handle);
        }
        let handle = self.next_handle;
        self.next_handle = handle.checked_add(1).filter(|_| handle <= self.remote_handle_max)?;
        Some(handle)
    }

    pub(super) fn free_handle(&mut self, handle: u32) {
        self.free_handles.push(Reverse(handle));
    }

    fn on_begin(&mut self, channel: u16, begin: &Begin) {
        self.remote_channel = Some(channel);
        self.next_incoming_id = begin.next_outgoing_id;
        self.remote_window = begin.incoming_window;
        self.remote_handle_max = begin.handle_max;
    }
}

/// All sessions by our channel, and the peer's channels.
#[derive(Default)]
pub(super) struct Sessions {
    slots: Vec<Option<Session>>,
    channels: Vec<Option<u16>>,
}

impl Sessions {
    pub(super) fn get(&self, session: u16) -> Option<&Session> {
        self.slots.get(usize::from(session))?.as_ref()
    }

    pub(super) fn get_mut(&mut self, session: u16) -> Option<&mut Session> {
        self.slots.get_mut(usize::from(session))?.as_mut()
    }

    /// Puts a session on the lowest free channel up to `limit`.
    fn insert(&mut self, limit: u16, session: Session) -> Option<u16> {
        let free = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        let channel = u16::try_from(free).ok().filter(|&channel| channel <= limit)?;
        if free == self.slots.len() {
            self.slots.push(Some(session));
        } else if let Some(slot) = self.slots.get_mut(free) {
            *slot = Some(session);
        }
        Some(channel)
    }

    fn remove(&mut self, session: u16) {
        let Some(slot) = self.slots.get_mut(usize::from(session)) else { return };
        let channel = slot.take().and_then(|session| session.remote_channel);
        if let Some(entry) = channel.and_then(|channel| self.channels.get_mut(usize::from(channel))) {
            *entry = None;
        }
    }

    /// The session that the peer has on this channel of its own.
    fn on_channel(&self, channel: u16) -> Option<u16> {
        self.channels.get(usize::from(channel)).copied().flatten()
    }

    fn map(&mut self, channel: u16, session: u16) {
        let index = usize::from(channel);
        if self.channels.len() <= index {
            self.channels.resize(index + 1, None);
        }
        if let Some(entry) = self.channels.get_mut(index) {
            *entry = Some(session);
        }
    }

    pub(super) fn shrink(&mut self) {
        for session in self.slots.iter_mut().flatten() {
            session.free_handles.shrink_to_fit();
            session.waiting.shrink_to_fit();
            session.awaiting.shrink_to_fit();
            session.aborts.shrink_to_fit();
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u16> + use<> {
        let slots = u16::try_from(self.slots.len()).unwrap_or(u16::MAX);
        0..slots
    }
}

impl Connection {
    /// Begins a session. Sessions of the peer are answered by the engine. May be called before the open.
    /// Without a free channel the session that is returned goes down at once.
    pub fn begin(&mut self) -> SessionId {
        if !self.live() {
            return SessionId(NO_SESSION);
        }
        let session = Session::new(SessionState::Waiting, self.config.incoming_window);
        let Some(id) = self.sessions.insert(self.channel_limit, session) else {
            let condition = Condition::new(RESOURCE_LIMIT, "no channel is free");
            self.events.push_back(Event::SessionDown(SessionId(NO_SESSION), Some(condition)));
            return SessionId(NO_SESSION);
        };
        if self.phase == Phase::Up {
            self.send_begin(id, SessionState::BeginSent);
        }
        SessionId(id)
    }

    /// Ends a session. Its links and deliveries are gone for the caller, without events.
    pub fn end(&mut self, session: SessionId, error: Option<Condition>) {
        match self.sessions.get(session.0).map(|session| session.state) {
            None | Some(SessionState::EndSent) => return,
            Some(SessionState::Waiting) => {}
            Some(_) => self.send_end(session.0, error.as_ref()),
        }
        self.clear_session(session.0, None);
        if self.sessions.get(session.0).is_some_and(|session| session.state == SessionState::Waiting) {
            self.sessions.remove(session.0);
        }
    }

    /// The peer's open is there: sends what was begun before it.
    pub(super) fn begin_waiting_sessions(&mut self) {
        for id in self.sessions.ids() {
            if self.sessions.get(id).is_none_or(|session| session.state != SessionState::Waiting) {
                continue;
            }
            if id > self.channel_limit {
                let condition = Condition::new(RESOURCE_LIMIT, "the peer allows fewer channels");
                self.clear_session(id, Some(Some(&condition)));
                self.sessions.remove(id);
                self.events.push_back(Event::SessionDown(SessionId(id), Some(condition)));
            } else {
                self.send_begin(id, SessionState::BeginSent);
            }
        }
    }

    fn send_begin(&mut self, id: u16, state: SessionState) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.state = state;
        let begin = Begin {
            remote_channel: session.remote_channel,
            next_outgoing_id: FIRST_OUTGOING_ID,
            incoming_window: session.incoming_window,
            outgoing_window: OUTGOING_WINDOW,
            handle_max: self.config.handle_max,
        };
        self.output.amqp(id, |out| begin.encode(out));
        for link in std::mem::take(&mut session.waiting) {
            self.send_attach(link);
        }
    }

    /// The session of a frame on the peer's channel.
    pub(super) fn session_on(&self, channel: u16) -> Result<u16, Fault> {
        let missing = || Fault::connection(NOT_ALLOWED, format!("channel {channel} carries no session"));
        self.sessions.on_channel(channel).ok_or_else(missing)
    }

    pub(super) fn on_begin(&mut self, channel: u16, reader: &mut Reader<'_>) -> Result<(), Fault> {
        let begin = Begin::decode(reader)?;
        if channel > self.config.channel_max {
            return Err(Fault::connection(NOT_ALLOWED, format!("channel {channel} is above the channel-max")));
        }
        if self.sessions.on_channel(channel).is_some() {
            return Err(Fault::connection(NOT_ALLOWED, format!("channel {channel} already carries a session")));
        }
        if let Some(id) = begin.remote_channel {
            let unanswered =
                |session: &&mut Session| session.remote_channel.is_none() && session.state != SessionState::Waiting;
            let Some(session) = self.sessions.get_mut(id).filter(unanswered) else {
                return Err(Fault::connection(NOT_ALLOWED, format!("channel {id} has no begin to be answered")));
            };
            session.on_begin(channel, &begin);
            if session.state == SessionState::BeginSent {
                session.state = SessionState::Up;
                self.events.push_back(Event::SessionUp(SessionId(id)));
            }
            self.sessions.map(channel, id);
            return Ok(());
        }
        let mut session = Session::new(SessionState::Up, self.config.incoming_window);
        session.on_begin(channel, &begin);
        let Some(id) = self.sessions.insert(self.channel_limit, session) else {
            return Err(Fault::connection(RESOURCE_LIMIT, "no channel is free"));
        };
        self.sessions.map(channel, id);
        self.send_begin(id, SessionState::Up);
        Ok(())
    }

    pub(super) fn on_end(&mut self, channel: u16, reader: &mut Reader<'_>) -> Result<(), Fault> {
        let id = self.session_on(channel)?;
        let error = decode_ending(reader)?;
        if self.sessions.get(id).is_some_and(|session| session.state != SessionState::EndSent) {
            self.send_end(id, None);
            self.clear_session(id, Some(error.as_ref()));
            self.events.push_back(Event::SessionDown(SessionId(id), error));
        }
        self.sessions.remove(id);
        Ok(())
    }

    pub(super) fn send_end(&mut self, id: u16, error: Option<&Condition>) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.state = SessionState::EndSent;
            self.output.amqp(id, |out| put_end(out, error));
        }
    }

    /// Drops a session's links and deliveries, telling the caller unless `tell` is `None`.
    pub(super) fn clear_session(&mut self, id: u16, tell: Option<Option<&Condition>>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let incoming = std::mem::take(&mut session.incoming);
        let outgoing = std::mem::take(&mut session.outgoing);
        session.remote_handles.clear();
        session.waiting.clear();
        session.awaiting.clear();
        session.names.clear();
        session.aborts.clear();
        self.incoming_total = self.incoming_total.saturating_sub(incoming.len());
        let told = outgoing.iter().filter(|(_, delivery)| !delivery.aborting).map(|(&delivery, _)| delivery);
        if tell.is_some() {
            self.events.extend(incoming.keys().map(|&d| Event::IncomingGone(Incoming { session: id, id: d })));
            self.events.extend(told.map(|d| Event::OutgoingGone(Outgoing { session: id, id: d })));
        }
        self.outgoing_dropped(outgoing.len());
        let (events, gone) = (&mut self.events, &mut self.gone);
        self.links.retain(|key, link| {
            let stays = link.session != id;
            if !stays {
                *gone += link.tally;
            }
            if let Some(condition) = tell.filter(|_| !stays && link.known_to_caller()) {
                events.push_back(Event::Detached(LinkId::from(key), condition.cloned()));
            }
            stays
        });
    }
}
