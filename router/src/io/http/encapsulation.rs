//! The two ways in which HTTP travels in AMQP, behind one face. They do not mix: a message says nothing of which it is.

use http::header::{CONTENT_LENGTH, HeaderMap};
use http::{Request, Response, request, response};

use super::fields::headers;
use super::http1::chunked::{CHUNK_END, CHUNK_FRAME, Chunk, Unchunker, chunk_head, last_chunk};
use super::http1::message as http1;
use super::http2::message as http2;
use super::sections::{Body, DATA_HEAD, Head, Piece, put_data_head};
use super::{Envelope, Malformed};

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io) enum Encapsulation {
    /// `protocolVersion: HTTP1`.
    Http1,
    /// `protocolVersion: HTTP2`.
    Http2,
}

impl Encapsulation {
    /// `http1` or `http2`, as flow records have it.
    pub(in crate::io) fn name(self) -> &'static str {
        match self {
            Encapsulation::Http1 => "http1",
            Encapsulation::Http2 => "http2",
        }
    }

    /// What is spoken in TLS.
    pub(in crate::io) fn alpn(self) -> &'static [&'static str] {
        match self {
            Encapsulation::Http1 => &["http/1.1", "http/1.0"],
            Encapsulation::Http2 => &["h2"],
        }
    }

    /// The sections before the body of a request.
    pub(in crate::io) fn request(self, parts: &request::Parts, envelope: &Envelope<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        match self {
            Encapsulation::Http1 => http1::put_request(parts, envelope, &mut out),
            Encapsulation::Http2 => http2::put_request(parts, envelope, &mut out),
        }
        out
    }

    /// The sections before the body of a response; `path` is that of the request.
    pub(in crate::io) fn response(self, parts: &response::Parts, path: &str, envelope: &Envelope<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        match self {
            Encapsulation::Http1 => http1::put_response(parts, path, envelope, &mut out),
            Encapsulation::Http2 => http2::put_response(parts, envelope, &mut out),
        }
        out
    }

    /// The request in a message; `server` is `host:port` of the server that will get it.
    pub(in crate::io) fn read_request(self, head: &Head, server: &str) -> Result<Request<()>, Malformed> {
        match self {
            Encapsulation::Http1 => http1::read_request(head),
            Encapsulation::Http2 => http2::read_request(head, server),
        }
    }

    /// The response in a message.
    pub(in crate::io) fn read_response(self, head: &Head) -> Result<Response<()>, Malformed> {
        match self {
            Encapsulation::Http1 => http1::read_response(head),
            Encapsulation::Http2 => http2::read_response(head),
        }
    }

    fn framing(self, headers: &HeaderMap) -> Framing {
        match self {
            Encapsulation::Http1 if http1::is_chunked(headers) => Framing::Chunked,
            Encapsulation::Http1 => Framing::Plain,
            Encapsulation::Http2 => Framing::Http2,
        }
    }

    /// Writes the body that goes with these fields.
    pub(in crate::io) fn writer(self, headers: &HeaderMap) -> BodyWriter {
        BodyWriter { framing: self.framing(headers), begun: false }
    }

    /// Reads the body that goes with these fields.
    pub(in crate::io) fn reader(self, headers: &HeaderMap) -> BodyReader {
        let framing = self.framing(headers);
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        BodyReader {
            body: Body::default(),
            unchunker: (framing == Framing::Chunked).then(Unchunker::default),
            left: length.filter(|_| framing == Framing::Plain),
            begun: false,
            over: false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Plain,
    Chunked,
    Http2,
}

/// Turns a body into sections.
#[derive(Debug)]
pub(in crate::io) struct BodyWriter {
    framing: Framing,
    begun: bool,
}

impl BodyWriter {
    /// What a piece of a body, or its end without trailers, adds to its octets, at most.
    pub(in crate::io) const OVERHEAD: usize = DATA_HEAD + CHUNK_FRAME;

    /// Appends a piece of the body.
    pub(in crate::io) fn data(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        if payload.is_empty() {
            return;
        }
        self.begun = true;
        if self.framing == Framing::Chunked {
            let head = chunk_head(payload.len());
            put_data_head(head.len() + payload.len() + CHUNK_END.len(), out);
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(payload);
            out.extend_from_slice(CHUNK_END);
        } else {
            put_data_head(payload.len(), out);
            out.extend_from_slice(payload);
        }
    }

    /// Appends the end of the body.
    pub(in crate::io) fn end(&mut self, trailers: Option<&HeaderMap>, out: &mut Vec<u8>) {
        match self.framing {
            Framing::Plain => {}
            Framing::Chunked => {
                let last = last_chunk(trailers);
                put_data_head(last.len(), out);
                out.extend_from_slice(&last);
            }
            Framing::Http2 => {
                if !self.begun {
                    put_data_head(0, out);
                }
                if let Some(trailers) = trailers {
                    http2::put_trailers(trailers, out);
                }
            }
        }
        self.begun = true;
    }

    /// Appends what says that there is no body at all, whatever the fields say (the answer to `HEAD`).
    pub(in crate::io) fn absent(&mut self, out: &mut Vec<u8>) {
        if self.framing == Framing::Http2 {
            self.end(None, out);
        }
    }
}

/// Finds a body in sections.
#[derive(Debug)]
pub(in crate::io) struct BodyReader {
    body: Body,
    unchunker: Option<Unchunker>,
    /// Octets to come, when that is known.
    left: Option<u64>,
    begun: bool,
    over: bool,
}

/// The next thing in a body.
#[derive(Debug, PartialEq)]
pub(in crate::io) enum Part<'a> {
    /// More bytes are needed.
    More,
    /// Octets; may be none.
    Data(&'a [u8]),
    /// The end of the octets, before the end of the message.
    Trailers(HeaderMap),
    /// The body is over.
    End,
}

impl BodyReader {
    /// Whether nothing but the end can come.
    pub(in crate::io) fn is_over(&self) -> bool {
        self.over || (self.begun && self.left == Some(0))
    }

    /// The next part of `bytes`, and how many of them are used up with it.
    pub(in crate::io) fn next<'a>(&mut self, bytes: &'a [u8], ended: bool) -> Result<(usize, Part<'a>), Malformed> {
        let (used, piece) = self.body.next(bytes, ended)?;
        let payload = match piece {
            Piece::More if self.is_over() => return Ok((used, Part::End)),
            Piece::More => return Ok((used, Part::More)),
            Piece::Footer(fields) => {
                self.over = true;
                return Ok((used, Part::Trailers(headers(&fields)?)));
            }
            Piece::End if self.is_complete() => return Ok((used, Part::End)),
            Piece::End => return Err(Malformed("the body is cut")),
            Piece::Data(payload) => payload,
        };
        self.begun |= !payload.is_empty();
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(payload.len() as u64).ok_or(Malformed("more body than announced"))?;
        }
        let Some(unchunker) = &mut self.unchunker else { return Ok((used, Part::Data(payload))) };
        let (taken, chunk) = unchunker.next(payload)?;
        let rest = payload.len() - taken;
        self.body.give_back(rest);
        let part = match chunk {
            Chunk::More => Part::Data(&[]),
            Chunk::Data(payload) => Part::Data(payload),
            Chunk::End(trailers) => {
                self.over = true;
                if trailers.is_empty() { Part::Data(&[]) } else { Part::Trailers(trailers) }
            }
        };
        Ok((used - rest, part))
    }

    /// An answer without a body may keep the fields that say how long it would be.
    fn is_complete(&self) -> bool {
        match self.unchunker {
            Some(_) => self.over || !self.begun,
            None => !self.begun || self.left.is_none_or(|left| left == 0),
        }
    }
}
