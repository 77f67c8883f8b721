//! The body of a legacy TCP stream: data sections, read while they arrive.

use moorline_amqp::{Value, message};

/// Finds the payload in a body that is cut anywhere. Holds at most one incomplete section head.
#[derive(Debug, Default)]
pub(super) struct DataSections {
    /// Payload octets of the current section that are still to come.
    left: u32,
    /// Octets of the next section that are not a data section (application properties), to be skipped.
    partial: Vec<u8>,
    /// What the application properties said, until it is taken: the sender's record of this flow.
    flow_id: Option<Box<str>>,
    broken: bool,
}

/// Identities of records are shorter.
pub(super) const MAX_FLOW_ID: usize = 40;

/// A section in front of the data that is longer than this is nobody's.
const MAX_SKIPPED: usize = 64 * 1024;

impl DataSections {
    /// Hands each run of payload in `bytes` to `take`. After something that cannot be a legacy body nothing comes any
    /// more, and the answer is false: routers treat it as the end of the stream.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut take: impl FnMut(&[u8])) -> bool {
        while !bytes.is_empty() && !self.broken {
            if self.left > 0 {
                let n = bytes.len().min(self.left as usize);
                let (payload, rest) = bytes.split_at(n);
                take(payload);
                self.left -= n as u32;
                bytes = rest;
            } else if self.partial.is_empty() {
                match section_head(bytes) {
                    Some(Step::Data { head, len }) => {
                        self.left = len;
                        bytes = bytes.get(head..).unwrap_or_default();
                    }
                    Some(Step::Skip(len)) => {
                        self.flow_id = self.flow_id.take().or_else(|| flow_id(bytes));
                        bytes = bytes.get(len..).unwrap_or_default();
                    }
                    Some(Step::More) => {
                        self.partial.extend_from_slice(bytes);
                        bytes = &[];
                    }
                    None => self.broken = true,
                }
            } else {
                bytes = self.complete_partial(bytes);
            }
        }
        !self.broken
    }

    /// The record that the sender has of this flow, once.
    pub(super) fn take_flow_id(&mut self) -> Option<Box<str>> {
        self.flow_id.take()
    }

    /// Adds bytes to an incomplete section head until it can be read; returns what follows it.
    fn complete_partial<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let before = self.partial.len();
        self.partial.extend_from_slice(bytes);
        let used = match section_head(&self.partial) {
            Some(Step::Data { head, len }) => {
                self.left = len;
                head
            }
            Some(Step::Skip(len)) => {
                self.flow_id = self.flow_id.take().or_else(|| flow_id(&self.partial));
                len
            }
            Some(Step::More) => {
                self.broken = self.partial.len() > MAX_SKIPPED;
                return &[];
            }
            None => {
                self.broken = true;
                return &[];
            }
        };
        self.partial = Vec::new();
        bytes.get(used.saturating_sub(before)..).unwrap_or_default()
    }
}

/// The value of `:flowid` in application properties.
fn flow_id(section: &[u8]) -> Option<Box<str>> {
    let section = message::section(section).ok()??;
    let Value::Map(pairs) = Value::decode(&mut { section.value }).ok()? else { return None };
    let (_, id) = pairs.iter().find(|(key, _)| key.as_str() == Some(":flowid"))?;
    id.as_str().filter(|id| id.len() <= MAX_FLOW_ID).map(Into::into)
}

enum Step {
    Data { head: usize, len: u32 },
    Skip(usize),
    More,
}

/// What the next section is; `None` when it cannot stand in a legacy body.
fn section_head(bytes: &[u8]) -> Option<Step> {
    let Some((descriptor, at)) = message::section_start(bytes).ok()? else { return Some(Step::More) };
    match descriptor {
        message::DATA => match (bytes.get(at), bytes.get(at + 1..)) {
            (Some(0xa0), Some([len, ..])) => Some(Step::Data { head: at + 2, len: u32::from(*len) }),
            (Some(0xb0), Some([a, b, c, d, ..])) => {
                Some(Step::Data { head: at + 5, len: u32::from_be_bytes([*a, *b, *c, *d]) })
            }
            (Some(0xa0 | 0xb0) | None, _) => Some(Step::More),
            _ => None,
        },
        message::APPLICATION_PROPERTIES => match message::section(bytes).ok()? {
            Some(section) => Some(Step::Skip(section.len)),
            None => Some(Step::More),
        },
        _ => None,
    }
}

/// The head of a data section, at most eight bytes long.
pub(super) struct DataHead([u8; 8]);

impl DataHead {
    pub(super) fn new(len: usize) -> DataHead {
        let [a, b, c, d] = (len as u32).to_be_bytes();
        DataHead([0x00, 0x53, 0x75, 0xb0, a, b, c, d])
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Vec<u8> {
        let mut bytes = Vec::new();
        let flow = Value::Map(vec![(Value::Symbol(":flowid".into()), Value::String("a:1".into()))]);
        message::encode_section(message::APPLICATION_PROPERTIES as u8, &flow, &mut bytes);
        bytes.extend_from_slice(b"\x00\x53\x75\xa0\x05short");
        for chunk in [&b"one"[..], b"", &[7; 300], b"last"] {
            bytes.extend_from_slice(DataHead::new(chunk.len()).bytes());
            bytes.extend_from_slice(chunk);
        }
        bytes
    }

    #[test]
    fn payload_is_found_however_it_is_cut() {
        let body = body();
        let whole = [&b"short"[..], b"one", &[7; 300], b"last"].concat();
        for size in [1, 2, 3, 7, 64, body.len()] {
            let (mut sections, mut got) = (DataSections::default(), Vec::new());
            for piece in body.chunks(size) {
                assert!(sections.feed(piece, |payload| got.extend_from_slice(payload)));
            }
            assert_eq!(sections.take_flow_id().as_deref(), Some("a:1"));
            assert_eq!(got, whole, "pieces of {size}");
        }
    }

    #[test]
    fn another_body_ends_the_stream() {
        let mut sections = DataSections::default();
        assert!(!sections.feed(b"\x00\x53\x77\x40rest", |_| panic!("no payload here")));
        assert!(!sections.feed(b"\x00\x53\x75\xa0\x01x", |_| panic!("it stays ended")));
    }
}
