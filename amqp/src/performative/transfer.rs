//! Transfer (2.7.5): the one performative that comes by the thousand, so nothing is allocated for it.

use crate::codec::DecodeError;
use crate::codec::descriptor::TRANSFER;
use crate::codec::encode::put_uint;
use crate::codec::read::Reader;

/// A transfer of the peer, as far as the engine needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) handle: u32,
    pub(crate) delivery_id: Option<u32>,
    pub(crate) settled: bool,
    pub(crate) more: bool,
    pub(crate) aborted: bool,
}

impl Transfer {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Transfer, DecodeError> {
        let mut fields = reader.list()?;
        let handle = fields.uint()?.ok_or(DecodeError("a transfer has no handle"))?;
        let delivery_id = fields.uint()?;
        // delivery-tag, message-format
        fields.skip(2)?;
        let settled = fields.flag()?;
        let more = fields.flag()?;
        // rcv-settle-mode, state, resume
        fields.skip(3)?;
        let aborted = fields.flag()?;
        Ok(Transfer { handle, delivery_id, settled, more, aborted })
    }
}

/// How a transfer frame of ours ends its delivery, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    More,
    Last,
    LastSettled,
    Aborted,
}

/// Longest encoding of [`put_transfer`]: descriptor 3, list 3, handle 5, delivery-id 5, tag 10, message-format 1,
/// settled 1, more 1 (an aborted transfer, longer by four, carries no payload).
pub(crate) const MAX_TRANSFER_LEN: usize = 29;

/// Length of a transfer that is followed by more; one that ends its delivery is shorter.
pub(crate) fn transfer_len(handle: u32, delivery_id: u32) -> usize {
    let uint_len = |value| match value {
        0 => 1,
        1..=255 => 2,
        _ => 5,
    };
    MAX_TRANSFER_LEN - 10 + uint_len(handle) + uint_len(delivery_id)
}

/// Writes a transfer of ours. Delivery-id, tag and message-format are repeated in each frame of a delivery, as
/// routers do.
pub(crate) fn put_transfer(out: &mut Vec<u8>, handle: u32, delivery_id: u32, tag: u64, tail: Tail) {
    let ending: &[u8] = match tail {
        Tail::More => &[0x40, 0x41],
        Tail::Last => &[],
        Tail::LastSettled => &[0x41],
        Tail::Aborted => &[0x41, 0x40, 0x40, 0x40, 0x40, 0x41],
    };
    let fields = 4 + ending.len();
    out.extend_from_slice(&[0x00, 0x53, TRANSFER as u8, 0xc0, 0, fields as u8]);
    let start = out.len();
    put_uint(out, handle);
    put_uint(out, delivery_id);
    out.extend_from_slice(&[0xa0, 8]);
    out.extend_from_slice(&tag.to_le_bytes());
    out.push(0x43);
    out.extend_from_slice(ending);
    out[start - 2] = (out.len() - start + 1) as u8;
}
