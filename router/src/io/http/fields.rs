//! HTTP fields as an AMQP map.
//!
//! Octets, not text: HTTP does not promise UTF-8 in values, and skupper-router writes what it got into AMQP strings.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use moorline_amqp::Value;

use super::Malformed;

/// Name and value; names may be pseudo fields, which begin with a colon.
pub(in crate::io) type Field = (Vec<u8>, Vec<u8>);

/// More fields than this are nobody's message.
const MAX_FIELDS: usize = 1024;

const STRING: [u8; 2] = [0xa1, 0xb1];
const SYMBOL: [u8; 2] = [0xa3, 0xb3];

/// Appends a section whose value is the map that `write` fills. Its sizes are four octets wide, as routers write them.
pub(super) fn put_section(descriptor: u64, out: &mut Vec<u8>, write: impl FnOnce(&mut MapWriter<'_>)) {
    out.extend_from_slice(&[0x00, 0x53, descriptor as u8, 0xd1]);
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    let mut map = MapWriter { out, count: 0 };
    write(&mut map);
    let count = map.count;
    let size = (out.len() - start - 4) as u32;
    if let Some(place) = out.get_mut(start..start + 8) {
        place[..4].copy_from_slice(&size.to_be_bytes());
        place[4..].copy_from_slice(&count.to_be_bytes());
    }
}

/// A map that is being written.
pub(super) struct MapWriter<'o> {
    out: &'o mut Vec<u8>,
    count: u32,
}

impl MapWriter<'_> {
    /// An entry whose key is a string.
    pub(super) fn string(&mut self, key: &[u8], value: &[u8]) {
        self.entry(STRING, key, value);
    }

    /// An entry whose key is a symbol.
    pub(super) fn symbol(&mut self, key: &[u8], value: &[u8]) {
        self.entry(SYMBOL, key, value);
    }

    fn entry(&mut self, constructors: [u8; 2], key: &[u8], value: &[u8]) {
        put_variable(constructors, key, self.out);
        put_variable(STRING, value, self.out);
        self.count += 2;
    }
}

fn put_variable([short, long]: [u8; 2], bytes: &[u8], out: &mut Vec<u8>) {
    match u8::try_from(bytes.len()) {
        Ok(len) => out.extend_from_slice(&[short, len]),
        Err(_) => {
            out.push(long);
            out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

/// Reads the encoded map of a section.
pub(super) fn read_map(value: &[u8]) -> Result<Vec<Field>, Malformed> {
    const NO_MAP: Malformed = Malformed("fields are not an AMQP map");
    let (count, mut rest) = match value {
        [0xc1, _, count, rest @ ..] => (usize::from(*count), rest),
        [0xd1, _, _, _, _, a, b, c, d, rest @ ..] => (u32::from_be_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => return Err(NO_MAP),
    };
    if count % 2 == 1 {
        return Err(NO_MAP);
    }
    if count / 2 > MAX_FIELDS {
        return Err(Malformed("too many fields"));
    }
    (0..count / 2).map(|_| Ok((text(&mut rest)?, text(&mut rest)?))).collect()
}

/// The octets of a string, symbol or binary, the digits of a number.
fn text(bytes: &mut &[u8]) -> Result<Vec<u8>, Malformed> {
    const CUT: Malformed = Malformed("a field is cut");
    let (len, rest) = match **bytes {
        [0xa0 | 0xa1 | 0xa3, len, ref rest @ ..] => (usize::from(len), rest),
        [0xb0 | 0xb1 | 0xb3, a, b, c, d, ref rest @ ..] => (u32::from_be_bytes([a, b, c, d]) as usize, rest),
        _ => {
            return match Value::decode(bytes)? {
                Value::Null => Ok(Vec::new()),
                Value::Ubyte(n) => Ok(n.to_string().into_bytes()),
                Value::Ushort(n) => Ok(n.to_string().into_bytes()),
                Value::Uint(n) => Ok(n.to_string().into_bytes()),
                Value::Ulong(n) => Ok(n.to_string().into_bytes()),
                Value::Int(n) => Ok(n.to_string().into_bytes()),
                Value::Long(n) => Ok(n.to_string().into_bytes()),
                _ => Err(Malformed("a field is not text")),
            };
        }
    };
    let (text, rest) = rest.split_at_checked(len).ok_or(CUT)?;
    *bytes = rest;
    Ok(text.to_vec())
}

/// The value of a pseudo field.
pub(super) fn pseudo<'f>(fields: &'f [Field], name: &str) -> Option<&'f [u8]> {
    fields.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value.as_slice())
}

/// The real fields, checked: nothing in them can end a line early.
pub(super) fn headers(fields: &[Field]) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter().filter(|(name, _)| name.first() != Some(&b':')) {
        let name = HeaderName::from_bytes(name).map_err(|_| Malformed("invalid field name"))?;
        let value = HeaderValue::from_bytes(value).map_err(|_| Malformed("invalid field value"))?;
        headers.try_append(name, value).map_err(|_| Malformed("too many fields"))?;
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline_amqp::message;

    #[test]
    fn round_trip_of_octets() {
        let mut out = Vec::new();
        let long = vec![b'x'; 300];
        put_section(message::APPLICATION_PROPERTIES, &mut out, |map| {
            map.symbol(b":flowid", b"abc:1");
            map.string(b"name", b"caf\xe9");
            map.string(b"long", &long);
        });
        let section = message::section(&out).unwrap().unwrap();
        assert_eq!((section.descriptor, section.len), (message::APPLICATION_PROPERTIES, out.len()));
        let fields = read_map(section.value).unwrap();
        assert_eq!(pseudo(&fields, ":flowid"), Some(&b"abc:1"[..]));
        let headers = headers(&fields).unwrap();
        assert_eq!(headers["name"].as_bytes(), b"caf\xe9");
        assert_eq!(headers["long"].as_bytes(), long);
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn what_would_end_a_line_is_refused() {
        for (name, value) in [(&b"a b"[..], &b"x"[..]), (b"a\r\nb", b"x"), (b"a", b"x\r\nb: y"), (b"", b"x")] {
            assert!(headers(&[(name.to_vec(), value.to_vec())]).is_err(), "{name:?}: {value:?}");
        }
    }

    #[test]
    fn hostile_maps_never_panic() {
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..20_000 {
            let mut bytes: Vec<u8> = (0..random.usize(0..40)).map(|_| random.u8(..)).collect();
            if let Some(first) = bytes.first_mut() {
                *first = if random.bool() { 0xc1 } else { 0xd1 };
            }
            if let Ok(fields) = read_map(&bytes) {
                let _ = headers(&fields);
            }
        }
    }
}
