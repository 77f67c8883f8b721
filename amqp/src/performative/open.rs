//! Open (2.7.1) and begin (2.7.2).

use super::RemoteOpen;
use crate::Value;
use crate::codec::DecodeError;
use crate::codec::descriptor::{BEGIN, OPEN};
use crate::codec::encode::{put_descriptor, put_list, put_string, put_symbol_array, put_uint, put_ushort, put_value};
use crate::codec::read::Reader;

/// Our open.
pub(crate) struct Open<'a> {
    pub(crate) container_id: &'a str,
    pub(crate) hostname: Option<&'a str>,
    pub(crate) max_frame_size: u32,
    pub(crate) channel_max: u16,
    /// Milliseconds; 0 leaves the field out.
    pub(crate) idle_timeout_ms: u32,
    /// Offered and desired.
    pub(crate) capabilities: &'a [String],
    pub(crate) properties: &'a [(String, Value)],
}

impl Open<'_> {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_descriptor(out, OPEN);
        put_list(out, |list| {
            list.with(|out| put_string(out, self.container_id));
            list.string(self.hostname);
            list.uint(self.max_frame_size);
            list.with(|out| put_ushort(out, self.channel_max));
            list.option(Some(self.idle_timeout_ms).filter(|&ms| ms > 0), put_uint);
            list.nulls(2);
            for _ in ["offered", "desired"] {
                let capabilities = Some(self.capabilities).filter(|names| !names.is_empty());
                list.option(capabilities, |out, names| put_symbol_array(out, names.iter().map(String::as_str)));
            }
            list.option(Some(self.properties).filter(|pairs| !pairs.is_empty()), |out, pairs| {
                let pair = |(name, value): &(String, Value)| (Value::Symbol(name.clone()), value.clone());
                put_value(out, &Value::Map(pairs.iter().map(pair).collect()));
            });
        });
    }
}

/// The peer's open, and its `channel-max`.
pub(crate) fn decode_open(reader: &mut Reader<'_>) -> Result<(RemoteOpen, u16), DecodeError> {
    let mut fields = reader.list()?;
    let container_id = fields.text()?.ok_or(DecodeError("an open has no container-id"))?.to_owned();
    let hostname = fields.text()?.map(str::to_owned);
    let max_frame_size = fields.uint()?.unwrap_or(u32::MAX);
    let channel_max = fields.ushort()?.unwrap_or(u16::MAX);
    let idle_timeout_ms = fields.uint()?.unwrap_or(0);
    fields.skip(2)?;
    let offered_capabilities = fields.symbols()?;
    fields.skip(1)?;
    let properties = fields.map()?;
    let open = RemoteOpen { container_id, hostname, max_frame_size, idle_timeout_ms, offered_capabilities, properties };
    Ok((open, channel_max))
}

/// A begin, ours or the peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) remote_channel: Option<u16>,
    pub(crate) next_outgoing_id: u32,
    pub(crate) incoming_window: u32,
    pub(crate) outgoing_window: u32,
    pub(crate) handle_max: u32,
}

impl Begin {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_descriptor(out, BEGIN);
        put_list(out, |list| {
            list.option(self.remote_channel, put_ushort);
            list.uint(self.next_outgoing_id);
            list.uint(self.incoming_window);
            list.uint(self.outgoing_window);
            list.uint(self.handle_max);
        });
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Begin, DecodeError> {
        let mut fields = reader.list()?;
        let missing = DecodeError("a begin lacks a mandatory field");
        Ok(Begin {
            remote_channel: fields.ushort()?,
            next_outgoing_id: fields.uint()?.ok_or(missing.clone())?,
            incoming_window: fields.uint()?.ok_or(missing.clone())?,
            outgoing_window: fields.uint()?.ok_or(missing)?,
            handle_max: fields.uint()?.unwrap_or(u32::MAX),
        })
    }
}
