//! `httpListener`: clients connect to us, each of their requests is a message of its own.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request as HttpRequest, Response, StatusCode, Version};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::{Body, Incoming as ClientBody};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use moorline_amqp::{DeliveryState, End};
use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;

use super::connection::HttpConnection;
use super::counts::{Fault, FaultKind};
use super::encapsulation::Encapsulation;
use super::fields::pseudo;
use super::http1::aggregate::{Aggregation, Answer};
use super::incoming::{Incoming, Keep, Lost, MessageBody};
use super::outgoing::{Broken, Outgoing, words};
use super::post::{News, Post, ReplyAddress};
use super::record::{Bridge, Request};
use super::sections::Head;
use super::socket::{HttpSocket, MOST_STREAMS, STREAM_WINDOW, Tasks};
use super::{Envelope, FLOW_ID, HttpPlan, is_multicast};
use crate::io::driver::Driver;
use crate::io::listen::TcpListening;
use crate::io::signal::Signal;
use crate::io::status::HttpBridgeStatus;
use crate::io::tally::ServiceCounts;
use crate::io::transport::Transport;

/// The body of a request for several servers is sent whole, and no longer than routers take for each of them.
const MULTICAST_LIMIT: usize = 1000 * 1024;
/// Answers that are put together may have this many octets in all.
const AGGREGATE_LIMIT: usize = 16 * 1024 * 1024;
/// A client that expects `100 Continue` gets it from us when the server says nothing.
const CONTINUE_LIMIT: Duration = Duration::from_secs(1);

/// A running `httpListener`.
pub(in crate::io) struct HttpListening {
    pub(in crate::io) bridge: Rc<Bridge>,
    pub(in crate::io) port: Rc<TcpListening>,
    driver: Rc<Driver>,
    post: Rc<Post>,
    aggregation: Option<Aggregation>,
    event_channel: bool,
    /// True: connections end with the request that they carry.
    closing: watch::Sender<bool>,
}

type Answered = Response<Either<Full<Bytes>, MessageBody<Reply>>>;

/// Nothing can be answered any more: the client's connection (HTTP/1) or stream (HTTP/2) is cut.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost")]
struct Cut;

impl HttpListening {
    pub(in crate::io) fn new(driver: &Rc<Driver>, plan: &HttpPlan, port: Rc<TcpListening>) -> HttpListening {
        let wanted = Rc::clone(&port);
        let post = Post::open(driver, move |reachable| wanted.want(reachable));
        driver.core(|router, _| router.produce(post.endpoint, &plan.address));
        HttpListening {
            bridge: Rc::new(Bridge::new(driver, plan, true)),
            port,
            driver: Rc::clone(driver),
            post,
            aggregation: plan.aggregation,
            event_channel: plan.event_channel,
            closing: watch::Sender::new(false),
        }
    }

    pub(in crate::io) fn status(&self) -> HttpBridgeStatus {
        let port = self.port.status(0, ServiceCounts::default());
        HttpBridgeStatus { port: port.port, state: Some(port.state), last_error: port.error, ..self.bridge.status() }
    }

    /// The port closes, requests that run may finish.
    pub(in crate::io) fn close(&self) {
        self.driver.core(|router, _| router.unproduce(self.post.endpoint, &self.bridge.address));
        self.port.remove();
        self.closing.send_replace(true);
    }

    /// A client that connected.
    pub(in crate::io) fn accepted(self: &Rc<Self>, transport: Transport, peer: SocketAddr) {
        let socket = HttpSocket::new(transport, peer.to_string(), &self.driver, &self.bridge);
        self.driver.spawn(Rc::clone(self).serve(socket));
    }

    async fn serve(self: Rc<Self>, socket: HttpSocket) {
        let mut closing = self.closing.subscribe();
        let (listener, connection) = (Rc::clone(&self), Rc::clone(&socket.connection));
        let peer = connection.peer.clone();
        let service = service_fn(move |request| Rc::clone(&listener).answer(request, Rc::clone(&connection)));
        let close = async move {
            // An error would mean that the listener is gone, which this task holds.
            let _ = closing.wait_for(|closing| *closing).await;
        };
        let ended = match self.bridge.encapsulation {
            Encapsulation::Http1 => {
                let connection = http1::Builder::new()
                    .title_case_headers(true)
                    .auto_date_header(false)
                    .serve_connection(socket, service);
                let mut connection = std::pin::pin!(connection);
                tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = close => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                }
            }
            Encapsulation::Http2 => {
                let connection = http2::Builder::new(Tasks(Rc::clone(&self.driver)))
                    .auto_date_header(false)
                    .max_concurrent_streams(MOST_STREAMS)
                    .initial_stream_window_size(STREAM_WINDOW)
                    .initial_connection_window_size(STREAM_WINDOW * MOST_STREAMS)
                    .serve_connection(socket, service);
                let mut connection = std::pin::pin!(connection);
                tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = close => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(listener = %self.bridge.name, %peer, error = words(&error), "client connection ended");
        }
    }

    async fn answer(
        self: Rc<Self>,
        request: HttpRequest<ClientBody>,
        connection: Rc<HttpConnection>,
    ) -> Result<Answered, Cut> {
        let record = Request::new(&self.driver, &self.bridge, Some(connection), request.method());
        let answered = if request.method() == Method::CONNECT {
            Ok(refusal(StatusCode::NOT_IMPLEMENTED, "CONNECT is not carried.\n"))
        } else if self.event_channel {
            self.event(request, &record).await
        } else if let Some(aggregation) = self.aggregation {
            self.aggregate(request, &record, aggregation).await
        } else {
            self.exchange(request, &record).await
        };
        match answered {
            Ok(answered) => {
                record.answered(&answered);
                if matches!(answered.body(), Either::Left(_)) {
                    record.ended(Ok(()));
                }
                Ok(answered)
            }
            Err(fault) => {
                record.ended(Err(fault));
                Err(Cut)
            }
        }
    }

    /// One request, one server, one answer.
    async fn exchange(
        self: &Rc<Self>,
        request: HttpRequest<ClientBody>,
        record: &Rc<Request>,
    ) -> Result<Answered, Fault> {
        let reply = ReplyAddress::new(&self.post);
        let is_head = request.method() == Method::HEAD;
        let mut sent = match self.send(request, record, Some(&reply.address)).await {
            Ok(sent) => sent,
            Err(refused) => return Ok(refused),
        };
        let mut is_taken = false;
        loop {
            let incoming = tokio::select! {
                biased;
                incoming = reply.inbox.next() => incoming,
                verdict = sent.verdict(), if !is_taken => {
                    if let Some(refused) = self.refused(verdict?.as_ref(), record) {
                        return Ok(refused);
                    }
                    is_taken = true;
                    continue;
                }
            };
            let (head, response) = match self.head(&incoming).await {
                Ok(found) => found,
                Err(lost) => {
                    record.ended(Err(lost.into()));
                    return Ok(refusal(StatusCode::SERVICE_UNAVAILABLE, ""));
                }
            };
            if response.status().is_informational() {
                incoming.settle(DeliveryState::Accepted);
                if response.status() == StatusCode::CONTINUE {
                    sent.may_continue.set();
                }
                continue;
            }
            if let Some(identity) = pseudo(&head.fields, FLOW_ID) {
                record.counterflow(identity);
            }
            record.site(head.properties.group_id);
            let (mut parts, ()) = response.into_parts();
            if self.bridge.encapsulation == Encapsulation::Http1 {
                // What the client speaks counts, which hyper knows.
                parts.version = Version::HTTP_11;
            }
            let bodiless = is_head || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
            if bodiless {
                incoming.settle(DeliveryState::Accepted);
                return Ok(Response::from_parts(parts, Either::Left(Full::default())));
            }
            let reader = self.bridge.encapsulation.reader(&parts.headers);
            let keep = Reply { record: Rc::clone(record), _address: reply, _sent: sent };
            let body = MessageBody::new(Rc::new(incoming), reader, keep);
            body.keep_fields_true(&mut parts.headers);
            return Ok(Response::from_parts(parts, Either::Right(body)));
        }
    }

    /// `eventChannel`: nobody answers, whoever takes it.
    async fn event(self: &Rc<Self>, request: HttpRequest<ClientBody>, record: &Rc<Request>) -> Result<Answered, Fault> {
        if request.method() != Method::POST {
            return Ok(refusal(StatusCode::METHOD_NOT_ALLOWED, "An event channel takes nothing but POST.\n"));
        }
        match self.send(request, record, None).await {
            Ok(mut sent) => {
                sent.verdict().await?;
            }
            Err(refused) if refused.status() == StatusCode::SERVICE_UNAVAILABLE => {}
            Err(refused) => return Ok(refused),
        }
        Ok(plain(StatusCode::NO_CONTENT, ""))
    }

    /// `aggregation`: all servers answer; they have when they all took the request.
    async fn aggregate(
        self: &Rc<Self>,
        request: HttpRequest<ClientBody>,
        record: &Rc<Request>,
        aggregation: Aggregation,
    ) -> Result<Answered, Fault> {
        let reply = ReplyAddress::new(&self.post);
        let mut sent = match self.send(request, record, Some(&reply.address)).await {
            Ok(sent) => sent,
            Err(refused) if refused.status() == StatusCode::SERVICE_UNAVAILABLE => {
                return Ok(plain(StatusCode::NO_CONTENT, ""));
            }
            Err(refused) => return Ok(refused),
        };
        let mut answers = Vec::new();
        let mut left = AGGREGATE_LIMIT;
        loop {
            let incoming = tokio::select! {
                biased;
                incoming = reply.inbox.next() => incoming,
                verdict = sent.verdict() => {
                    verdict?;
                    break;
                }
            };
            match self.whole_answer(incoming, &mut left).await {
                Ok(Some(answer)) => answers.push(answer),
                Ok(None) => {}
                Err(lost) => tracing::debug!(listener = %self.bridge.name, %lost, "an answer is left out"),
            }
        }
        let boundary: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
        Ok(aggregation.join(&answers, &boundary).map(|body| Either::Left(Full::new(body))))
    }

    async fn head(&self, incoming: &Incoming) -> Result<(Head, Response<()>), Lost> {
        let head = incoming.head().await?;
        let response = self.bridge.encapsulation.read_response(&head)?;
        Ok((head, response))
    }

    async fn whole_answer(&self, incoming: Incoming, left: &mut usize) -> Result<Option<Answer>, Lost> {
        let (head, response) = self.head(&incoming).await?;
        let reader = self.bridge.encapsulation.reader(response.headers());
        let incoming = Rc::new(incoming);
        let body = MessageBody::new(Rc::clone(&incoming), reader, ());
        let body = match Limited::new(body, *left).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                return Err(error
                    .downcast::<Lost>()
                    .map_or(super::Malformed("the answers are too long").into(), |l| *l));
            }
        };
        *left -= body.len();
        incoming.settle(DeliveryState::Accepted);
        let answer = Answer { fields: head.fields, body: body.to_vec() };
        Ok((!response.status().is_informational()).then_some(answer))
    }

    /// Sends the request, or begins to. `Err`: the answer when that is not possible.
    async fn send(
        self: &Rc<Self>,
        request: HttpRequest<ClientBody>,
        record: &Rc<Request>,
        reply_to: Option<&str>,
    ) -> Result<Sent, Answered> {
        let bridge = &self.bridge;
        let (parts, body) = request.into_parts();
        let envelope =
            Envelope { to: &bridge.address, reply_to, id: 1, flow_id: &record.flow_id, site_id: &bridge.site_id };
        let mut sections = bridge.encapsulation.request(&parts, &envelope);
        let mut writer = bridge.encapsulation.writer(&parts.headers);
        let nobody = || {
            record.ended(Err(FaultKind::Unreachable.because("nobody serves the address")));
            refusal(StatusCode::SERVICE_UNAVAILABLE, "")
        };
        if body.is_end_stream() {
            writer.absent(&mut sections);
            let outgoing = self.post.send(&bridge.address, &sections, Some(End::Last)).ok_or_else(nobody)?;
            return Ok(Sent::whole(outgoing));
        }
        if is_multicast(&bridge.address) {
            let body = Limited::new(body, MULTICAST_LIMIT).collect().await;
            let body = body.map_err(|_| refusal(StatusCode::PAYLOAD_TOO_LARGE, "Too long for several servers.\n"))?;
            let trailers = body.trailers().cloned();
            let body = body.to_bytes();
            record.count_in(body.len());
            writer.data(&body, &mut sections);
            writer.end(trailers.as_ref(), &mut sections);
            let outgoing = self.post.send(&bridge.address, &sections, Some(End::Last)).ok_or_else(nobody)?;
            return Ok(Sent::whole(outgoing));
        }
        let mut outgoing = self.post.send(&bridge.address, &sections, None).ok_or_else(nobody)?;
        let news = Rc::clone(&outgoing.news);
        let may_continue = Rc::new(Signal::default());
        let expects =
            parts.headers.get(header::EXPECT).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let (go, record) = (Rc::clone(&may_continue), Rc::clone(record));
        let (tell, cut) = oneshot::channel();
        let carrying: JoinHandle<()> = self.driver.spawn(async move {
            if expects {
                // hyper sends `100 Continue` when the body is first asked for. Late is as good as told.
                let _ = timeout(CONTINUE_LIMIT, go.wait()).await;
            }
            match outgoing.carry(writer, body, |octets| record.count_in(octets)).await {
                // Its answer, or its verdict, tells.
                Ok(()) | Err(Broken::Refused) => {}
                Err(Broken::Body(cause)) => drop(tell.send(cause)),
            }
        });
        Ok(Sent { news, may_continue, _whole: None, carrying: Some(carrying.abort_handle()), cut: Some(cut) })
    }

    /// The answer to a client whose request nobody answers; none: an answer comes.
    fn refused(&self, state: Option<&DeliveryState>, record: &Request) -> Option<Answered> {
        let fault = match state? {
            DeliveryState::Accepted | DeliveryState::Received { .. } => return None,
            DeliveryState::Rejected(_) => FaultKind::Malformed.because("the other end cannot read the request"),
            DeliveryState::Released => FaultKind::Unreachable.because("nobody takes the request"),
            _ => FaultKind::Server.because("the server failed"),
        };
        let status = match (fault.kind, self.bridge.encapsulation) {
            (FaultKind::Malformed, Encapsulation::Http2) => StatusCode::BAD_REQUEST,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        record.ended(Err(fault));
        Some(refusal(status, ""))
    }
}

/// A request on its way; its body goes no further when this is dropped.
struct Sent {
    news: Rc<News>,
    may_continue: Rc<Signal>,
    _whole: Option<Outgoing>,
    /// The task of its body.
    carrying: Option<AbortHandle>,
    /// Tells what cut its body off.
    cut: Option<oneshot::Receiver<String>>,
}

impl Sent {
    fn whole(outgoing: Outgoing) -> Sent {
        Sent {
            news: Rc::clone(&outgoing.news),
            may_continue: Rc::default(),
            _whole: Some(outgoing),
            carrying: None,
            cut: None,
        }
    }
}

impl Sent {
    /// Waits until the request is settled. `Err`: the client did not finish it.
    async fn verdict(&mut self) -> Result<Option<DeliveryState>, Fault> {
        while let Some(cut) = &mut self.cut {
            tokio::select! {
                biased;
                state = self.news.verdict() => return Ok(state),
                cause = cut => match cause {
                    Ok(cause) => return Err(FaultKind::Client.because(cause)),
                    // The body is carried.
                    Err(_) => self.cut = None,
                },
            }
        }
        Ok(self.news.verdict().await)
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(carrying) = &self.carrying {
            carrying.abort();
        }
    }
}

/// What lives as long as an answer.
struct Reply {
    record: Rc<Request>,
    _address: ReplyAddress,
    _sent: Sent,
}

impl Keep for Reply {
    fn count(&self, octets: usize) {
        self.record.count_out(octets);
    }

    fn over(self, incoming: &Incoming) {
        incoming.settle(DeliveryState::Accepted);
        self.record.ended(Ok(()));
    }

    fn lost(self, lost: Lost) {
        self.record.ended(Err(lost.into()));
    }
}

fn plain(status: StatusCode, text: &'static str) -> Answered {
    let mut response = Response::new(Either::Left(Full::from(text)));
    *response.status_mut() = status;
    response
}

/// An answer of ours.
fn refusal(status: StatusCode, text: &'static str) -> Answered {
    let mut response = plain(status, text);
    if !text.is_empty() {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    }
    response
}

impl Drop for HttpListening {
    fn drop(&mut self) {
        self.post.close();
    }
}
