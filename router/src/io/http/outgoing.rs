//! A message of ours, written while its body comes from a socket.

use std::rc::Rc;

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body_util::BodyExt;
use moorline_amqp::End;

use super::encapsulation::BodyWriter;
use super::post::{News, Post};
use crate::core::MessageId;

/// A piece of a body goes into one section of at most this much.
const PIECE: usize = 64 * 1024;
/// With less room than this nothing is sent: small sections cost more than they carry.
const LEAST_ROOM: usize = 1024;

/// Octets that may be on their way to a receiver that tells how far it is, as ours does. Those of skupper-router do not:
/// it is their routers that hold what nobody reads.
pub(super) const WINDOW: u64 = 1024 * 1024;

/// Why a body did not become a whole message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// The socket's side.
    #[error("{0}")]
    Body(String),
    /// The network's side.
    #[error("the other end wants no more")]
    Refused,
}

/// A message of ours; dropped before its end it is aborted.
pub(super) struct Outgoing {
    post: Rc<Post>,
    message: MessageId,
    pub(super) news: Rc<News>,
    ended: bool,
    /// Octets of the body.
    sent: u64,
}

impl Outgoing {
    pub(super) fn new(post: Rc<Post>, message: MessageId, news: Rc<News>, ended: bool) -> Outgoing {
        Outgoing { post, message, news, ended, sent: 0 }
    }

    /// Waits until `wanted` bytes or more can be sent; answers how many.
    async fn room(&self, wanted: usize) -> Result<usize, Broken> {
        loop {
            if self.news.is_decided.get() {
                return Err(Broken::Refused);
            }
            let room = self.post.driver.core(|router, _| router.message_room(self.message));
            let is_ahead = self.news.taken.get().is_some_and(|taken| self.sent >= taken.saturating_add(WINDOW));
            if room >= wanted && !is_ahead {
                return Ok(room);
            }
            self.news.moved.wait().await;
        }
    }

    /// Waits until the receiver wants no more.
    async fn refused(&self) -> Broken {
        while !self.news.is_decided.get() {
            self.news.moved.wait().await;
        }
        Broken::Refused
    }

    fn extend(&mut self, bytes: &[u8], end: Option<End>) {
        self.ended = end.is_some();
        self.post.driver.core(|router, _| router.extend_message(self.message, bytes, end));
    }

    /// Sends a body to its end; `count` hears of its octets.
    pub(super) async fn carry<B>(
        &mut self,
        mut writer: BodyWriter,
        mut body: B,
        count: impl Fn(usize),
    ) -> Result<(), Broken>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
        B::Error: std::error::Error,
    {
        let mut sections = Vec::new();
        loop {
            let frame = tokio::select! {
                biased;
                refused = self.refused() => return Err(refused),
                frame = body.frame() => frame,
            };
            let Some(frame) = frame else { return self.finish(writer, None).await };
            let frame = frame.map_err(|error| Broken::Body(words(&error)))?;
            match frame.into_data() {
                Ok(mut data) => {
                    count(data.len());
                    while data.has_remaining() {
                        let room = self.room(LEAST_ROOM).await?;
                        let piece = data.split_to(data.len().min(PIECE).min(room - BodyWriter::OVERHEAD));
                        sections.clear();
                        writer.data(&piece, &mut sections);
                        self.extend(&sections, None);
                        self.sent += piece.len() as u64;
                    }
                }
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        return self.finish(writer, Some(&trailers)).await;
                    }
                }
            }
        }
    }

    async fn finish(&mut self, mut writer: BodyWriter, trailers: Option<&HeaderMap>) -> Result<(), Broken> {
        let mut sections = Vec::new();
        writer.end(trailers, &mut sections);
        self.room(sections.len().min(LEAST_ROOM)).await?;
        self.extend(&sections, Some(End::Last));
        Ok(())
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if !self.ended && !self.news.settled.get() {
            self.post.driver.core(|router, _| router.abort_message(self.message));
        }
    }
}

/// An error and its causes: hyper's own words say only where.
pub(super) fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
