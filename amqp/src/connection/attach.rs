//! Attach and detach (2.6.3 to 2.6.6), by either side.

use super::fault::{FRAMING_ERROR, Fault, HANDLE_IN_USE, NOT_ALLOWED, RESOURCE_LIMIT};
use super::link::{Link, LinkKey, LinkState};
use super::session::SessionState;
use super::{Connection, LinkId, SessionId};
use crate::codec::read::Reader;
use crate::performative::attach::{RemoteAttach, decode_attach, encode_attach};
use crate::performative::ending::Detach;
use crate::{Attach, Condition, Event, Incoming, Outgoing, Role, Terminus};

/// Expiry policy of termini that we ask for.
const POLICY_ASKED: &str = "link-detach";
/// Expiry policy of termini that we make for a peer: what routers answer.
const POLICY_ANSWERED: &str = "session-end";

impl Connection {
    /// Attaches a link; may be called before the session is up. `None` when the session is gone or handles ran out,
    /// or when the session has a link of this name and role already.
    pub fn attach(&mut self, session: SessionId, attach: Attach) -> Option<LinkId> {
        let id = session.0;
        let session = self.sessions.get_mut(id).filter(|session| session.state != SessionState::EndSent)?;
        let name = (attach.role, attach.name.clone());
        if session.names.contains(&name) {
            return None;
        }
        let mut link = Link::new(id, &attach, LinkState::Waiting);
        link.handle = Some(session.take_handle()?);
        link.attach = Some(Box::new(attach));
        session.names.insert(name);
        self.links_made += 1;
        link.number = self.links_made;
        let key = self.links.insert(Box::new(link));
        if session.state == SessionState::Waiting {
            session.waiting.push(key);
        } else {
            self.send_attach(key);
        }
        Some(key.into())
    }

    /// Sends the attach of a link that waited for its session.
    pub(super) fn send_attach(&mut self, key: LinkKey) {
        let Some(link) = self.links.get_mut(key) else { return };
        let (Some(session), Some(attach), Some(handle)) =
            (self.sessions.get_mut(link.session), link.attach.take(), link.handle)
        else {
            return;
        };
        link.state = LinkState::AttachSent;
        session.awaiting.push_back(key);
        self.output.amqp(link.session, |out| encode_attach(&attach, handle, POLICY_ASKED, out));
    }

    /// Answers a peer's attach.
    pub fn accept(&mut self, link: LinkId, source: Option<Terminus>, target: Option<Terminus>) {
        let key = link.into();
        if !self.answer(key, source, target) {
            return;
        }
        let Some(link) = self.links.get_mut(key) else { return };
        link.state = LinkState::Up;
        link.attach = None;
        match link.role {
            Role::Receiver if link.flow_due => self.send_link_flow(key, false),
            Role::Sender if link.drain_due => self.drain(key),
            Role::Sender if link.credit > 0 => self.events.push_back(Event::Credit(key.into())),
            _ => {}
        }
    }

    /// Sends our side of an attach of the peer. False if there is none to be answered.
    fn answer(&mut self, key: LinkKey, source: Option<Terminus>, target: Option<Terminus>) -> bool {
        let Some(link) = self.links.get_mut(key).filter(|link| link.state == LinkState::AttachReceived) else {
            return false;
        };
        let id = link.session;
        let Some(handle) = self.sessions.get_mut(id).and_then(|session| session.take_handle()) else {
            self.fail(Fault::session(id, RESOURCE_LIMIT, "no link handle is free"));
            return false;
        };
        link.handle = Some(handle);
        let attach = Attach {
            name: link.name.clone(),
            role: link.role,
            source,
            target,
            snd_settle_mode: link.snd_settle_mode,
            rcv_settle_mode: link.rcv_settle_mode,
            properties: Vec::new(),
        };
        self.output.amqp(id, |out| encode_attach(&attach, handle, POLICY_ANSWERED, out));
        true
    }

    /// Answers an attach of the peer, if that is still to be done, with a null terminus where ours would be (2.6.3).
    fn answer_without_terminus(&mut self, key: LinkKey) {
        let Some(link) = self.links.get_mut(key).filter(|link| link.state == LinkState::AttachReceived) else {
            return;
        };
        let Some(attach) = link.attach.take() else { return };
        match link.role {
            Role::Sender => self.answer(key, None, attach.target),
            Role::Receiver => self.answer(key, attach.source, None),
        };
    }

    /// Answers a peer's attach with a null terminus and a closing detach. No further event for the link.
    pub fn refuse(&mut self, link: LinkId, error: Condition) {
        let key = link.into();
        if self.links.get(key).is_some_and(|link| link.state == LinkState::AttachReceived) {
            self.send_detach(key, true, Some(error));
            self.let_go(key);
        }
    }

    /// Detaches and closes; deliveries on it are forgotten (no event for those; the link is gone for the caller).
    pub fn detach(&mut self, link: LinkId, error: Option<Condition>) {
        let key = link.into();
        match self.links.get(key).map(|link| link.state) {
            None | Some(LinkState::DetachSent) => {}
            Some(LinkState::Waiting) => {
                self.let_go(key);
                self.remove_link(key);
            }
            Some(_) => {
                self.send_detach(key, true, error);
                self.forget_deliveries(key, false);
                self.let_go(key);
            }
        }
    }

    /// Detaches a link because of what the peer did on it.
    pub(super) fn fail_link(&mut self, key: LinkKey, condition: Condition) {
        self.send_detach(key, true, Some(condition.clone()));
        self.forget_deliveries(key, true);
        self.let_go(key);
        self.events.push_back(Event::Detached(key.into(), Some(condition)));
    }

    /// Sends our detach, behind an attach without termini if the peer's was not answered yet.
    fn send_detach(&mut self, key: LinkKey, closed: bool, error: Option<Condition>) {
        self.answer_without_terminus(key);
        let Some(link) = self.links.get(key) else { return };
        if let Some(handle) = link.handle {
            let detach = Detach { handle, closed, error };
            self.output.amqp(link.session, |out| detach.encode(out));
        }
    }

    /// The link is gone for the caller: its name is free. It stays in the table until the peer's detach.
    fn let_go(&mut self, key: LinkKey) {
        let Some(link) = self.links.get_mut(key) else { return };
        link.state = LinkState::DetachSent;
        link.incoming = None;
        link.outgoing = None;
        if let Some(session) = self.sessions.get_mut(link.session) {
            session.names.remove(&(link.role, link.name.clone()));
            session.waiting.retain(|&waiting| waiting != key);
        }
    }

    fn remove_link(&mut self, key: LinkKey) {
        let Some(link) = self.links.remove(key) else { return };
        self.gone += link.tally;
        let Some(session) = self.sessions.get_mut(link.session) else { return };
        if let Some(handle) = link.handle {
            session.free_handle(handle);
        }
        if let Some(handle) = link.remote_handle {
            session.remote_handles.remove(&handle);
        }
    }

    /// Drops the deliveries of a link.
    fn forget_deliveries(&mut self, key: LinkKey, tell: bool) {
        // Links that nothing is under way on come and go by the thousand beside those that have much.
        let Some(link) = self.links.get_mut(key).filter(|link| link.unsettled > 0) else { return };
        link.unsettled = 0;
        let id = link.session;
        let Some(session) = self.sessions.get_mut(id) else { return };
        let events = &mut self.events;
        let (before_in, before_out) = (session.incoming.len(), session.outgoing.len());
        session.incoming.retain(|&delivery, entry| {
            let stays = entry.link != key;
            if tell && !stays {
                events.push_back(Event::IncomingGone(Incoming { session: id, id: delivery }));
            }
            stays
        });
        session.outgoing.retain(|&delivery, entry| {
            let stays = entry.link != key;
            if tell && !stays && !entry.aborting {
                events.push_back(Event::OutgoingGone(Outgoing { session: id, id: delivery }));
            }
            stays
        });
        self.incoming_total = self.incoming_total.saturating_sub(before_in - session.incoming.len());
        let dropped = before_out - session.outgoing.len();
        self.outgoing_dropped(dropped);
    }

    pub(super) fn on_attach(&mut self, channel: u16, reader: &mut Reader<'_>) -> Result<(), Fault> {
        let id = self.session_on(channel)?;
        let remote = decode_attach(reader)?;
        let Some(session) = self.sessions.get_mut(id).filter(|session| session.state != SessionState::EndSent) else {
            return Ok(());
        };
        if remote.handle > self.config.handle_max {
            // 2.7.2: handle-max says which error this is.
            return Err(Fault::connection(FRAMING_ERROR, format!("handle {} is above the handle-max", remote.handle)));
        }
        if let Some(&key) = session.remote_handles.get(&remote.handle) {
            // There are peers that never answer a refusal, and give its handle to the next link.
            if self.links.get(key).is_some_and(|link| link.state != LinkState::DetachSent) {
                return Err(Fault::session(id, HANDLE_IN_USE, format!("handle {} is in use", remote.handle)));
            }
            self.remove_link(key);
        }
        let Some(session) = self.sessions.get_mut(id) else { return Ok(()) };
        let links = &self.links;
        let answered = session.awaiting.iter().position(|&key| {
            links.get(key).is_some_and(|link| link.role == remote.attach.role && link.name == remote.attach.name)
        });
        match answered.and_then(|index| session.awaiting.remove(index)) {
            Some(key) => self.on_attach_answer(key, remote),
            None => self.on_attach_request(id, remote),
        }
        Ok(())
    }

    fn on_attach_answer(&mut self, key: LinkKey, remote: RemoteAttach) {
        let Some(link) = self.links.get_mut(key) else { return };
        if let Some(session) = self.sessions.get_mut(link.session) {
            session.remote_handles.insert(remote.handle, key);
        }
        link.remote_handle = Some(remote.handle);
        if link.role == Role::Receiver {
            link.delivery_count = remote.initial_delivery_count;
            link.limit = remote.initial_delivery_count;
        }
        if link.state == LinkState::DetachSent {
            return;
        }
        link.state = LinkState::Up;
        self.events.push_back(Event::AttachConfirmed(key.into(), Box::new(remote.attach)));
        if link.flow_due {
            self.send_link_flow(key, false);
        }
    }

    fn on_attach_request(&mut self, id: u16, remote: RemoteAttach) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let mut link = Link::new(id, &remote.attach, LinkState::AttachReceived);
        link.remote_handle = Some(remote.handle);
        link.attach = Some(Box::new(remote.attach.clone()));
        if link.role == Role::Receiver {
            link.delivery_count = remote.initial_delivery_count;
            link.limit = remote.initial_delivery_count;
        }
        let fresh = session.names.insert((link.role, link.name.clone()));
        self.links_made += 1;
        link.number = self.links_made;
        let key = self.links.insert(Box::new(link));
        session.remote_handles.insert(remote.handle, key);
        if fresh {
            self.events.push_back(Event::AttachRequested(key.into(), SessionId(id), Box::new(remote.attach)));
        } else {
            // Neither stolen (2.6.1) nor shared: the link that has the name keeps it.
            let condition = Condition::new(NOT_ALLOWED, "a link of this name is attached already");
            self.send_detach(key, true, Some(condition));
            if let Some(link) = self.links.get_mut(key) {
                link.state = LinkState::DetachSent;
            }
        }
    }

    pub(super) fn on_detach(&mut self, channel: u16, reader: &mut Reader<'_>) -> Result<(), Fault> {
        let id = self.session_on(channel)?;
        let detach = Detach::decode(reader)?;
        let Some(session) = self.sessions.get(id).filter(|session| session.state != SessionState::EndSent) else {
            return Ok(());
        };
        // An unattached handle is an error by the letter (2.8.17), but nothing is lost by it, and there are peers that
        // answer a refusal with two detaches. It must not cost the session's other links.
        let Some(&key) = session.remote_handles.get(&detach.handle) else { return Ok(()) };
        if self.links.get(key).is_some_and(|link| link.known_to_caller()) {
            self.send_detach(key, detach.closed, None);
            self.forget_deliveries(key, true);
            self.let_go(key);
            self.events.push_back(Event::Detached(key.into(), detach.error));
        }
        self.remove_link(key);
        Ok(())
    }

    /// The session that a delivery or link runs on.
    pub fn session_of(&self, link: LinkId) -> Option<SessionId> {
        self.links.get(link.into()).filter(|link| link.known_to_caller()).map(|link| SessionId(link.session))
    }
}
