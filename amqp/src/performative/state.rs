//! Delivery states (3.4) and errors (2.8.14).

use super::{Condition, DeliveryState};
use crate::codec::DecodeError;
use crate::codec::descriptor::{ACCEPTED, ERROR, MODIFIED, RECEIVED, REJECTED, RELEASED};
use crate::codec::encode::{put_descriptor, put_list, put_symbol, put_ulong};
use crate::codec::read::{Fields, Reader};

impl Condition {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_descriptor(out, ERROR);
        put_list(out, |list| {
            list.with(|out| put_symbol(out, &self.condition));
            list.string(self.description.as_deref());
        });
    }

    /// An optional error as a field.
    pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<Option<Condition>, DecodeError> {
        let Some(encoded) = fields.raw()? else { return Ok(None) };
        let mut reader = Reader::new(encoded);
        if reader.descriptor()? != ERROR {
            return Err(DecodeError("an error is expected"));
        }
        let mut fields = reader.list()?;
        let condition = fields.text()?.ok_or(DecodeError("an error has no condition"))?.to_owned();
        Ok(Some(Condition { condition, description: fields.text()?.map(str::to_owned) }))
    }
}

impl DeliveryState {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            DeliveryState::Received { section_number, section_offset } => {
                put_descriptor(out, RECEIVED);
                put_list(out, |list| {
                    list.uint(*section_number);
                    list.with(|out| put_ulong(out, *section_offset));
                });
            }
            DeliveryState::Accepted => put_empty(ACCEPTED, out),
            DeliveryState::Released => put_empty(RELEASED, out),
            DeliveryState::Rejected(error) => {
                put_descriptor(out, REJECTED);
                put_list(out, |list| list.option(error.as_ref(), |out, error| error.encode(out)));
            }
            DeliveryState::Modified { delivery_failed, undeliverable_here } => {
                put_descriptor(out, MODIFIED);
                put_list(out, |list| {
                    for flag in [*delivery_failed, *undeliverable_here] {
                        list.option(Some(flag).filter(|&flag| flag), crate::codec::encode::put_bool);
                    }
                });
            }
        }
    }

    /// A state that the engine does not know (a transactional one) reads as `None`: nothing is said about the outcome.
    pub(super) fn decode(encoded: &[u8]) -> Result<Option<DeliveryState>, DecodeError> {
        let mut reader = Reader::new(encoded);
        let descriptor = reader.descriptor()?;
        let mut fields = reader.list()?;
        Ok(Some(match descriptor {
            RECEIVED => DeliveryState::Received {
                section_number: fields.uint()?.unwrap_or(0),
                section_offset: fields.ulong()?.unwrap_or(0),
            },
            ACCEPTED => DeliveryState::Accepted,
            REJECTED => DeliveryState::Rejected(Condition::decode(&mut fields)?),
            RELEASED => DeliveryState::Released,
            MODIFIED => DeliveryState::Modified { delivery_failed: fields.flag()?, undeliverable_here: fields.flag()? },
            _ => return Ok(None),
        }))
    }
}

fn put_empty(descriptor: u64, out: &mut Vec<u8>) {
    put_descriptor(out, descriptor);
    put_list(out, |_| {});
}
