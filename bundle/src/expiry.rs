//! The dates of certificates, and how they are written for people.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls_pki_types::{CertificateDer, UnixTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How far before `now` the certificates that we issue begin.
///
/// A certificate is used at once, often on another host (a link token is copied there and launched
/// within seconds). If that host's clock is a little behind ours, a certificate that began "now"
/// would be refused there as not yet valid.
pub const BACKDATED: Duration = Duration::from_secs(5 * 60);

/// How long the certificates that we issue are good for: 5 x 365 days, as Skupper's are.
pub const LIFETIME: Duration = Duration::from_secs(5 * 365 * 24 * 60 * 60);

/// The first and the last moment at which a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Not valid before this moment.
    pub not_before: SystemTime,
    /// Not valid after this moment.
    pub not_after: SystemTime,
}

impl Validity {
    /// From [`BACKDATED`] before `now` until [`LIFETIME`] after it.
    pub fn starting(now: SystemTime) -> Self {
        Self {
            not_before: now.checked_sub(BACKDATED).unwrap_or(UNIX_EPOCH),
            not_after: now.checked_add(LIFETIME).unwrap_or(now),
        }
    }

    /// Exactly these dates; for shorter lives, and for tests of certificates out of date.
    pub fn between(not_before: SystemTime, not_after: SystemTime) -> Self {
        Self { not_before, not_after }
    }

    /// Where `now` stands, to the second, as certificates count.
    pub fn judge(&self, now: SystemTime) -> Standing {
        let now = seconds(now);
        if now < seconds(self.not_before) {
            Standing::NotYetValid
        } else if now > seconds(self.not_after) {
            Standing::Expired
        } else {
            Standing::Current
        }
    }
}

/// Where a moment stands against a [`Validity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Before it.
    NotYetValid,
    /// Within it.
    Current,
    /// After it.
    Expired,
}

/// Writes a moment as RFC 3339 in UTC, to the second: `2026-11-21T23:15:00Z`.
pub fn rfc3339(moment: SystemTime) -> String {
    OffsetDateTime::from_unix_timestamp(seconds(moment))
        .ok()
        .and_then(|date| date.format(&Rfc3339).ok())
        // Only reached for years that four digits cannot write.
        .unwrap_or_else(|| format!("{} s after 1970-01-01T00:00:00Z", seconds(moment)))
}

/// Reads a moment as RFC 3339 writes it, in any zone.
pub(crate) fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(|date| moment(date.unix_timestamp()))
}

/// The dates inside a parsed certificate.
pub(crate) fn validity_of(certificate: &x509_parser::certificate::X509Certificate<'_>) -> Validity {
    let validity = certificate.validity();
    Validity { not_before: moment(validity.not_before.timestamp()), not_after: moment(validity.not_after.timestamp()) }
}

/// The earliest not-after date of `certificates`; `None` if there are none, or one is no certificate.
pub(crate) fn earliest_not_after(certificates: &[CertificateDer<'_>]) -> Option<SystemTime> {
    let mut earliest = None;
    for der in certificates {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let not_after = validity_of(&certificate).not_after;
        earliest = Some(earliest.map_or(not_after, |sooner: SystemTime| sooner.min(not_after)));
    }
    earliest
}

/// The same moment for the verifier, which counts unsigned seconds since 1970.
pub(crate) fn unix_time(moment: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(moment.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Whole seconds since 1970, rounded down.
pub(crate) fn seconds(moment: SystemTime) -> i64 {
    match moment.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            let before = before.duration();
            let whole = before.as_secs() + u64::from(before.subsec_nanos() > 0);
            i64::try_from(whole).map_or(i64::MIN, |seconds| -seconds)
        }
    }
}

fn moment(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let moment = if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    moment.unwrap_or(UNIX_EPOCH)
}
