//! Deliveries that we receive (2.6.12, 2.6.14).

use super::fault::{
    Fault, INVALID_FIELD, NOT_ALLOWED, RESOURCE_LIMIT, TRANSFER_LIMIT, UNATTACHED_HANDLE, WINDOW_VIOLATION,
};
use super::input::Taken;
use super::link::{LinkKey, LinkState, Partial};
use super::session::{Session, SessionState};
use super::{Connection, Incoming};
use crate::codec::read::Reader;
use crate::performative::disposition::{Disposition, put_disposition};
use crate::performative::transfer::Transfer;
use crate::{DeliveryState, Event, Role};
use std::collections::BTreeMap;

/// An unfinished or unsettled delivery. While it is unfinished, its link holds the rest of its state.
pub(super) struct InDelivery {
    pub(super) link: LinkKey,
    complete: bool,
}

/// The known deliveries of a range, which may run over the end of the numbers: their count bounds the work, not the
/// width of the range.
pub(super) fn known<T>(deliveries: &BTreeMap<u32, T>, first: u32, last: u32) -> Vec<u32> {
    if first <= last {
        deliveries.range(first..=last).map(|(&id, _)| id).collect()
    } else {
        deliveries.range(first..).chain(deliveries.range(..=last)).map(|(&id, _)| id).collect()
    }
}

impl Session {
    /// Checks and notes the id of a new delivery: they count up by one (2.6.12).
    fn new_delivery(&mut self, own: u16, id: Option<u32>) -> Result<u32, Fault> {
        let id = id.ok_or_else(|| Fault::session(own, INVALID_FIELD, "a delivery starts without delivery-id"))?;
        let expected = self.next_delivery_in.unwrap_or(id);
        if id != expected || self.incoming.contains_key(&id) {
            let text = format!("a delivery starts with delivery-id {id} instead of {expected}");
            return Err(Fault::session(own, INVALID_FIELD, text));
        }
        self.next_delivery_in = Some(id.wrapping_add(1));
        Ok(id)
    }

    /// Notes the id of a delivery on a link that is being detached: a new one counts, a continued one does not.
    fn swallowed_delivery(&mut self, id: Option<u32>) {
        if let Some(id) = id
            && self.next_delivery_in.is_none_or(|expected| expected == id)
        {
            self.next_delivery_in = Some(id.wrapping_add(1));
        }
    }
}

impl Connection {
    pub(super) fn on_transfer<'a>(&mut self, channel: u16, reader: &mut Reader<'a>) -> Result<Taken<'a>, Fault> {
        let id = self.session_on(channel)?;
        let transfer = Transfer::decode(reader)?;
        let Some(session) = self.sessions.get_mut(id).filter(|session| session.state == SessionState::Up) else {
            return Ok(Taken::Quietly);
        };
        let Some(window) = session.incoming_window.checked_sub(1) else {
            return Err(Fault::session(id, WINDOW_VIOLATION, "more frames than the incoming window allows"));
        };
        session.incoming_window = window;
        session.next_incoming_id = session.next_incoming_id.wrapping_add(1);
        let key = session.remote_handles.get(&transfer.handle).copied();
        if window <= self.config.incoming_window / 2 {
            self.send_flow(id, None);
        }
        let Some(key) = key else {
            return Err(Fault::session(id, UNATTACHED_HANDLE, format!("transfer on handle {}", transfer.handle)));
        };
        let Some((part, first)) = self.note_transfer(id, key, &transfer)? else { return Ok(Taken::Quietly) };
        if first {
            self.top_up(key);
        }
        Ok(Taken::Event(Event::Transfer {
            link: key.into(),
            delivery: Incoming { session: id, id: part.id },
            first,
            more: transfer.more && !transfer.aborted,
            settled: part.settled,
            aborted: transfer.aborted,
            payload: if transfer.aborted { &[] } else { reader.rest() },
        }))
    }

    /// Brings link and delivery up to date. The delivery and whether this is its first part; `None` if the transfer
    /// is to be swallowed.
    fn note_transfer(&mut self, id: u16, key: LinkKey, transfer: &Transfer) -> Result<Option<(Partial, bool)>, Fault> {
        let (Some(session), Some(link)) = (self.sessions.get_mut(id), self.links.get_mut(key)) else {
            return Ok(None);
        };
        if link.state == LinkState::DetachSent {
            session.swallowed_delivery(transfer.delivery_id);
            return Ok(None);
        }
        if link.role == Role::Sender {
            return Err(Fault::link(key, NOT_ALLOWED, "a transfer on a link that we send on"));
        }
        let over = !transfer.more || transfer.aborted;
        let first = link.incoming.is_none();
        let mut part = match link.incoming {
            Some(part) => {
                if transfer.delivery_id.is_some_and(|delivery| delivery != part.id) {
                    let text = format!("another delivery-id in the middle of delivery {}", part.id);
                    return Err(Fault::session(id, INVALID_FIELD, text));
                }
                part
            }
            None => {
                let delivery = session.new_delivery(id, transfer.delivery_id)?;
                if link.ahead(link.limit) <= 0 {
                    return Err(Fault::link(key, TRANSFER_LIMIT, "a delivery without credit"));
                }
                link.delivery_count = link.delivery_count.wrapping_add(1);
                link.credit = link.credit.saturating_sub(1);
                link.tally.deliveries += 1;
                link.tally.presettled += u64::from(transfer.settled);
                self.last_delivery = Some(self.last_received);
                if !over || !(transfer.settled || transfer.aborted) {
                    if self.incoming_total >= self.config.max_unsettled {
                        return Err(Fault::connection(RESOURCE_LIMIT, "too many unsettled deliveries"));
                    }
                    session.incoming.insert(delivery, InDelivery { link: key, complete: over });
                    self.incoming_total += 1;
                    link.unsettled += 1;
                }
                Partial { id: delivery, settled: false, swallow: false }
            }
        };
        part.settled |= transfer.settled || transfer.aborted;
        link.incoming = Some(part).filter(|_| !over);
        if over && part.settled {
            self.forget_incoming(Incoming { session: id, id: part.id });
        } else if over && let Some(delivery) = session.incoming.get_mut(&part.id) {
            delivery.complete = true;
        }
        Ok(Some((part, first)).filter(|_| !part.swallow))
    }

    /// Tells the sender of a delivery its state; settling forgets the delivery once its last frame was seen.
    pub fn dispose(&mut self, delivery: Incoming, state: Option<DeliveryState>, settled: bool) {
        let Some(session) = self.sessions.get_mut(delivery.session) else { return };
        let Some(entry) = session.incoming.get(&delivery.id) else { return };
        let link = self.links.get_mut(entry.link);
        let partial = link.and_then(|link| {
            if settled {
                link.tally.settle(state.as_ref());
            }
            link.incoming.as_mut()
        });
        let mut partial = partial.filter(|part| part.id == delivery.id && !entry.complete);
        let sender_knows = partial.as_ref().is_some_and(|part| part.settled);
        // A sender that has settled it has forgotten it, and there is nothing to say without a state.
        if !sender_knows && (settled || state.is_some()) {
            let state = state.as_ref();
            self.output.amqp(delivery.session, |out| put_disposition(out, Role::Receiver, delivery.id, state, settled));
        }
        if settled {
            if let Some(part) = partial.as_mut() {
                part.swallow = true;
            }
            self.forget_incoming(delivery);
        }
    }

    fn forget_incoming(&mut self, delivery: Incoming) {
        let session = self.sessions.get_mut(delivery.session);
        if let Some(entry) = session.and_then(|session| session.incoming.remove(&delivery.id)) {
            if let Some(link) = self.links.get_mut(entry.link) {
                link.unsettled = link.unsettled.saturating_sub(1);
            }
            self.incoming_total = self.incoming_total.saturating_sub(1);
        }
    }

    pub(super) fn on_disposition(&mut self, channel: u16, reader: &mut Reader<'_>) -> Result<(), Fault> {
        let id = self.session_on(channel)?;
        let disposition = Disposition::decode(reader)?;
        match disposition.role {
            Role::Receiver => self.on_receiver_disposition(id, &disposition),
            Role::Sender => self.on_sender_disposition(id, &disposition),
        }
        Ok(())
    }

    fn on_sender_disposition(&mut self, id: u16, disposition: &Disposition) {
        let Some(session) = self.sessions.get(id) else { return };
        for delivery in known(&session.incoming, disposition.first, disposition.last) {
            let session = self.sessions.get(id);
            let Some(entry) = session.and_then(|session| session.incoming.get(&delivery)) else { continue };
            let partial = self.links.get_mut(entry.link).and_then(|link| link.incoming.as_mut());
            let partial = partial.filter(|part| part.id == delivery && !entry.complete);
            self.events.push_back(Event::SenderDisposition {
                delivery: Incoming { session: id, id: delivery },
                state: disposition.state.clone(),
                settled: disposition.settled,
            });
            if disposition.settled {
                match partial {
                    Some(part) => part.settled = true,
                    None => self.forget_incoming(Incoming { session: id, id: delivery }),
                }
            }
        }
    }
}
