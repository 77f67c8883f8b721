//! How long to wait before the next attempt of an uplink.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;

/// Wait while the other end is simply not there: with connecting, TLS and AMQP's open behind it, recovery stays under a
/// quarter of a second. However long it was away: a thousand edges that lost one hub cost its host 10,000 refusals in a second, and
/// when it listens again its listener shakes hands with 64 at a time while the others wait in its backlog. A wider
/// draw would not bring the last one in sooner, since the hub's processor is what they wait for.
const ABSENT: RangeInclusive<u64> = 50..=150;
/// First ceiling after a refusal, milliseconds.
const REFUSED_FIRST: u64 = 500;
/// Last ceiling after refusals.
const REFUSED_LAST: u64 = 30_000;
/// Last ceiling while something in between accepts and hangs up.
const CUT_OFF_LAST: u64 = 2_000;

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nothing listens, no route, no answer, or a link that was up is lost.
    Absent,
    /// Somebody accepted and hung up without a word, as proxies without a server do.
    CutOff,
    /// The other end, or we, said no: certificates, SASL, AMQP.
    Refused,
}

/// The waits of one uplink.
#[derive(Debug)]
pub(super) struct Backoff {
    rng: Rng,
    refusals: u32,
}

impl Backoff {
    pub(super) fn new(rng: Rng) -> Backoff {
        Backoff { rng, refusals: 0 }
    }

    /// The link was up: begin again with short waits.
    pub(super) fn reset(&mut self) {
        self.refusals = 0;
    }

    /// The wait after one more failure: full jitter under a doubling ceiling, except for an absent end.
    pub(super) fn wait(&mut self, failure: Failure) -> Duration {
        let last = match failure {
            Failure::Absent => {
                self.refusals = 0;
                return Duration::from_millis(self.rng.u64(ABSENT));
            }
            Failure::CutOff => CUT_OFF_LAST,
            Failure::Refused => REFUSED_LAST,
        };
        let ceiling = REFUSED_FIRST.saturating_mul(1 << self.refusals.min(16)).min(last);
        self.refusals = self.refusals.saturating_add(1);
        // Full jitter, but never a busy loop against an end that says no.
        Duration::from_millis(self.rng.u64(*ABSENT.start()..=ceiling))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff() -> Backoff {
        Backoff::new(Rng::with_seed(7))
    }

    #[test]
    fn an_absent_end_is_tried_again_soon_for_ever() {
        let mut backoff = backoff();
        let waits: Vec<u64> = (0..2_000).map(|_| backoff.wait(Failure::Absent).as_millis() as u64).collect();
        assert!(waits.iter().all(|wait| ABSENT.contains(wait)));
        assert!(waits.iter().min().unwrap() < &60 && waits.iter().max().unwrap() > &140);
    }

    #[test]
    fn refusals_spread_under_a_doubling_ceiling() {
        let mut largest = [0; 12];
        for seed in 0..500 {
            let mut backoff = Backoff::new(Rng::with_seed(seed));
            for slot in &mut largest {
                *slot = backoff.wait(Failure::Refused).as_millis().max(*slot);
            }
        }
        for (n, found) in largest.iter().enumerate() {
            let ceiling = (500u128 << n).min(30_000);
            assert!(*found <= ceiling && *found > ceiling * 9 / 10, "{n}: {found}");
        }
    }

    #[test]
    fn a_success_and_an_absent_end_begin_again() {
        for again in [Backoff::reset, |b: &mut Backoff| {
            b.wait(Failure::Absent);
        }] {
            let mut backoff = backoff();
            for _ in 0..20 {
                assert!(backoff.wait(Failure::Refused) <= Duration::from_secs(30));
            }
            again(&mut backoff);
            assert!(backoff.wait(Failure::Refused) <= Duration::from_millis(500));
        }
    }

    #[test]
    fn a_hang_up_waits_two_seconds_at_most() {
        let mut backoff = backoff();
        for _ in 0..100 {
            assert!(backoff.wait(Failure::CutOff) <= Duration::from_secs(2));
        }
    }
}
