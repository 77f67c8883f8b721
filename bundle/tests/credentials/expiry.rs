//! Dates.

use std::time::{Duration, UNIX_EPOCH};

use moorline_bundle::expiry::{BACKDATED, LIFETIME, Standing, rfc3339};
use moorline_bundle::{Authority, Validity};

use crate::site::{DAY, KeyForm, Leaf, Site, now};

#[test]
fn a_set_ends_with_the_first_of_its_certificates() {
    for (authority, leaf) in [(100, 50), (50, 100)] {
        let site = Site::dated("ca", KeyForm::Pkcs8, now(), now() + authority * DAY);
        let parts = site.issue(&Leaf { not_after: now() + leaf * DAY, ..Leaf::default() });
        assert_eq!(parts.credentials().not_after(), now() + 50 * DAY);
    }
}

#[test]
fn ours_begin_five_minutes_ago_and_last_five_years() {
    let validity = Validity::starting(now());
    assert_eq!(validity.not_before, now() - Duration::from_secs(300));
    assert_eq!(validity.not_after, now() + 1825 * DAY);
    assert_eq!((BACKDATED.as_secs(), LIFETIME), (300, 1825 * DAY));
    let authority = Authority::generate("ca", validity).unwrap();
    let client = authority.issue_client("c", validity).unwrap();
    assert_eq!(client.not_after(), validity.not_after);
    assert_eq!(authority.not_after(), validity.not_after);
}

#[test]
fn both_ends_of_a_validity_are_inside() {
    let validity = Validity::between(now(), now() + DAY);
    let half = Duration::from_millis(500);
    let second = Duration::from_secs(1);
    assert_eq!(validity.judge(now()), Standing::Current);
    assert_eq!(validity.judge(now() - half), Standing::NotYetValid);
    assert_eq!(validity.judge(now() + DAY + half), Standing::Current);
    assert_eq!(validity.judge(now() + DAY + second), Standing::Expired);
}

#[test]
fn dates_are_written_in_utc_to_the_second() {
    assert_eq!(rfc3339(now()), "2026-01-15T00:00:00Z");
    assert_eq!(rfc3339(now() + Duration::from_millis(1999)), "2026-01-15T00:00:01Z");
    assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_millis(1)), "1969-12-31T23:59:59Z");
    assert_eq!(rfc3339(UNIX_EPOCH), "1970-01-01T00:00:00Z");
    let far = UNIX_EPOCH + Duration::from_secs(1 << 40);
    assert_eq!(rfc3339(far), "1099511627776 s after 1970-01-01T00:00:00Z");
}
