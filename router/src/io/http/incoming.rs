//! A message that arrives, and the body in it as hyper reads it.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use hyper::body::{Body, Frame, SizeHint};
use moorline_amqp::DeliveryState;

use super::Malformed;
use super::counts::{Fault, FaultKind};
use super::encapsulation::{BodyReader, Part};
use super::outgoing::WINDOW;
use super::post::{News, Post};
use super::sections::Head;
use crate::core::MessageId;

/// The receiver began with a message and could not finish.
pub(super) const FAILED: DeliveryState = DeliveryState::Modified { delivery_failed: true, undeliverable_here: false };

/// Why an arriving message is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lost {
    /// Its sender vanished.
    #[error("the other end is gone")]
    Aborted,
    /// It is not HTTP.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl From<Lost> for Fault {
    fn from(lost: Lost) -> Fault {
        let kind = match lost {
            Lost::Aborted => FaultKind::FarEnd,
            Lost::Malformed(_) => FaultKind::Malformed,
        };
        kind.because(lost.to_string())
    }
}

/// An arriving message; dropped without a verdict it has failed.
pub(super) struct Incoming {
    post: Rc<Post>,
    message: MessageId,
    news: Rc<News>,
    settled: Cell<bool>,
    /// Octets of the body that were read, and those that the sender knows of.
    taken: Cell<u64>,
    told: Cell<Option<u64>>,
}

impl Incoming {
    pub(super) fn new(post: Rc<Post>, message: MessageId, news: Rc<News>) -> Incoming {
        Incoming { post, message, news, settled: Cell::new(false), taken: Cell::new(0), told: Cell::new(None) }
    }

    /// Reads and consumes what `read` takes of the bytes that are there (and the end, when it is there), until it
    /// answers something.
    fn poll<T>(
        &self,
        context: &mut Context<'_>,
        mut read: impl FnMut(&[u8], bool) -> Result<(usize, Option<T>), Malformed>,
    ) -> Poll<Result<T, Lost>> {
        loop {
            let step = self.post.driver.core(|router, _| {
                let (bytes, ended) = router.message_input(self.message)?;
                let step = read(bytes, ended);
                if let Ok((used, _)) = step {
                    router.consume_message(self.message, used);
                }
                Some(step)
            });
            match step {
                None => return Poll::Ready(Err(Lost::Aborted)),
                Some(Err(malformed)) => return Poll::Ready(Err(malformed.into())),
                Some(Ok((_, Some(answer)))) => return Poll::Ready(Ok(answer)),
                Some(Ok((used, None))) => {
                    if self.news.aborted.get() {
                        return Poll::Ready(Err(Lost::Aborted));
                    }
                    if used == 0 {
                        self.tell();
                        ready!(self.news.moved.poll(context));
                    }
                }
            }
        }
    }

    /// So many octets of the body were read.
    fn took(&self, octets: usize) {
        self.taken.set(self.taken.get() + octets as u64);
        self.tell();
    }

    /// Tells the sender of a message that is still under way how far it was read, at first and now and then.
    fn tell(&self) {
        let taken = self.taken.get();
        if self.told.get().is_none_or(|told| taken >= told + WINDOW / 4) {
            self.told.set(Some(taken));
            self.post.driver.core(|router, _| router.acknowledge_message(self.message, taken));
        }
    }

    /// What stands before the body.
    pub(super) async fn head(&self) -> Result<Head, Lost> {
        poll_fn(|context| {
            self.poll(context, |bytes, ended| {
                Ok(Head::parse(bytes, ended)?.map_or((0, None), |(head, len)| (len, Some(head))))
            })
        })
        .await
    }

    /// The routers that it has passed, as a flow record names them.
    pub(super) fn trace(&self) -> String {
        let trace = self.post.driver.inspect(|router| router.message_trace(self.message).join("|"));
        if trace.is_empty() { "Local".to_owned() } else { trace }
    }

    /// The verdict.
    pub(super) fn settle(&self, state: DeliveryState) {
        if !self.settled.replace(true) {
            self.post.driver.core(|router, _| router.settle_message(self.message, state));
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.settle(FAILED);
    }
}

/// The body in a message. `K` is kept until the body is over, or dropped before.
pub(super) struct MessageBody<K> {
    /// None: there is no body.
    source: Option<(Rc<Incoming>, BodyReader)>,
    /// Read before hyper asked: whether there is a body must be known with the head.
    first: Option<Result<Frame<Bytes>, Lost>>,
    keep: Option<K>,
}

/// Hears what becomes of a body.
pub(super) trait Keep {
    /// So many octets were read.
    fn count(&self, octets: usize);
    /// The body came to its end.
    fn over(self, incoming: &Incoming);
    /// It did not.
    fn lost(self, lost: Lost);
}

impl Keep for () {
    fn count(&self, _: usize) {}

    fn over(self, _: &Incoming) {}

    fn lost(self, _: Lost) {}
}

impl<K: Keep> MessageBody<K> {
    /// The body behind a head.
    pub(super) fn new(incoming: Rc<Incoming>, reader: BodyReader, keep: K) -> MessageBody<K> {
        let mut body = MessageBody { source: Some((incoming, reader)), first: None, keep: Some(keep) };
        let mut context = Context::from_waker(std::task::Waker::noop());
        if let Poll::Ready(first) = Pin::new(&mut body).poll_frame(&mut context) {
            body.first = first;
        }
        body
    }

    /// hyper writes no chunk of a body that is over before it began, not even the last: the fields must not promise it.
    pub(super) fn keep_fields_true(&self, headers: &mut HeaderMap) {
        if self.is_end_stream() && headers.remove(header::TRANSFER_ENCODING).is_some() {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
    }

    /// No body.
    pub(super) fn none() -> MessageBody<K> {
        MessageBody { source: None, first: None, keep: None }
    }
}

impl<K: Keep> Unpin for MessageBody<K> {}

impl<K: Keep> Body for MessageBody<K> {
    type Data = Bytes;
    type Error = Lost;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Lost>>> {
        let this = &mut *self;
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(first));
        }
        let Some((incoming, reader)) = &mut this.source else { return Poll::Ready(None) };
        let next = ready!(incoming.poll(context, |bytes, ended| {
            let (used, part) = reader.next(bytes, ended)?;
            let found = match part {
                Part::More | Part::Data([]) => None,
                Part::Data(payload) => Some(Some(Frame::data(Bytes::copy_from_slice(payload)))),
                Part::Trailers(trailers) => Some(Some(Frame::trailers(trailers))),
                Part::End => Some(None),
            };
            Ok((used, found))
        }));
        let frame = match next {
            Ok(frame) => frame,
            Err(lost) => {
                this.source = None;
                if let Some(keep) = this.keep.take() {
                    keep.lost(lost);
                }
                return Poll::Ready(Some(Err(lost)));
            }
        };
        if let Some(data) = frame.as_ref().and_then(Frame::data_ref) {
            incoming.took(data.len());
            if let Some(keep) = &this.keep {
                keep.count(data.len());
            }
        }
        // Who gets the last octet or the trailers does not ask again.
        if frame.is_none() || reader.is_over() {
            if let Some(keep) = this.keep.take() {
                keep.over(incoming);
            }
            this.source = None;
        }
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none() && self.first.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() {
            return SizeHint::with_exact(0);
        }
        SizeHint::default()
    }
}
