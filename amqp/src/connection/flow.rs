//! Flow control: of sessions (2.5.6) and of links (2.6.7).

use super::fault::{Fault, UNATTACHED_HANDLE};
use super::link::{LinkKey, LinkState};
use super::session::{FIRST_OUTGOING_ID, OUTGOING_WINDOW, SessionState};
use super::{Connection, LinkId};
use crate::codec::read::Reader;
use crate::performative::flow::{Flow, LinkFlow};
use crate::{Event, Role, SessionId};

/// `granted` frames or deliveries from `theirs` on, seen from `ours`, a serial number that may be ahead of it because
/// what we sent last has not arrived there yet. A peer that claims to have got more than we sent gains nothing.
fn remaining(theirs: u32, granted: u32, ours: u32) -> u32 {
    let behind = i64::from(theirs.wrapping_sub(ours).cast_signed()).min(0);
    u32::try_from((behind + i64::from(granted)).max(0)).unwrap_or(u32::MAX)
}

impl Connection {
    /// Receiver: keeps `credit` deliveries granted: topped up as first frames arrive (a flow at least each half).
    pub fn keep_credit(&mut self, link: LinkId, credit: u32) {
        self.set_credit(link.into(), credit, credit);
    }

    /// Receiver: grants exactly this many more deliveries, from now on not topped up.
    pub fn grant_credit(&mut self, link: LinkId, credit: u32) {
        self.set_credit(link.into(), credit, 0);
    }

    /// Receiver: from now on tops up to `credit` only. More than that may still be granted; it is not taken back.
    pub fn limit_credit(&mut self, link: LinkId, credit: u32) {
        if let Some(link) = self.links.get_mut(link.into()).filter(|link| link.role == Role::Receiver) {
            link.keep = credit;
        }
        self.top_up(link.into());
    }

    fn set_credit(&mut self, key: LinkKey, credit: u32, keep: u32) {
        let Some(link) = self.links.get_mut(key).filter(|link| link.role == Role::Receiver) else { return };
        let same = link.credit == credit;
        link.keep = keep;
        link.credit = credit;
        match link.state {
            LinkState::Up if !same => self.send_link_flow(key, false),
            LinkState::Up | LinkState::DetachSent => {}
            // The sender's delivery-count, from which credit counts, comes with its attach.
            _ => link.flow_due = true,
        }
    }

    /// Sender: credit that is left.
    pub fn credit(&self, link: LinkId) -> u32 {
        let sender = self.links.get(link.into()).filter(|link| link.role == Role::Sender);
        sender.filter(|link| link.known_to_caller()).map_or(0, |link| link.credit)
    }

    /// Tops credit up when half of it is used.
    pub(super) fn top_up(&mut self, key: LinkKey) {
        let Some(link) = self.links.get_mut(key) else { return };
        if link.keep > 0 && link.credit <= link.keep / 2 {
            link.credit = link.keep;
            self.send_link_flow(key, false);
        }
    }

    pub(super) fn send_link_flow(&mut self, key: LinkKey, drain: bool) {
        let Some(link) = self.links.get_mut(key) else { return };
        link.flow_due = false;
        if link.state != LinkState::Up {
            return;
        }
        let Some(handle) = link.handle else { return };
        let granted = link.delivery_count.wrapping_add(link.credit);
        if link.role == Role::Receiver && link.ahead(granted) > link.ahead(link.limit) {
            link.limit = granted;
        }
        let delivery_count = Some(link.delivery_count);
        let flow = LinkFlow { handle, delivery_count, credit: Some(link.credit), drain };
        let session = link.session;
        self.send_flow(session, Some(flow));
    }

    /// Every flow says that our whole window is open again: what arrived was handed on at once.
    pub(super) fn send_flow(&mut self, id: u16, link: Option<LinkFlow>) {
        let Some(session) = self.sessions.get_mut(id).filter(|session| session.state == SessionState::Up) else {
            return;
        };
        session.incoming_window = self.config.incoming_window;
        let flow = Flow {
            next_incoming_id: Some(session.next_incoming_id),
            incoming_window: session.incoming_window,
            next_outgoing_id: session.next_outgoing_id,
            outgoing_window: OUTGOING_WINDOW,
            link,
            echo: false,
        };
        self.output.amqp(id, |out| flow.encode(out));
    }

    pub(super) fn on_flow(&mut self, channel: u16, reader: &mut Reader<'_>) -> Result<(), Fault> {
        let id = self.session_on(channel)?;
        let flow = Flow::decode(reader)?;
        let Some(session) = self.sessions.get_mut(id).filter(|session| session.state == SessionState::Up) else {
            return Ok(());
        };
        // 2.5.6. Without a next-incoming-id the peer had not seen our begin, so it counts from our first id.
        let theirs = flow.next_incoming_id.unwrap_or(FIRST_OUTGOING_ID);
        let was_shut = session.remote_window == 0;
        session.remote_window = remaining(theirs, flow.incoming_window, session.next_outgoing_id);
        let key = flow.link.map(|link| session.remote_handles.get(&link.handle).copied());
        if was_shut && session.remote_window > 0 {
            self.send_aborts(id);
            if self.sessions.get(id).is_some_and(|session| session.remote_window > 0) {
                self.events.push_back(Event::Room(SessionId(id)));
            }
        }
        match (flow.link, key) {
            (Some(link), Some(Some(key))) => self.on_link_flow(key, link, flow.echo),
            (Some(link), _) => {
                return Err(Fault::session(id, UNATTACHED_HANDLE, format!("flow for handle {}", link.handle)));
            }
            (None, _) if flow.echo => self.send_flow(id, None),
            (None, _) => {}
        }
        Ok(())
    }

    fn on_link_flow(&mut self, key: LinkKey, flow: LinkFlow, echo: bool) {
        let Some(link) = self.links.get_mut(key) else { return };
        if link.state == LinkState::DetachSent {
            return;
        }
        match link.role {
            Role::Receiver => {
                // A sender that drains moves its count on without a delivery.
                if let Some(count) = flow.delivery_count
                    && let Ok(skipped @ 1..) = u32::try_from(link.ahead(count))
                {
                    link.delivery_count = count;
                    link.credit = link.credit.saturating_sub(skipped);
                }
                if echo {
                    self.send_link_flow(key, false);
                } else {
                    self.top_up(key);
                }
            }
            Role::Sender => {
                let had = link.credit;
                if let Some(credit) = flow.credit {
                    let theirs = flow.delivery_count.unwrap_or(FIRST_OUTGOING_ID);
                    link.credit = remaining(theirs, credit, link.delivery_count);
                }
                let fresh = had == 0 && link.credit > 0;
                if link.state == LinkState::AttachReceived {
                    link.drain_due = flow.drain;
                } else if flow.drain {
                    self.drain(key);
                } else {
                    if echo {
                        self.send_link_flow(key, false);
                    }
                    if fresh {
                        self.events.push_back(Event::Credit(key.into()));
                    }
                }
            }
        }
    }

    /// Uses up a sending link's credit by moving its count on, and says so (2.6.7). A delivery under way has taken
    /// its credit with its first frame.
    pub(super) fn drain(&mut self, key: LinkKey) {
        let Some(link) = self.links.get_mut(key) else { return };
        link.drain_due = false;
        link.delivery_count = link.delivery_count.wrapping_add(link.credit);
        link.credit = 0;
        self.send_link_flow(key, true);
        self.events.push_back(Event::Drained(key.into()));
    }
}
