//! A claim's password for a link token: one request to the site that made the claim.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::rt::{Read, Write};
use hyper::{Request, Response, StatusCode};
use moorline_bundle::ClaimToken;
use moorline_definition::router_config::ProxyProfile;
use moorline_router::io::tls::TlsIdentity;
use moorline_router::io::{TrialFailure, TrialStage, dial};
use tokio::time::{Instant, sleep, timeout_at};
use zeroize::Zeroizing;

use crate::host;

/// The most bytes that an answer may have. A real one has about 6 KiB.
pub(super) const LARGEST_ANSWER: usize = 64 * 1024;
/// The most bytes of its head: the least that the library takes is 8 KiB.
const LARGEST_HEAD: usize = 16 * 1024;
/// The most characters of a refusal that are shown.
const LONGEST_REASON: usize = 200;

/// Between the attempts, if the site was not reached or said that it is busy.
const WAITS: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// Who asks which site for what.
pub(super) struct Exchange<'a> {
    pub(super) claim: &'a ClaimToken,
    /// Who will link: the site certifies this name.
    pub(super) site_id: &'a str,
    /// Whom the site's certificate answers to.
    pub(super) trust: &'a TlsIdentity,
    pub(super) proxy: Option<&'a ProxyProfile>,
    /// For all of it.
    pub(super) limit: Duration,
}

/// Why there is no answer, or none that is a token.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nothing was asked: the site was not reached, or is not who it should be.
    NotReached(TrialFailure),
    /// Nothing was asked, for a reason of our own.
    Unasked(String),
    /// The site has the password, and what it made of it is not known.
    Lost(String),
    /// The site says no.
    Said(StatusCode, String),
}

impl Refusal {
    /// Whether the next attempt may end otherwise, and takes nothing from a claim that can be redeemed once.
    fn may_pass(&self) -> bool {
        match self {
            Self::NotReached(failure) => failure.stage == TrialStage::Reach,
            // The site could not write down that the claim is used, so it is not.
            Self::Said(status, _) => *status == StatusCode::SERVICE_UNAVAILABLE,
            Self::Unasked(_) | Self::Lost(_) => false,
        }
    }
}

impl Exchange<'_> {
    /// The site's answer, which is not checked. Tries again for as long as that can do no harm.
    pub(super) async fn run(&self) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let deadline = Instant::now() + self.limit;
        for wait in WAITS {
            match self.attempt(deadline).await {
                Err(refusal) if refusal.may_pass() && Instant::now() + wait < deadline => sleep(wait).await,
                ended => return ended,
            }
        }
        self.attempt(deadline).await
    }

    async fn attempt(&self, deadline: Instant) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let late = || format!("it did not answer within {} s", self.limit.as_secs());
        let site = self.claim.url.endpoint();
        let request = self.request().map_err(|error| Refusal::Unasked(error.to_string()))?;
        let dialled = timeout_at(deadline, dial(site.host(), site.port(), self.proxy, self.trust)).await;
        let (stream, _) = dialled.map_err(|_| Refusal::Unasked(late()))?.map_err(Refusal::NotReached)?;
        timeout_at(deadline, self.ask(stream, request)).await.unwrap_or_else(|_| Err(Refusal::Lost(late())))
    }

    /// As sites of Skupper 1.5 to 1.9 want it: the header says name, and its value is the id.
    ///
    /// They refuse who is older than 0.8.0, or says no version. Ours is no version of Skupper's, so they are told which
    /// one we are compatible with.
    fn request(&self) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let url = &self.claim.url;
        Request::post(format!("{}?site-version={}", url.path(), host::SKUPPER_VERSION))
            .header(HOST, url.endpoint().to_string())
            .header("skupper-site-name", self.site_id)
            .body(Full::new(Bytes::from_owner(self.claim.password.clone())))
    }

    async fn ask(
        &self,
        stream: impl Read + Write + Unpin,
        request: Request<Full<Bytes>>,
    ) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let (mut sender, connection) =
            http1::Builder::new().max_buf_size(LARGEST_HEAD).handshake(stream).await.map_err(lost)?;
        let talk = async move {
            let response = sender.send_request(request).await.map_err(lost)?;
            self.judge(response).await
        };
        let (mut connection, mut talk) = (pin!(connection), pin!(talk));
        let mut open = true;
        loop {
            tokio::select! {
                biased;
                ended = &mut talk => return ended,
                // What ended it, the talk is told.
                _ = &mut connection, if open => open = false,
            }
        }
    }

    async fn judge(&self, response: Response<Incoming>) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let (head, mut body) = response.into_parts();
        let mut answer = Zeroizing::new(Vec::with_capacity(LARGEST_ANSWER));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(lost);
            match (frame, head.status) {
                (Ok(frame), status) => {
                    let data = frame.into_data().unwrap_or_default();
                    let room = LARGEST_ANSWER - answer.len();
                    if data.len() <= room {
                        answer.extend_from_slice(&data);
                    } else if status == StatusCode::OK {
                        return Err(Refusal::Lost(format!("its answer is longer than {LARGEST_ANSWER} bytes")));
                    } else {
                        break;
                    }
                }
                (Err(refusal), StatusCode::OK) => return Err(refusal),
                // What it says beside a refusal need not be whole.
                (Err(_), _) => break,
            }
        }
        match head.status {
            StatusCode::OK => Ok(answer),
            refused => Err(Refusal::Said(refused, self.reason(&answer))),
        }
    }

    /// What a site says of its refusal, in a line that can be shown.
    fn reason(&self, answer: &[u8]) -> String {
        let text = String::from_utf8_lossy(answer);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        if line.starts_with('<') {
            return "a web page".to_owned();
        }
        // Whoever it is that answers may say it back.
        let password = String::from_utf8_lossy(&self.claim.password);
        let line = line.replace(&*password, "[hidden]");
        line.chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect()
    }
}

fn lost(error: hyper::Error) -> Refusal {
    if error.is_parse() {
        return Refusal::Lost("it does not answer in HTTP".to_owned());
    }
    let mut words = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        words = cause.to_string();
        source = cause.source();
    }
    Refusal::Lost(words)
}
