//! Attach (2.7.3).

use super::{Attach, Role, Terminus};
use crate::Value;
use crate::codec::DecodeError;
use crate::codec::descriptor::ATTACH;
use crate::codec::encode::{put_descriptor, put_list, put_string, put_ubyte, put_ulong, put_value};
use crate::codec::read::Reader;

/// Writes an attach of ours. `default_policy` is the expiry policy of a terminus that names none.
pub(crate) fn encode_attach(attach: &Attach, handle: u32, default_policy: &str, out: &mut Vec<u8>) {
    put_descriptor(out, ATTACH);
    put_list(out, |list| {
        list.with(|out| put_string(out, &attach.name));
        list.uint(handle);
        list.flag(attach.role == Role::Receiver);
        list.with(|out| put_ubyte(out, attach.snd_settle_mode));
        list.with(|out| put_ubyte(out, attach.rcv_settle_mode));
        list.option(attach.source.as_ref(), |out, source| source.encode_source(default_policy, out));
        list.option(attach.target.as_ref(), |out, target| target.encode_target(default_policy, out));
        // unsettled, incomplete-unsettled: links are not resumed
        list.nulls(2);
        // initial-delivery-count, max-message-size (none)
        list.uint(0);
        list.with(|out| put_ulong(out, 0));
        list.nulls(2);
        let properties = Some(&attach.properties).filter(|pairs| !pairs.is_empty());
        list.option(properties, |out, pairs| put_value(out, &Value::Map(pairs.clone())));
    });
}

/// An attach of the peer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RemoteAttach {
    pub(crate) handle: u32,
    pub(crate) initial_delivery_count: u32,
    /// With our role.
    pub(crate) attach: Attach,
}

pub(crate) fn decode_attach(reader: &mut Reader<'_>) -> Result<RemoteAttach, DecodeError> {
    let mut fields = reader.list()?;
    let name = fields.text()?.ok_or(DecodeError("an attach has no name"))?.to_owned();
    let handle = fields.uint()?.ok_or(DecodeError("an attach has no handle"))?;
    let role = if fields.flag()? { Role::Sender } else { Role::Receiver };
    let snd_settle_mode = fields.ubyte()?.unwrap_or(2);
    let rcv_settle_mode = fields.ubyte()?.unwrap_or(0);
    if snd_settle_mode > 2 || rcv_settle_mode > 1 {
        return Err(DecodeError("an attach has an unknown settle mode"));
    }
    let source = fields.raw()?.map(Terminus::decode).transpose()?;
    let target = fields.raw()?.map(Terminus::decode).transpose()?;
    fields.skip(2)?;
    let initial_delivery_count = fields.uint()?.unwrap_or(0);
    fields.skip(3)?;
    let properties = fields.map()?;
    let attach = Attach { name, role, source, target, snd_settle_mode, rcv_settle_mode, properties };
    Ok(RemoteAttach { handle, initial_delivery_count, attach })
}
