//! `httpConnector`: requests that arrive as messages go to a server near us, its answers back.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request as HttpRequest, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming as ServerBody};
use moorline_amqp::{DeliveryState, End};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::counts::{Fault, FaultKind};
use super::encapsulation::Encapsulation;
use super::fields::pseudo;
use super::http1::message::number;
use super::incoming::{FAILED, Incoming, Keep, Lost, MessageBody};
use super::outgoing::{Broken, words};
use super::pool::{Line, Pool};
use super::post::{Inbox, Post};
use super::record::{Bridge, Request};
use super::sections::Head;
use super::{Envelope, FLOW_ID, HttpPlan};
use crate::io::driver::Driver;
use crate::io::signal::Signal;
use crate::io::target::Target;

/// Waits between attempts to reach a server grow by the first up to the second.
const RETRY_STEP: Duration = Duration::from_millis(500);
const RETRY_MOST: Duration = Duration::from_secs(3);
/// How often idle connections are looked at.
const TIDY: Duration = Duration::from_secs(2);
/// Informational answers that may wait to be passed on.
const INFORMATIONAL: usize = 4;

/// A running `httpConnector`.
pub(in crate::io) struct HttpConnecting {
    pub(in crate::io) bridge: Rc<Bridge>,
    driver: Rc<Driver>,
    post: Rc<Post>,
    pool: Pool,
    host_override: Option<HeaderValue>,
    /// The verdict on a request waits for the client's on its answer.
    aggregated: bool,
    event_channel: bool,
    /// A connection to the server failed.
    failed: Signal,
    removed: Cell<bool>,
}

/// The body of a request, on its way to the server.
pub(super) type RequestBody = MessageBody<Rc<Carried>>;

/// What is known of a request's body.
pub(super) struct Carried {
    record: Rc<Request>,
    over: Cell<bool>,
    lost: Cell<Option<Lost>>,
}

impl Keep for Rc<Carried> {
    fn count(&self, octets: usize) {
        self.record.count_out(octets);
    }

    fn over(self, _: &Incoming) {
        self.over.set(true);
    }

    fn lost(self, lost: Lost) {
        self.lost.set(Some(lost));
    }
}

/// Where the answers to a request go.
struct Return {
    to: String,
    id: u64,
    path: String,
}

/// Why a request has no answer, or only the beginning of one, and what its sender hears.
struct Failure(Fault, DeliveryState);

impl HttpConnecting {
    pub(in crate::io) fn new(driver: &Rc<Driver>, plan: &HttpPlan, target: Target) -> HttpConnecting {
        let bridge = Rc::new(Bridge::new(driver, plan, false));
        HttpConnecting {
            post: Post::open(driver, |_| {}),
            pool: Pool::new(driver, &bridge, target),
            bridge,
            driver: Rc::clone(driver),
            host_override: plan.host_override.clone(),
            aggregated: plan.aggregation.is_some(),
            event_channel: plan.event_channel,
            failed: Signal::default(),
            removed: Cell::new(false),
        }
    }

    /// No new requests come, those that run go on.
    pub(in crate::io) fn close(&self) {
        self.removed.set(true);
        self.driver.core(|router, _| router.unsubscribe(self.post.endpoint, &self.bridge.address));
        self.failed.set();
    }

    /// The task of the connector: its address is offered while the server can be reached, as skupper-router does, so
    /// that clients are sent to another server, or find the port closed.
    pub(in crate::io) async fn run(self: Rc<Self>) {
        let inbox = self.post.inbox(&self.bridge.address);
        while self.reached().await {
            let (name, address) = (&self.bridge.name, &self.bridge.address);
            tracing::info!(connector = %name, %address, "the server is offered to the network");
            self.driver.core(|router, _| router.subscribe(self.post.endpoint, address));
            self.serve(&inbox).await;
            self.driver.core(|router, _| router.unsubscribe(self.post.endpoint, address));
        }
        self.pool.close();
    }

    /// Waits until the server can be reached; false: the connector is removed.
    async fn reached(&self) -> bool {
        let mut pause = Duration::ZERO;
        while !self.removed.get() {
            match self.pool.connect().await {
                Ok(line) => {
                    self.pool.give_back(line).await;
                    self.failed.clear();
                    return !self.removed.get();
                }
                Err(cause) => {
                    if pause.is_zero() {
                        let (name, address) = (&self.bridge.name, &self.bridge.address);
                        tracing::warn!(connector = %name, %address, %cause, "the server cannot be reached, not offered until it can");
                    }
                }
            }
            pause = (pause + RETRY_STEP).min(RETRY_MOST);
            tokio::select! {
                () = sleep(pause) => {}
                () = self.failed.wait() => {}
            }
        }
        false
    }

    async fn serve(self: &Rc<Self>, inbox: &Inbox) {
        loop {
            tokio::select! {
                biased;
                incoming = inbox.next() => {
                    self.driver.spawn(Rc::clone(self).carry(incoming));
                }
                () = self.failed.wait() => return,
                () = sleep(TIDY) => self.pool.tidy(),
            }
        }
    }

    /// One request and its answer. The answer of [`HttpConnecting::exchange`] is the connection, if it can be used again.
    async fn carry(self: Rc<Self>, incoming: Incoming) {
        let incoming = Rc::new(incoming);
        let parsed = match incoming.head().await {
            Ok(head) => self.request(&head).map(|(request, back)| (head, request, back)).map_err(|m| m.to_string()),
            Err(lost) => Err(lost.to_string()),
        };
        let (head, request, back) = match parsed {
            Ok(parsed) => parsed,
            Err(cause) => {
                tracing::debug!(connector = %self.bridge.name, %cause, "a message is rejected");
                incoming.settle(DeliveryState::Rejected(None));
                return;
            }
        };
        let line = match self.pool.line().await {
            Ok(line) => line,
            Err(cause) => {
                let record = Request::new(&self.driver, &self.bridge, None, request.method());
                record.site(head.properties.group_id);
                record.ended(Err(FaultKind::Unreachable.because(cause)));
                self.failed.set();
                incoming.settle(DeliveryState::Released);
                return;
            }
        };
        let record = Request::new(&self.driver, &self.bridge, Some(Rc::clone(&line.connection)), request.method());
        if let Some(identity) = pseudo(&head.fields, FLOW_ID) {
            record.counterflow(identity);
        }
        record.came_by(incoming.trace());
        record.site(head.properties.group_id);
        match self.exchange(&incoming, request, line, &back, &record).await {
            Ok(line) => {
                record.ended(Ok(()));
                incoming.settle(DeliveryState::Accepted);
                drop(record);
                if let Some(line) = line {
                    self.pool.give_back(line).await;
                }
            }
            Err(Failure(fault, state)) => {
                record.ended(Err(fault));
                incoming.settle(state);
            }
        }
    }

    fn request(&self, head: &Head) -> Result<(HttpRequest<()>, Return), super::Malformed> {
        let server = format!("{}:{}", self.bridge.host, self.bridge.port);
        let mut request = self.bridge.encapsulation.read_request(head, &server)?;
        if request.method() == Method::CONNECT {
            return Err(super::Malformed("CONNECT is not carried"));
        }
        let to = match (&head.properties.reply_to, self.event_channel) {
            (Some(to), _) => to.clone(),
            (None, true) => String::new(),
            (None, false) => return Err(super::Malformed("no reply address")),
        };
        let id = match self.bridge.encapsulation {
            Encapsulation::Http1 => {
                number(head.properties.message_id.as_ref()).ok_or(super::Malformed("no message id"))?
            }
            Encapsulation::Http2 => 0,
        };
        if let (Some(host), Encapsulation::Http1) = (&self.host_override, self.bridge.encapsulation) {
            request.headers_mut().insert(header::HOST, host.clone());
        }
        let path = request.uri().to_string();
        Ok((request, Return { to, id, path }))
    }

    async fn exchange(
        &self,
        incoming: &Rc<Incoming>,
        mut request: HttpRequest<()>,
        line: Line,
        back: &Return,
        record: &Rc<Request>,
    ) -> Result<Option<Line>, Failure> {
        let carried = Rc::new(Carried { record: Rc::clone(record), over: Cell::new(false), lost: Cell::new(None) });
        let reader = self.bridge.encapsulation.reader(request.headers());
        let body = MessageBody::new(Rc::clone(incoming), reader, Rc::clone(&carried));
        body.keep_fields_true(request.headers_mut());
        let (line, response) =
            self.ask(request, body, line, back, record).await.map_err(|cause| match carried.lost.get() {
                Some(lost @ Lost::Malformed(_)) => Failure(lost.into(), DeliveryState::Rejected(None)),
                Some(lost) => Failure(lost.into(), FAILED),
                None => cause,
            })?;
        record.answered(&response);
        let (parts, mut body) = response.into_parts();
        if self.event_channel {
            // Nobody wants the answer, but the connection must be free of it.
            while let Some(Ok(frame)) = body.frame().await {
                record.count_in(frame.data_ref().map_or(0, Bytes::len));
            }
        } else {
            let mut sections = self.bridge.encapsulation.response(&parts, &back.path, &self.envelope(back, record));
            let mut writer = self.bridge.encapsulation.writer(&parts.headers);
            let refused = || Failure(FaultKind::Client.because("the client is gone"), FAILED);
            let outgoing = if body.is_end_stream() {
                writer.absent(&mut sections);
                self.post.send(&back.to, &sections, Some(End::Last)).ok_or_else(refused)?
            } else {
                let mut outgoing = self.post.send(&back.to, &sections, None).ok_or_else(refused)?;
                match outgoing.carry(writer, body, |octets| record.count_in(octets)).await {
                    Ok(()) => outgoing,
                    Err(Broken::Refused) => return Err(refused()),
                    Err(Broken::Body(cause)) => return Err(Failure(FaultKind::Server.because(cause), FAILED)),
                }
            };
            if self.aggregated {
                outgoing.news.verdict().await;
            }
        }
        // A server that answers before it has the whole request may not want the rest.
        Ok(carried.over.get().then_some(line))
    }

    /// The server's answer, without those that only say that one is coming.
    async fn ask(
        &self,
        request: HttpRequest<()>,
        body: RequestBody,
        mut line: Line,
        back: &Return,
        record: &Rc<Request>,
    ) -> Result<(Line, Response<ServerBody>), Failure> {
        // A server may close an idle connection while a request is under way to it.
        let again = (line.used && body.is_end_stream() && request.method().is_idempotent()).then(|| request.clone());
        let mut request = request.map(|()| body);
        loop {
            let (tell, mut informational) = mpsc::channel::<StatusCode>(INFORMATIONAL);
            if self.bridge.encapsulation == Encapsulation::Http1 {
                hyper::ext::on_informational(&mut request, move |response| {
                    // More than a few are noise.
                    let _ = tell.try_send(response.status());
                });
            }
            let answer = {
                let mut answer = std::pin::pin!(line.send(request));
                loop {
                    tokio::select! {
                        biased;
                        Some(status) = informational.recv() => self.inform(status, back, record),
                        answer = answer.as_mut() => break answer,
                    }
                }
            };
            let mut error = match answer {
                Ok(response) => return Ok((line, response)),
                Err(error) => error,
            };
            let cause = words(error.error());
            let unsent = error.take_message();
            request = match (unsent, &again) {
                (Some(unsent), _) if line.used => unsent,
                (None, Some(head)) if line.used => head.clone().map(|()| RequestBody::none()),
                (unsent, _) => {
                    let state = if unsent.is_some() { DeliveryState::Released } else { FAILED };
                    return Err(Failure(FaultKind::Server.because(cause), state));
                }
            };
            line = self.pool.connect().await.map_err(|cause| {
                self.failed.set();
                Failure(FaultKind::Unreachable.because(cause), DeliveryState::Released)
            })?;
        }
    }

    fn inform(&self, status: StatusCode, back: &Return, record: &Rc<Request>) {
        if status == StatusCode::CONTINUE && !self.event_channel {
            let mut response = Response::new(());
            *response.status_mut() = status;
            *response.version_mut() = Version::HTTP_11;
            let (parts, ()) = response.into_parts();
            let sections = self.bridge.encapsulation.response(&parts, &back.path, &self.envelope(back, record));
            // Whoever is gone needs no word.
            let _ = self.post.send(&back.to, &sections, Some(End::Last));
        }
    }

    fn envelope<'a>(&'a self, back: &'a Return, record: &'a Request) -> Envelope<'a> {
        Envelope { to: &back.to, reply_to: None, id: back.id, flow_id: &record.flow_id, site_id: &self.bridge.site_id }
    }
}

impl Drop for HttpConnecting {
    fn drop(&mut self) {
        self.post.close();
    }
}
