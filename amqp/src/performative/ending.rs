//! Detach (2.7.7), end (2.7.8) and close (2.7.9).

use super::Condition;
use crate::codec::DecodeError;
use crate::codec::descriptor::{CLOSE, DETACH, END};
use crate::codec::encode::{put_descriptor, put_list};
use crate::codec::read::Reader;

/// A detach, ours or the peer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Detach {
    pub(crate) handle: u32,
    pub(crate) closed: bool,
    pub(crate) error: Option<Condition>,
}

impl Detach {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_descriptor(out, DETACH);
        put_list(out, |list| {
            list.uint(self.handle);
            list.flag(self.closed);
            list.option(self.error.as_ref(), |out, error| error.encode(out));
        });
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Detach, DecodeError> {
        let mut fields = reader.list()?;
        Ok(Detach {
            handle: fields.uint()?.ok_or(DecodeError("a detach has no handle"))?,
            closed: fields.flag()?,
            error: Condition::decode(&mut fields)?,
        })
    }
}

pub(crate) fn put_end(out: &mut Vec<u8>, error: Option<&Condition>) {
    put_ending(out, END, error);
}

pub(crate) fn put_close(out: &mut Vec<u8>, error: Option<&Condition>) {
    put_ending(out, CLOSE, error);
}

fn put_ending(out: &mut Vec<u8>, descriptor: u64, error: Option<&Condition>) {
    put_descriptor(out, descriptor);
    put_list(out, |list| list.option(error, |out, error| error.encode(out)));
}

/// The error of an end or a close.
pub(crate) fn decode_ending(reader: &mut Reader<'_>) -> Result<Option<Condition>, DecodeError> {
    Condition::decode(&mut reader.list()?)
}
