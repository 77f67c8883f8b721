//! Frames (2.3): their header, and writing them into one buffer.

/// Header of the AMQP layer, version 1.0.0 (2.2).
pub(crate) const AMQP_HEADER: [u8; 8] = *b"AMQP\x00\x01\x00\x00";
/// Header of the SASL layer (5.3.1).
pub(crate) const SASL_HEADER: [u8; 8] = *b"AMQP\x03\x01\x00\x00";

/// Every peer takes frames of this size, also before its open (2.8.19).
pub(crate) const MIN_MAX_FRAME_SIZE: u32 = 512;

/// Which layer a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    Amqp,
    Sasl,
}

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) layer: Layer,
    pub(crate) channel: u16,
    /// Performative and payload; empty in a heartbeat.
    pub(crate) body: &'a [u8],
    /// Length of the whole frame.
    pub(crate) len: usize,
}

/// The frame at the front of `bytes`, `None` while it is not complete. The error says what is wrong with the framing.
pub(crate) fn split(bytes: &[u8], max_frame_size: u32) -> Result<Option<Frame<'_>>, String> {
    let Some(size) = bytes.first_chunk::<4>() else { return Ok(None) };
    let size = u32::from_be_bytes(*size);
    if size < 8 {
        return Err(format!("a frame of {size} bytes is shorter than its header"));
    }
    if size > max_frame_size {
        return Err(format!("a frame of {size} bytes is longer than the maximum of {max_frame_size}"));
    }
    let len = size as usize;
    let (Some(frame), Some(&[_, _, _, _, offset, kind, channel_high, channel_low])) =
        (bytes.get(..len), bytes.first_chunk::<8>())
    else {
        return Ok(None);
    };
    let layer = match kind {
        0 => Layer::Amqp,
        1 => Layer::Sasl,
        other => return Err(format!("unknown frame type {other}")),
    };
    let body = match usize::from(offset) * 4 {
        offset if offset >= 8 => frame.get(offset..),
        _ => None,
    };
    let Some(body) = body else { return Err(format!("a frame of {size} bytes has a data offset of {offset}")) };
    Ok(Some(Frame { layer, channel: u16::from_be_bytes([channel_high, channel_low]), body, len }))
}

/// Appends a frame whose body `write` puts.
pub(crate) fn put(out: &mut Vec<u8>, layer: Layer, channel: u16, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    let [high, low] = channel.to_be_bytes();
    out.extend_from_slice(&[0, 0, 0, 0, 2, u8::from(layer == Layer::Sasl), high, low]);
    write(out);
    let size = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// What eight bytes look like that are no AMQP protocol header, for a message to a person.
pub(crate) fn looks_like(header: [u8; 8]) -> String {
    const HTTP: [&[u8]; 9] =
        [b"GET ", b"PUT ", b"POST ", b"HEAD ", b"OPTIONS ", b"DELETE ", b"PATCH ", b"CONNECT ", b"HTTP/"];
    match header {
        [0x16, 0x03, ..] => "TLS (a handshake record)".to_owned(),
        [0x15, 0x03, ..] => "TLS (an alert)".to_owned(),
        [b'A', b'M', b'Q', b'P', 0, 0, 9, 1] | [b'A', b'M', b'Q', b'P', 1, 1, ..] => "an older AMQP (0-x)".to_owned(),
        [b'A', b'M', b'Q', b'P', 2, ..] => "AMQP with TLS inside of it, which is not offered".to_owned(),
        [b'A', b'M', b'Q', b'P', id, major, minor, revision] => {
            format!("AMQP protocol {id} version {major}.{minor}.{revision}")
        }
        _ if HTTP.iter().any(|verb| header.starts_with(verb)) => "HTTP".to_owned(),
        _ if header.starts_with(b"PRI * HT") => "HTTP/2".to_owned(),
        _ if header.starts_with(b"SSH-") => "SSH".to_owned(),
        _ => format!("unknown bytes {header:02x?}"),
    }
}
