//! Flow (2.7.4).

use crate::codec::DecodeError;
use crate::codec::descriptor::FLOW;
use crate::codec::encode::{put_descriptor, put_list, put_uint};
use crate::codec::read::Reader;

/// A flow of a session, and of one of its links if `link` is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) next_incoming_id: Option<u32>,
    pub(crate) incoming_window: u32,
    pub(crate) next_outgoing_id: u32,
    pub(crate) outgoing_window: u32,
    pub(crate) link: Option<LinkFlow>,
    pub(crate) echo: bool,
}

/// The part of a flow that speaks of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkFlow {
    pub(crate) handle: u32,
    pub(crate) delivery_count: Option<u32>,
    pub(crate) credit: Option<u32>,
    pub(crate) drain: bool,
}

impl Flow {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_descriptor(out, FLOW);
        put_list(out, |list| {
            list.option(self.next_incoming_id, put_uint);
            list.uint(self.incoming_window);
            list.uint(self.next_outgoing_id);
            list.uint(self.outgoing_window);
            if let Some(link) = self.link {
                list.uint(link.handle);
                list.option(link.delivery_count, put_uint);
                list.option(link.credit, put_uint);
                list.null();
                list.flag(link.drain);
            } else {
                list.nulls(5);
            }
            if self.echo {
                list.flag(true);
            }
        });
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Flow, DecodeError> {
        let mut fields = reader.list()?;
        let missing = DecodeError("a flow lacks a mandatory field");
        let next_incoming_id = fields.uint()?;
        let incoming_window = fields.uint()?.ok_or(missing.clone())?;
        let next_outgoing_id = fields.uint()?.ok_or(missing.clone())?;
        let outgoing_window = fields.uint()?.ok_or(missing)?;
        let handle = fields.uint()?;
        let delivery_count = fields.uint()?;
        let credit = fields.uint()?;
        fields.skip(1)?;
        let drain = fields.flag()?;
        let echo = fields.flag()?;
        let link = handle.map(|handle| LinkFlow { handle, delivery_count, credit, drain });
        Ok(Flow { next_incoming_id, incoming_window, next_outgoing_id, outgoing_window, link, echo })
    }
}
