//! What is asked, and what is answered.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::io::handle::Command;
use crate::io::status::{ListenerState, RouterStatus, UplinkState};
use crate::metrics;

/// A router that does not answer within this time is not well.
const ROUTER_LIMIT: Duration = Duration::from_secs(2);
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// What is answered at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io) struct Serves {
    /// `/healthz` and `/readyz`.
    pub(in crate::io) health: bool,
    /// `/metrics`.
    pub(in crate::io) metrics: bool,
    /// `/status`: the whole state, as JSON.
    pub(in crate::io) status: bool,
}

#[derive(Debug)]
pub(super) struct Answers {
    pub(super) router: mpsc::WeakSender<Command>,
    pub(super) serves: Serves,
}

type Answer = Response<Full<Bytes>>;

impl Answers {
    pub(super) async fn answer<B>(&self, request: &Request<B>) -> Answer {
        let serves = self.serves;
        let page: fn(RouterStatus) -> Answer = match request.uri().path() {
            "/healthz" if serves.health => |_| text(StatusCode::OK, "ok\n".to_owned()),
            "/readyz" if serves.health => |status| readiness(&status),
            "/metrics" if serves.metrics => {
                |status| answer(StatusCode::OK, metrics::CONTENT_TYPE, metrics::openmetrics(status))
            }
            "/status" if serves.status => |status| match serde_json::to_string_pretty(&status) {
                Ok(json) => answer(StatusCode::OK, JSON, json + "\n"),
                Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            },
            _ => return text(StatusCode::NOT_FOUND, self.index()),
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n".to_owned());
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match self.status().await {
            Some(status) => page(status),
            None => text(StatusCode::SERVICE_UNAVAILABLE, "the router does not answer\n".to_owned()),
        }
    }

    async fn status(&self) -> Option<RouterStatus> {
        let (ask, answer) = oneshot::channel();
        let asked = async {
            self.router.upgrade()?.send(Command::Status(ask)).await.ok()?;
            answer.await.ok()
        };
        timeout(ROUTER_LIMIT, asked).await.ok()?
    }

    fn index(&self) -> String {
        let Serves { health, metrics, status } = self.serves;
        let all = [("/healthz", health), ("/readyz", health), ("/metrics", metrics), ("/status", status)];
        let served: Vec<&str> = all.iter().filter(|(_, served)| *served).map(|(path, _)| *path).collect();
        format!("there are {}\n", served.join(", "))
    }
}

/// Ready: new connections are served, here and from the network.
fn readiness(status: &RouterStatus) -> Answer {
    let mut why = Vec::new();
    if status.draining {
        why.push("it is being stopped".to_owned());
    }
    if !status.uplinks.is_empty() && status.uplinks.iter().all(|uplink| uplink.state != UplinkState::Up) {
        why.extend(status.uplinks.iter().map(|uplink| {
            let cause = uplink.last_error.as_deref().unwrap_or("the first attempt goes on");
            format!("{}: not linked to {}:{}: {cause}", uplink.name, uplink.host, uplink.port)
        }));
    }
    let failed = status.listeners.iter().filter(|listener| listener.state == ListenerState::Failed);
    why.extend(failed.map(|listener| {
        let cause = listener.error.as_deref().unwrap_or_default();
        format!("{}: port {} cannot be opened: {cause}", listener.name, listener.port)
    }));
    let failed = status.http_listeners.iter().filter(|listener| listener.state == Some(ListenerState::Failed));
    why.extend(failed.map(|listener| {
        let cause = listener.last_error.as_deref().unwrap_or_default();
        format!("{}: port {} cannot be opened: {cause}", listener.name, listener.port)
    }));
    if why.is_empty() {
        return text(StatusCode::OK, "ready\n".to_owned());
    }
    text(StatusCode::SERVICE_UNAVAILABLE, why.join("\n") + "\n")
}

fn text(status: StatusCode, body: String) -> Answer {
    answer(status, TEXT, body)
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
