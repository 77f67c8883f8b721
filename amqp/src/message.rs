//! The sections of a message (part 3.2), found and read in place.

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
    let _ = bytes;
    todo!()
}

/// Descriptor of the first section and the offset where its value begins, as soon as these bytes are there.
/// For sections that are consumed while they stream (data).
pub fn section_start(bytes: &[u8]) -> Result<Option<(u64, usize)>, DecodeError> {
    let _ = bytes;
    todo!()
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
        let _ = value;
        todo!()
    }

    /// Appends the whole section, descriptor included; trailing nulls are left out. `content-type` is written as
    /// a *string*, as skupper-router does and tests for.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let _ = out;
        todo!()
    }
}

/// Appends a described section `00 53 <descriptor>` with this value.
pub fn encode_section(descriptor: u8, value: &Value, out: &mut Vec<u8>) {
    let _ = (descriptor, value, out);
    todo!()
}
