//! Links (2.6): their state.

use super::LinkId;
use super::facts::Tally;
use crate::{Attach, Role};
use slotmap::{Key, KeyData, new_key_type};

new_key_type! {
    /// A link in the table; never the same for two links.
    pub(super) struct LinkKey;
}

impl From<LinkKey> for LinkId {
    fn from(key: LinkKey) -> LinkId {
        LinkId(key.data().as_ffi())
    }
}

impl From<LinkId> for LinkKey {
    fn from(id: LinkId) -> LinkKey {
        KeyData::from_ffi(id.0).into()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkState {
    /// Ours, from before our begin.
    Waiting,
    /// Ours, not answered.
    AttachSent,
    /// The peer's, for the caller to answer.
    AttachReceived,
    Up,
    /// What arrives until the peer's detach is swallowed.
    DetachSent,
}

pub(super) struct Link {
    pub(super) session: u16,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) state: LinkState,
    pub(super) handle: Option<u32>,
    pub(super) remote_handle: Option<u32>,
    pub(super) snd_settle_mode: u8,
    pub(super) rcv_settle_mode: u8,
    /// Our attach until our begin is out; the peer's until it is answered.
    pub(super) attach: Option<Box<Attach>>,
    /// Deliveries that the sender has begun, as far as we know (2.6.7).
    pub(super) delivery_count: u32,
    pub(super) credit: u32,
    /// Receiver: credit to keep granted; 0 for none.
    pub(super) keep: u32,
    /// Receiver: the highest delivery-count that was ever granted. Credit that was taken back may have been used
    /// before the sender heard of it, so this is what is enforced.
    pub(super) limit: u32,
    /// A flow is owed, as soon as the link is up.
    pub(super) flow_due: bool,
    /// Sender: the peer asked for a drain before the link was accepted.
    pub(super) drain_due: bool,
    /// Receiver: the delivery in the middle of which we are.
    pub(super) incoming: Option<Partial>,
    /// Sender: the delivery in the middle of which we are.
    pub(super) outgoing: Option<u32>,
    /// Its deliveries in the session's table.
    pub(super) unsettled: u32,
    /// Sender: the last delivery that we settled ourselves, until the receiver has settled a later one: nothing else
    /// proves that it was read.
    pub(super) unproven: Option<u32>,
    /// Counts up with the links of the connection.
    pub(super) number: u64,
    pub(super) tally: Tally,
}

/// A delivery whose last frame has not arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Partial {
    pub(super) id: u32,
    /// The sender has settled it.
    pub(super) settled: bool,
    /// We have settled it: the rest is swallowed.
    pub(super) swallow: bool,
}

impl Link {
    pub(super) fn new(session: u16, attach: &Attach, state: LinkState) -> Link {
        Link {
            session,
            name: attach.name.clone(),
            role: attach.role,
            state,
            handle: None,
            remote_handle: None,
            snd_settle_mode: attach.snd_settle_mode,
            rcv_settle_mode: attach.rcv_settle_mode,
            attach: None,
            delivery_count: 0,
            credit: 0,
            keep: 0,
            limit: 0,
            flow_due: false,
            drain_due: false,
            incoming: None,
            outgoing: None,
            unsettled: 0,
            unproven: None,
            number: 0,
            tally: Tally::default(),
        }
    }

    /// The caller has not detached it and was not told that it is gone.
    pub(super) fn known_to_caller(&self) -> bool {
        self.state != LinkState::DetachSent
    }

    /// `a` and `delivery_count` are serial numbers (2.8.10): how far `a` is ahead, negative if it is behind.
    pub(super) fn ahead(&self, a: u32) -> i32 {
        a.wrapping_sub(self.delivery_count).cast_signed()
    }
}
