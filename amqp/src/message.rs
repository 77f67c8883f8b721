//! The sections of a message (part 3.2), found and read in place.

use crate::codec::encode::{put_binary, put_descriptor, put_list, put_value};
use crate::codec::read::{Reader, value_len};
use crate::codec::{DecodeError, Value};

/// Descriptor of the header section.
pub const HEADER: u64 = 0x70;
/// Descriptor of the delivery annotations.
pub const DELIVERY_ANNOTATIONS: u64 = 0x71;
/// Descriptor of the message annotations.
pub const MESSAGE_ANNOTATIONS: u64 = 0x72;
/// Descriptor of the properties.
pub const PROPERTIES: u64 = 0x73;
/// Descriptor of the application properties.
pub const APPLICATION_PROPERTIES: u64 = 0x74;
/// Descriptor of a data section.
pub const DATA: u64 = 0x75;
/// Descriptor of a sequence section.
pub const SEQUENCE: u64 = 0x76;
/// Descriptor of a value section.
pub const VALUE: u64 = 0x77;
/// Descriptor of the footer.
pub const FOOTER: u64 = 0x78;

/// One section, still encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// Which section: the numeric descriptor (a known symbolic descriptor is mapped to its number).
    pub descriptor: u64,
    /// The encoded value behind the descriptor, its constructor byte first.
    pub value: &'a [u8],
    /// Length of the whole section, descriptor and all.
    pub len: usize,
}

/// The first section of `bytes`: `None` when it is not complete yet. Never reads past `bytes`, never recurses.
pub fn section(bytes: &[u8]) -> Result<Option<Section<'_>>, DecodeError> {
    let Some((descriptor, start)) = section_start(bytes)? else { return Ok(None) };
    let value = bytes.get(start..).unwrap_or_default();
    let Some(value_len) = value_len(value)? else { return Ok(None) };
    let value = value.get(..value_len).unwrap_or_default();
    Ok(Some(Section { descriptor, value, len: start + value_len }))
}

/// The sections of a message, as far as they can be found.
pub fn sections(mut bytes: &[u8]) -> impl Iterator<Item = Section<'_>> {
    std::iter::from_fn(move || {
        let found = section(bytes).ok()??;
        bytes = bytes.get(found.len..)?;
        Some(found)
    })
}

/// Descriptor of the first section and the offset where its value begins, as soon as these bytes are there.
/// For sections that are consumed while they stream (data).
pub fn section_start(bytes: &[u8]) -> Result<Option<(u64, usize)>, DecodeError> {
    let Some((&start, descriptor)) = bytes.split_first() else { return Ok(None) };
    if start != 0 {
        return Err(DecodeError("a section does not start with a descriptor"));
    }
    // Nothing but these can be a descriptor here; in particular no nested one, whose end could be far away.
    if !matches!(descriptor.first(), None | Some(0x44 | 0x53 | 0x80 | 0xa3 | 0xb3)) {
        return Err(DecodeError("a descriptor is neither ulong nor symbol"));
    }
    let Some(len) = value_len(descriptor)? else { return Ok(None) };
    Ok(Some((Reader::new(bytes).descriptor()?, 1 + len)))
}

/// The properties section (part 3.2.4).
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(missing_docs)]
pub struct Properties {
    pub message_id: Option<Value>,
    pub user_id: Option<Vec<u8>>,
    pub to: Option<String>,
    pub subject: Option<String>,
    pub reply_to: Option<String>,
    pub correlation_id: Option<Value>,
    /// Skupper's routers write it as a string; symbol and string are both read.
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub group_id: Option<String>,
}

impl Properties {
    /// Reads the encoded list of a [`Section`].
    pub fn decode(value: &[u8]) -> Result<Properties, DecodeError> {
        let mut fields = Reader::new(value).list()?;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let message_id = fields.value()?;
        let user_id = fields.binary()?.map(<[u8]>::to_vec);
        let to = owned(fields.text()?);
        let subject = owned(fields.text()?);
        let reply_to = owned(fields.text()?);
        let correlation_id = fields.value()?;
        let content_type = owned(fields.text()?);
        let content_encoding = owned(fields.text()?);
        // absolute-expiry-time, creation-time
        fields.skip(2)?;
        let group_id = owned(fields.text()?);
        Ok(Properties {
            message_id,
            user_id,
            to,
            subject,
            reply_to,
            correlation_id,
            content_type,
            content_encoding,
            group_id,
        })
    }

    /// Appends the whole section, descriptor included; trailing nulls are left out. `content-type` is written as
    /// a *string*, as skupper-router does and tests for.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_descriptor(out, PROPERTIES);
        put_list(out, |list| {
            list.option(self.message_id.as_ref(), put_value);
            list.option(self.user_id.as_deref(), put_binary);
            list.string(self.to.as_deref());
            list.string(self.subject.as_deref());
            list.string(self.reply_to.as_deref());
            list.option(self.correlation_id.as_ref(), put_value);
            list.string(self.content_type.as_deref());
            list.symbol(self.content_encoding.as_deref());
            list.nulls(2);
            list.string(self.group_id.as_deref());
        });
    }
}

/// Appends a described section `00 53 <descriptor>` with this value.
pub fn encode_section(descriptor: u8, value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x00, 0x53, descriptor]);
    value.encode(out);
}
