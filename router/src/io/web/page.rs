//! What is asked for, and how it is answered: a page at each path, and words for what is no page.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;

const TEXT: &str = "text/plain; charset=utf-8";

/// What is served over HTTP: to whoever connects, and for reading alone.
pub trait Pages {
    /// The paths that there are.
    fn paths(&self) -> Vec<&'static str>;

    /// What is now at one of them.
    fn page(&self, path: &str) -> impl Future<Output = Page>;
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    good: bool,
    kind: &'static str,
    body: String,
}

impl Page {
    /// `body`, of the media type `kind`.
    #[must_use]
    pub fn new(kind: &'static str, body: String) -> Page {
        Page { good: true, kind, body }
    }

    /// A line or more for people.
    #[must_use]
    pub fn text(body: impl Into<String>) -> Page {
        Page::new(TEXT, body.into())
    }

    /// The same, where it cannot be served now (503).
    #[must_use]
    pub fn unavailable(body: impl Into<String>) -> Page {
        Page { good: false, ..Page::text(body) }
    }
}

pub(super) async fn respond<B>(request: &Request<B>, pages: &impl Pages) -> Response<Full<Bytes>> {
    let (paths, asked) = (pages.paths(), request.uri().path());
    if !paths.contains(&asked) {
        return answer(StatusCode::NOT_FOUND, Page::text(format!("there are {}\n", paths.join(", "))));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = answer(StatusCode::METHOD_NOT_ALLOWED, Page::text("GET or HEAD\n"));
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let page = pages.page(asked).await;
    answer(if page.good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, page)
}

fn answer(status: StatusCode, page: Page) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(page.body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(page.kind));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
