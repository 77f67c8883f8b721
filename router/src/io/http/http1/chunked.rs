//! Chunked bodies.
//!
//! skupper-router's HTTP/1 adaptor does not decode a chunked body: the chunks travel in the data sections as they were
//! on the client's wire, sizes, trailers and all, beside the field `Transfer-Encoding: chunked`.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::message::title_case;
use crate::io::http::Malformed;

/// A size line with its extensions, or all trailers together, are shorter.
const MAX_LINES: usize = 32 * 1024;
const MAX_TRAILERS: usize = 128;
/// What a chunk adds to its payload, at most.
pub(in crate::io::http) const CHUNK_FRAME: usize = 16 + 4;

/// The line before a chunk of `len` octets; [`CHUNK_END`] follows the octets.
pub(in crate::io::http) fn chunk_head(len: usize) -> String {
    format!("{len:x}\r\n")
}

/// What follows the octets of a chunk.
pub(in crate::io::http) const CHUNK_END: &[u8] = b"\r\n";

/// The last chunk.
pub(in crate::io::http) fn last_chunk(trailers: Option<&HeaderMap>) -> Vec<u8> {
    let mut out = b"0\r\n".to_vec();
    for (name, value) in trailers.into_iter().flatten() {
        out.extend_from_slice(&title_case(name));
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Takes chunks apart, wherever they are cut. Holds at most one line.
#[derive(Debug, Default)]
pub(in crate::io::http) struct Unchunker {
    state: State,
    line: Vec<u8>,
    trailers: HeaderMap,
    trailer_octets: usize,
}

#[derive(Debug, Default)]
enum State {
    /// The line with the size of a chunk.
    #[default]
    Size,
    /// So many octets of a chunk are to come.
    Data(u64),
    /// The empty line behind a chunk.
    DataEnd,
    Trailers,
    Over,
}

/// The next thing in a chunked body.
#[derive(Debug, PartialEq)]
pub(in crate::io::http) enum Chunk<'a> {
    /// More bytes are needed.
    More,
    /// Payload.
    Data(&'a [u8]),
    /// The end; trailers, if there are any.
    End(HeaderMap),
}

impl Unchunker {
    /// The next piece of `bytes`, and how many of them are used up with it. Nothing may follow the end.
    pub(in crate::io::http) fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<(usize, Chunk<'a>), Malformed> {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            if let State::Data(left) = &mut self.state {
                if rest.is_empty() {
                    return Ok((used, Chunk::More));
                }
                let take = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= take as u64;
                if *left == 0 {
                    self.state = State::DataEnd;
                }
                return Ok((used + take, Chunk::Data(rest.get(..take).unwrap_or_default())));
            }
            if matches!(self.state, State::Over) {
                return if rest.is_empty() {
                    Ok((used, Chunk::More))
                } else {
                    Err(Malformed("bytes behind the last chunk"))
                };
            }
            let Some(end) = rest.iter().position(|b| *b == b'\n') else {
                self.line.extend_from_slice(rest);
                if self.line.len() > MAX_LINES {
                    return Err(Malformed("a line between chunks is too long"));
                }
                return Ok((bytes.len(), Chunk::More));
            };
            self.line.extend_from_slice(rest.get(..end).unwrap_or_default());
            used += end + 1;
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
            let line = std::mem::take(&mut self.line);
            if let Some(trailers) = self.line_ended(&line)? {
                return Ok((used, Chunk::End(trailers)));
            }
        }
    }

    fn line_ended(&mut self, line: &[u8]) -> Result<Option<HeaderMap>, Malformed> {
        match self.state {
            State::Size => {
                self.state = match chunk_size(line)? {
                    0 => State::Trailers,
                    size => State::Data(size),
                };
            }
            State::DataEnd if line.is_empty() => self.state = State::Size,
            State::Trailers if line.is_empty() => {
                self.state = State::Over;
                return Ok(Some(std::mem::take(&mut self.trailers)));
            }
            State::Trailers => {
                self.trailer_octets += line.len();
                if self.trailer_octets > MAX_LINES || self.trailers.len() >= MAX_TRAILERS {
                    return Err(Malformed("too many trailers"));
                }
                let (name, value) = trailer(line).ok_or(Malformed("invalid trailer"))?;
                self.trailers.append(name, value);
            }
            State::DataEnd | State::Data(_) | State::Over => return Err(Malformed("a chunk is longer than its size")),
        }
        Ok(None)
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let (size, extension) = line.split_at(digits);
    let extension_may_follow = matches!(extension.first(), None | Some(b';' | b' ' | b'\t'));
    let size = std::str::from_utf8(size).ok().filter(|size| size.len() <= 15 && extension_may_follow);
    size.and_then(|size| u64::from_str_radix(size, 16).ok()).ok_or(Malformed("invalid chunk size"))
}

fn trailer(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|b| *b == b':')?;
    let name = HeaderName::from_bytes(line.get(..colon)?).ok()?;
    let value = HeaderValue::from_bytes(line.get(colon + 1..)?.trim_ascii()).ok()?;
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], size: usize) -> Result<(Vec<u8>, Option<HeaderMap>), Malformed> {
        let (mut unchunker, mut data, mut end) = (Unchunker::default(), Vec::new(), None);
        for mut piece in bytes.chunks(size) {
            while !piece.is_empty() {
                let (n, chunk) = unchunker.next(piece)?;
                match chunk {
                    Chunk::More => {}
                    Chunk::Data(payload) => data.extend_from_slice(payload),
                    Chunk::End(trailers) => end = Some(trailers),
                }
                piece = &piece[n..];
            }
        }
        Ok((data, end))
    }

    #[test]
    fn chunks_are_read_however_they_are_cut() {
        let mut trailers = HeaderMap::new();
        trailers.insert("checksum", HeaderValue::from_static("abc"));
        let mut bytes = b"5;ext=\"x\"\r\nhello\r\n".to_vec();
        bytes.extend_from_slice(chunk_head(300).as_bytes());
        bytes.extend_from_slice(&[b'\n'; 300]);
        bytes.extend_from_slice(CHUNK_END);
        bytes.extend_from_slice(&last_chunk(Some(&trailers)));
        let whole = [&b"hello"[..], &[b'\n'; 300]].concat();
        for size in [1, 2, 3, 7, 64, bytes.len()] {
            assert_eq!(read(&bytes, size).unwrap(), (whole.clone(), Some(trailers.clone())), "pieces of {size}");
        }
        assert_eq!(read(&bytes[..bytes.len() - 1], 7).unwrap().1, None, "a cut body has no end");
    }

    #[test]
    fn what_is_not_chunked_is_refused() {
        for wrong in [
            &b"hello\r\n"[..],
            b"\r\n",
            b"5\r\nhelloo\r\n",
            b"0\r\nno trailer\r\n\r\n",
            b"0\r\n\r\nmore",
            b"ffffffffffffffffff\r\n",
            b"5x\r\nhello\r\n",
        ] {
            assert!(read(wrong, wrong.len()).is_err(), "{:?}", String::from_utf8_lossy(wrong));
        }
        assert!(read(&[b'1'; MAX_LINES + 2], 100).is_err());
    }

    #[test]
    fn hostile_chunks_never_panic() {
        let mut random = fastrand::Rng::with_seed(13);
        let alphabet = b"0123456789abcdef\r\n:; x\xff";
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..random.usize(1..60)).map(|_| alphabet[random.usize(..alphabet.len())]).collect();
            let _ = read(&bytes, random.usize(1..10));
        }
    }
}
