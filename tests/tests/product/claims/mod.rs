//! Claim tokens: redeemed at a site as Skupper's, refused with cause and next step, and never half.

mod answers;
mod inspected;
mod redeemed;
mod way;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use moorline_tests::authority::{Authority, Credentials};
use moorline_tests::claims::{Answer, ClaimServer, Claims, Record, Request, claim_token};
use moorline_tests::command::{finish, moorline, stderr, stdout};
use moorline_tests::ports::free_port;
use moorline_tests::scratch::Scratch;
use moorline_tests::tree::{Tree, tree};
use time::{Duration, OffsetDateTime};

const PASSWORD: &str = "p9X2kQ7vFds3JhZ1MnbRtYwA";
const CLAIM: &str = "efe3a241-3e4f-11ed-95d0-482ae336eb38";
const SITE_ID: &str = "7ed6c4e8-35c5-4a3d-9b2e-3c3d1c5ce0a1";

/// A site that takes claims, and a host that has one in `token.yaml`.
struct Site {
    home: Scratch,
    authority: Arc<Authority>,
    claims: Arc<Claims>,
    server: ClaimServer,
}

impl Site {
    /// With the claim [`CLAIM`], for one use in the next minutes.
    fn new() -> Self {
        let authority = Arc::new(Authority::new("skupper-site-ca"));
        let issuer = Arc::clone(&authority);
        let port = free_port();
        Self::of(authority, move |subject| issuer.client(subject).token("localhost", port))
    }

    /// The same, that gives out tokens made by `issue`.
    fn of(authority: Arc<Authority>, issue: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let claims = Claims::new(issue);
        claims.add(CLAIM, record());
        let asked = Arc::clone(&claims);
        let server = ClaimServer::start(&authority.server(&["localhost"]), move |request| asked.answer(request));
        Self::with(authority, claims, server)
    }

    /// One that answers as a test says.
    fn answering(answer: impl Fn(&Request, &Claims) -> Answer + Send + Sync + 'static) -> Self {
        let authority = Arc::new(Authority::new("skupper-site-ca"));
        let issuer = Arc::clone(&authority);
        let claims = Claims::new(move |subject| issuer.client(subject).token("localhost", 45671));
        claims.add(CLAIM, record());
        let asked = Arc::clone(&claims);
        let server = ClaimServer::start(&authority.server(&["localhost"]), move |request| answer(request, &asked));
        Self::with(authority, claims, server)
    }

    fn with(authority: Arc<Authority>, claims: Arc<Claims>, server: ClaimServer) -> Self {
        let site = Self { home: Scratch::new(), authority, claims, server };
        site.home.write("token.yaml", &site.token(Some(soon())));
        site
    }

    /// The claim's file, by which it expires at `expires`.
    fn token(&self, expires: Option<OffsetDateTime>) -> String {
        claim_token(&self.server.url(CLAIM), Some(&self.ca()), PASSWORD, expires)
    }

    fn ca(&self) -> String {
        self.authority.client("x").ca
    }

    fn file(&self) -> PathBuf {
        self.home.join("token.yaml")
    }

    /// `moorline token redeem token.yaml` and `more`.
    fn redeem(&self, more: &[&str]) -> Output {
        redeem(&self.home, more)
    }

    /// The same; it fails, says all of `words`, and changes nothing.
    fn refused(&self, more: &[&str], code: i32, words: &[&str]) {
        refused(&self.home, more, code, words);
    }
}

fn redeem(home: &Scratch, more: &[&str]) -> Output {
    let mut command = moorline(home, ["token", "redeem", "token.yaml"]);
    finish(command.args(more).env("SKUPPER_SITE_ID", SITE_ID))
}

#[track_caller]
fn refused(home: &Scratch, more: &[&str], code: i32, words: &[&str]) {
    let before = files(home);
    let output = redeem(home, more);
    let said = stderr(&output);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(code), ""), "{said}");
    for word in words {
        assert!(said.contains(word), "it does not say {word:?}: {said}");
    }
    assert_eq!(said.lines().filter(|line| line.starts_with("error")).count(), 1, "{said}");
    assert!(!tells(&said), "{said}");
    assert!(files(home) == before, "something was changed: {said}");
}

/// All that is there; that something was there meanwhile does not count.
fn files(home: &Scratch) -> Tree {
    let mut files = tree(home.path());
    files.remove(home.path());
    files
}

/// Whether a text has the password, in any form.
fn tells(text: &str) -> bool {
    use base64::Engine;
    let hex: String = PASSWORD.bytes().map(|byte| format!("{byte:02x}")).collect();
    let forms = [PASSWORD.to_owned(), base64::prelude::BASE64_STANDARD.encode(PASSWORD), hex];
    forms.iter().any(|form| text.to_lowercase().contains(&form.to_lowercase()))
}

fn record() -> Record {
    Record { password: PASSWORD.to_owned(), expires: Some(soon()), remaining: Some(1) }
}

fn soon() -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::minutes(15)
}

fn link_token(path: &Path) -> Credentials {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("skupper.io/type: connection-token"), "it is no link token");
    assert!(!tells(&text), "the password is still in it");
    Credentials::from_token(path)
}
