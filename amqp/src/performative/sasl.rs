//! The frames of the SASL layer (5.3.3).

use crate::codec::DecodeError;
use crate::codec::descriptor::{SASL_INIT, SASL_MECHANISMS, SASL_OUTCOME};
use crate::codec::encode::{put_binary, put_descriptor, put_list, put_symbol, put_symbol_array, put_ubyte};
use crate::codec::read::Reader;

pub(crate) fn put_mechanisms<'m>(out: &mut Vec<u8>, mechanisms: impl Iterator<Item = &'m str>) {
    put_descriptor(out, SASL_MECHANISMS);
    put_list(out, |list| list.with(|out| put_symbol_array(out, mechanisms)));
}

pub(crate) fn decode_mechanisms(reader: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    reader.list()?.symbols()
}

pub(crate) fn put_init(out: &mut Vec<u8>, mechanism: &str, response: &[u8]) {
    put_descriptor(out, SASL_INIT);
    put_list(out, |list| {
        list.with(|out| put_symbol(out, mechanism));
        // Present even when empty: EXTERNAL without it asks for a challenge (RFC 4422, appendix A).
        list.with(|out| put_binary(out, response));
    });
}

/// Mechanism and initial response.
pub(crate) fn decode_init<'a>(reader: &mut Reader<'a>) -> Result<(&'a str, &'a [u8]), DecodeError> {
    let mut fields = reader.list()?;
    let mechanism = fields.text()?.ok_or(DecodeError("a sasl-init has no mechanism"))?;
    Ok((mechanism, fields.binary()?.unwrap_or_default()))
}

pub(crate) fn put_outcome(out: &mut Vec<u8>, code: u8) {
    put_descriptor(out, SASL_OUTCOME);
    put_list(out, |list| list.with(|out| put_ubyte(out, code)));
}

pub(crate) fn decode_outcome(reader: &mut Reader<'_>) -> Result<u8, DecodeError> {
    reader.list()?.ubyte()?.ok_or(DecodeError("a sasl-outcome has no code"))
}
