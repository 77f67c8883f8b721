//! Disposition (2.7.6).

use super::{DeliveryState, Role};
use crate::codec::DecodeError;
use crate::codec::descriptor::DISPOSITION;
use crate::codec::encode::{put_descriptor, put_list};
use crate::codec::read::Reader;

/// Writes a disposition of ours for one delivery; `role` is our role in it.
pub(crate) fn put_disposition(
    out: &mut Vec<u8>,
    role: Role,
    delivery_id: u32,
    state: Option<&DeliveryState>,
    settled: bool,
) {
    put_descriptor(out, DISPOSITION);
    put_list(out, |list| {
        list.flag(role == Role::Receiver);
        list.uint(delivery_id);
        list.null();
        list.flag(settled);
        list.option(state, |out, state| state.encode(out));
    });
}

/// A disposition of the peer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Disposition {
    /// The peer's role.
    pub(crate) role: Role,
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) settled: bool,
    pub(crate) state: Option<DeliveryState>,
}

impl Disposition {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Disposition, DecodeError> {
        let mut fields = reader.list()?;
        let role = if fields.flag()? { Role::Receiver } else { Role::Sender };
        let first = fields.uint()?.ok_or(DecodeError("a disposition has no first delivery"))?;
        let last = fields.uint()?.unwrap_or(first);
        let settled = fields.flag()?;
        let state = fields.raw()?.map(DeliveryState::decode).transpose()?.flatten();
        Ok(Disposition { role, first, last, settled, state })
    }
}
