//! The parts of a message that carries HTTP: its head, then data sections, then perhaps a footer.

use moorline_amqp::message::{self, Properties};

use super::Malformed;
use super::fields::{Field, read_map};

/// More head than this is nobody's message.
const MAX_HEAD: usize = 512 * 1024;
/// There are fewer kinds of sections.
const MAX_SECTIONS: usize = 8;
/// What a data section adds to its payload, at most.
pub(super) const DATA_HEAD: usize = 8;

/// What stands before the body.
#[derive(Debug, Default, PartialEq)]
pub(in crate::io) struct Head {
    pub(in crate::io) properties: Properties,
    /// The application properties.
    pub(in crate::io) fields: Vec<Field>,
}

impl Head {
    /// The head and its length; `None`: more bytes are needed (and `ended` is false).
    pub(in crate::io) fn parse(bytes: &[u8], ended: bool) -> Result<Option<(Head, usize)>, Malformed> {
        let mut head = Head::default();
        let mut at = 0;
        for _ in 0..MAX_SECTIONS {
            let rest = bytes.get(at..).unwrap_or_default();
            match message::section_start(rest)?.map(|(descriptor, _)| descriptor) {
                Some(message::DATA | message::FOOTER) => return Ok(Some((head, at))),
                Some(message::VALUE | message::SEQUENCE) => return Err(Malformed("the body is not HTTP")),
                None if ended && rest.is_empty() => return Ok(Some((head, at))),
                _ => {}
            }
            let Some(section) = message::section(rest)? else {
                return match ended {
                    true => Err(Malformed("the message ends inside its head")),
                    false if bytes.len() > MAX_HEAD => Err(Malformed("the head is too long")),
                    false => Ok(None),
                };
            };
            at += section.len;
            match section.descriptor {
                message::PROPERTIES => head.properties = Properties::decode(section.value)?,
                message::APPLICATION_PROPERTIES => {
                    // Nothing but the body can follow: it is not waited for.
                    head.fields = read_map(section.value)?;
                    return Ok(Some((head, at)));
                }
                _ => {}
            }
        }
        Err(Malformed("the head has too many sections"))
    }
}

/// Appends the header section as skupper-router writes it: not durable, no priority.
pub(super) fn put_header(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x00, 0x53, message::HEADER as u8, 0xc0, 0x03, 0x02, 0x42, 0x40]);
}

/// Appends the head of a data section of `len` octets.
pub(super) fn put_data_head(len: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x00, 0x53, message::DATA as u8]);
    match u8::try_from(len) {
        Ok(len) => out.extend_from_slice(&[0xa0, len]),
        Err(_) => {
            out.push(0xb0);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
}

/// Finds what a body carries, wherever it is cut.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// Octets of the current data section that are still to come.
    left: usize,
}

/// The next thing in a body.
#[derive(Debug, PartialEq)]
pub(super) enum Piece<'a> {
    /// More bytes are needed.
    More,
    /// Octets of a data section.
    Data(&'a [u8]),
    /// Trailers.
    Footer(Vec<Field>),
    /// The body is over.
    End,
}

impl Body {
    /// The last `len` octets of the piece that came last will come again.
    pub(super) fn give_back(&mut self, len: usize) {
        self.left += len;
    }

    /// The next piece of `bytes`, and how many of them are used up with it.
    pub(super) fn next<'a>(&mut self, bytes: &'a [u8], ended: bool) -> Result<(usize, Piece<'a>), Malformed> {
        const CUT: Malformed = Malformed("the message ends inside a section");
        let more = if ended { Err(CUT) } else { Ok((0, Piece::More)) };
        let head = match self.left {
            0 => match message::section_start(bytes)? {
                None if ended && bytes.is_empty() => return Ok((0, Piece::End)),
                None => return more,
                Some((message::DATA, at)) => {
                    let head = match bytes.get(at..).unwrap_or_default() {
                        [0xa0, len, ..] => Some((2, usize::from(*len))),
                        [0xb0, a, b, c, d, ..] => Some((5, u32::from_be_bytes([*a, *b, *c, *d]) as usize)),
                        [] | [0xa0 | 0xb0, ..] => None,
                        _ => return Err(Malformed("data is not binary")),
                    };
                    let Some((head, len)) = head else { return more };
                    self.left = len;
                    at + head
                }
                Some((message::FOOTER, _)) => {
                    return match message::section(bytes)? {
                        Some(section) => Ok((section.len, Piece::Footer(read_map(section.value)?))),
                        None if bytes.len() > MAX_HEAD => Err(Malformed("the trailers are too long")),
                        None => more,
                    };
                }
                Some(_) => return Err(Malformed("the body is not HTTP")),
            },
            _ => 0,
        };
        let payload = bytes.get(head..).unwrap_or_default();
        let payload = payload.get(..self.left).unwrap_or(payload);
        if payload.is_empty() && self.left > 0 && ended {
            return Err(CUT);
        }
        self.left -= payload.len();
        Ok((head + payload.len(), if head + payload.len() == 0 { Piece::More } else { Piece::Data(payload) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::http::fields::put_section;

    fn message() -> Vec<u8> {
        let mut bytes = Vec::new();
        put_header(&mut bytes);
        Properties { to: Some("web:80".into()), ..Properties::default() }.encode(&mut bytes);
        put_section(message::APPLICATION_PROPERTIES, &mut bytes, |map| map.string(b":path", b"/"));
        for chunk in [&b""[..], b"hello", &[7; 300]] {
            put_data_head(chunk.len(), &mut bytes);
            bytes.extend_from_slice(chunk);
        }
        put_section(message::FOOTER, &mut bytes, |map| map.string(b"grpc-status", b"0"));
        bytes
    }

    #[test]
    fn a_message_is_read_however_it_is_cut() {
        let bytes = message();
        let whole = [&b"hello"[..], &[7; 300]].concat();
        for size in [1, 2, 3, 7, 64, bytes.len()] {
            let mut arrived = 0;
            let (mut head, mut body, mut used) = (None, Body::default(), 0);
            let (mut data, mut footer, mut over) = (Vec::new(), None, false);
            while !over {
                arrived = (arrived + size).min(bytes.len());
                let ended = arrived == bytes.len();
                if head.is_none() {
                    head = Head::parse(&bytes[..arrived], ended).unwrap().map(|(head, len)| {
                        used = len;
                        head
                    });
                }
                while head.is_some() {
                    let (n, piece) = body.next(&bytes[used..arrived], ended).unwrap();
                    used += n;
                    match piece {
                        Piece::More => break,
                        Piece::Data(payload) => data.extend_from_slice(payload),
                        Piece::Footer(fields) => footer = Some(fields),
                        Piece::End => {
                            over = true;
                            break;
                        }
                    }
                }
            }
            assert_eq!(head.unwrap().properties.to.as_deref(), Some("web:80"));
            assert_eq!(data, whole, "pieces of {size}");
            assert_eq!(footer, Some(vec![(b"grpc-status".to_vec(), b"0".to_vec())]));
        }
    }

    #[test]
    fn a_cut_message_is_never_a_whole_one() {
        let bytes = message();
        let (_, start) = Head::parse(&bytes, true).unwrap().unwrap();
        for cut in 0..bytes.len() {
            let Ok(head) = Head::parse(&bytes[..cut], true) else { continue };
            if cut < start {
                continue;
            }
            let (mut at, mut body, mut pieces) = (head.unwrap().1, Body::default(), 0);
            let outcome = loop {
                match body.next(&bytes[at..cut], true) {
                    Ok((_, Piece::End)) => break Ok(pieces),
                    Ok((n, _)) => {
                        at += n;
                        pieces += 1;
                    }
                    Err(error) => break Err(error),
                }
            };
            if let Ok(pieces) = outcome {
                assert!(pieces < 4, "cut at {cut} of {}", bytes.len());
            }
        }
    }

    #[test]
    fn hostile_bodies_never_panic() {
        let mut random = fastrand::Rng::with_seed(12);
        for _ in 0..20_000 {
            let mut bytes = message();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            bytes.truncate(random.usize(..bytes.len()));
            let Ok(Some((_, mut at))) = Head::parse(&bytes, random.bool()) else { continue };
            let mut body = Body::default();
            while let Ok((n, piece)) = body.next(&bytes[at..], true) {
                if piece == Piece::End {
                    break;
                }
                assert!(n > 0);
                at += n;
            }
        }
    }
}
