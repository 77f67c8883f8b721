//! Link tokens, good and bad.

use std::num::NonZeroU16;
use std::time::{Duration, SystemTime};

use moorline_bundle::{Authority, Endpoint, LinkToken, Validity};

/// A token of an authority of its own, for a port where nobody listens.
pub(crate) fn good() -> String {
    issued(Validity::starting(SystemTime::now()))
}

/// A token whose certificates are out of date.
pub(crate) fn expired() -> String {
    let now = SystemTime::now();
    let day = Duration::from_secs(24 * 60 * 60);
    issued(Validity::between(now - 2 * day, now - day))
}

/// A token with one part of `data` from another one.
pub(crate) fn with_foreign(part: &str) -> String {
    let other = good();
    let key = format!("  {part}: ");
    let foreign = other.lines().find(|line| line.starts_with(&key)).unwrap();
    let lines: Vec<String> =
        good().lines().map(|line| if line.starts_with(&key) { foreign } else { line }.to_owned()).collect();
    lines.join("\n")
}

fn issued(validity: Validity) -> String {
    let authority = Authority::generate("test", validity).unwrap();
    let token = LinkToken {
        name: "test".to_owned(),
        edge: Endpoint::new("127.0.0.1", NonZeroU16::MIN).unwrap(),
        inter_router: None,
        generated_by: None,
        site_version: None,
        cost: None,
        credentials: authority.issue_client("test", validity).unwrap(),
    };
    token.to_yaml().to_string()
}
