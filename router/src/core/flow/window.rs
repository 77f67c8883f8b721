//! How much of a stream may be under way before the far socket has taken it.
//!
//! What is under way stands in queues that the streams of a connection share, so a stream that takes all it can get
//! makes the others wait for as long as its window needs to drain. Alone it may fill the window. Beside others it keeps
//! what the way needs: its window shrinks while acknowledgements come later than they must, and grows while they do not,
//! so that a distant network still gets the whole of it.

use crate::core::types::Encapsulation;
use std::time::{Duration, Instant};

/// The routers' own windows, octets.
const LEGACY: u64 = 1_459_620;
const LITE: u64 = 1_042_432;
/// Keeps two cores busy that do nothing else; beside others none is smaller.
const LEAST: u64 = 128 * 1024;
/// Acknowledgements that come within this time are in time on any network.
const IN_TIME: Duration = Duration::from_micros(200);
/// Others count as present for this long after their last octet.
const PRESENCE: Duration = Duration::from_millis(200);
/// A read that brings less than this, with room for more, waits for its client and not for the network.
const SMALL: usize = 16 * 1024;
/// The receiver reports what it has taken whenever it is this much: often enough for the least window.
pub(super) const REPORTED_EACH: u64 = 64 * 1024;

/// The window of one stream of ours.
pub(super) struct Window {
    most: u64,
    /// The peer limits us; off once it has settled.
    limited: bool,
    pub(super) sent: u64,
    acked: u64,
    /// What is enough beside others.
    enough: u64,
    beside: bool,
    /// Smallest step of the acknowledgements: a window below it would wait for ever. A router reports in steps of one size at least.
    step: u64,
    /// An offset, and when it was reached.
    timed: Option<(u64, Instant)>,
    /// The fastest acknowledgement.
    fastest: Duration,
}

impl Window {
    pub(super) fn new(encapsulation: Encapsulation) -> Window {
        let most = Window::most(encapsulation);
        Window {
            most,
            limited: true,
            sent: 0,
            acked: 0,
            enough: most,
            beside: false,
            step: u64::MAX,
            timed: None,
            fastest: Duration::MAX,
        }
    }

    fn most(encapsulation: Encapsulation) -> u64 {
        match encapsulation {
            Encapsulation::Legacy => LEGACY,
            Encapsulation::Lite => LITE,
        }
    }

    /// The largest that it may be, and what is under way.
    pub(super) fn facts(&self) -> (u64, u64) {
        (self.most, self.under_way())
    }

    /// Whether the peer limits us.
    pub(super) fn limit(&mut self, limited: bool) {
        self.limited = limited;
    }

    /// Octets that may be sent now.
    pub(super) fn left(&self) -> u64 {
        if !self.limited {
            return u64::MAX;
        }
        let window = if self.beside { self.enough } else { self.most };
        window.saturating_sub(self.under_way())
    }

    fn under_way(&self) -> u64 {
        self.sent.saturating_sub(self.acked)
    }

    /// A read of the socket brought `octets`. True: the stream is one that others should not keep waiting.
    pub(super) fn send(&mut self, octets: usize, now: Instant) -> bool {
        let small = octets < SMALL && self.left() >= SMALL as u64;
        self.sent += octets as u64;
        self.timed.get_or_insert((self.sent, now));
        small
    }

    /// The far socket has taken all before `offset`. `others` was when another stream sent a little.
    pub(super) fn acknowledge(&mut self, offset: u64, others: Option<Instant>, now: Instant) {
        let offset = offset.min(self.sent);
        if offset <= self.acked {
            return;
        }
        self.step = self.step.min(offset - self.acked);
        self.acked = offset;
        self.beside = others.is_some_and(|at| now.saturating_duration_since(at) < PRESENCE);
        if let Some((_, since)) = self.timed.take_if(|(timed, _)| *timed <= offset) {
            self.adjust(now.saturating_duration_since(since));
        }
    }

    fn adjust(&mut self, took: Duration) {
        self.fastest = self.fastest.min(took);
        let step = self.enough / 8;
        self.enough = if took > IN_TIME.max(self.fastest.saturating_mul(3) / 2) {
            self.enough - step
        } else {
            self.enough + step
        };
        let least = LEAST.max(self.step.saturating_mul(2)).min(self.most);
        self.enough = self.enough.clamp(least, self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that sends all it may over a way that carries `rate` octets a second and takes `delay` at least, and is
    /// acknowledged in steps. Answers what was under way at most in the last part, and the octets that arrived.
    fn run(rate: u64, delay: Duration, step: u64, company: bool, time: Duration) -> (u64, u64) {
        let start = Instant::now();
        let tick = Duration::from_micros(50);
        let mut window = Window::new(Encapsulation::Lite);
        // Offsets, and when they have arrived.
        let mut under_way = std::collections::VecDeque::new();
        let (mut now, mut free_at, mut arrived, mut reported, mut most) = (start, start, 0, 0, 0);
        while now < start + time {
            while under_way.front().is_some_and(|&(_, at)| at <= now) {
                arrived = under_way.pop_front().unwrap().0;
                if arrived - reported >= step {
                    reported = arrived;
                    window.acknowledge(arrived, company.then_some(now), now);
                }
            }
            let room = window.left().min(64 * 1024) as usize;
            if room > 0 {
                assert!(!window.send(room, now));
                free_at = free_at.max(now) + Duration::from_nanos(room as u64 * 1_000_000_000 / rate);
                under_way.push_back((window.sent, free_at + delay));
            }
            if now > start + time / 2 {
                most = most.max(window.under_way());
            }
            now += tick;
        }
        (most, arrived)
    }

    const NEAR: Duration = Duration::from_micros(50);
    const FAR: Duration = Duration::from_millis(20);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn alone_it_fills_the_window_and_beside_others_it_keeps_little_under_way() {
        assert!(run(500_000_000, NEAR, REPORTED_EACH, false, SECOND).0 > LITE * 9 / 10);
        let (most, arrived) = run(500_000_000, NEAR, REPORTED_EACH, true, SECOND);
        assert!(most <= 3 * LEAST, "{most}");
        assert!(arrived > 400_000_000, "{arrived}");
    }

    #[test]
    fn a_distant_network_gets_the_whole_window() {
        let (alone, company) =
            (run(500_000_000, FAR, REPORTED_EACH, false, SECOND), run(500_000_000, FAR, REPORTED_EACH, true, SECOND));
        assert!(company.0 > LITE * 9 / 10 && company.1 > alone.1 * 9 / 10, "{alone:?} {company:?}");
    }

    #[test]
    fn it_is_never_smaller_than_what_the_far_end_reports_at_once() {
        let quarter = LITE / 4;
        let (most, arrived) = run(500_000_000, NEAR, quarter, true, SECOND);
        assert!(most >= quarter && arrived > 400_000_000, "{most} {arrived}");
    }

    #[test]
    fn what_was_settled_is_not_limited_and_wrong_offsets_change_nothing() {
        let mut window = Window::new(Encapsulation::Legacy);
        let now = Instant::now();
        assert!(window.send(1000, now));
        window.acknowledge(5000, None, now);
        assert_eq!(window.facts(), (LEGACY, 0));
        window.acknowledge(10, None, now);
        assert_eq!(window.left(), LEGACY);
        window.limit(false);
        assert_eq!(window.left(), u64::MAX);
    }
}
