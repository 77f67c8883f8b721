//! Which uplink is tried next.

use std::time::{Duration, Instant};

use super::backoff::{Backoff, Failure};

/// Whose turn it is, the preferred ones first.
#[derive(Debug, Default)]
pub(super) struct Turns(Vec<Turn>);

#[derive(Debug)]
struct Turn {
    backoff: Backoff,
    /// Not before.
    due: Option<Instant>,
    /// Had its turn since the round began.
    tried: bool,
}

impl Turns {
    /// One more, with others at and behind its place.
    pub(super) fn insert(&mut self, at: usize) {
        self.0.insert(at, Turn { backoff: Backoff::new(fastrand::Rng::new()), due: None, tried: false });
    }

    pub(super) fn remove(&mut self, at: usize) {
        self.0.remove(at);
    }

    /// The next to try, and when; none of none: the first that need not wait and had no turn in this round, so that slow failures
    /// of one cannot keep another from its turn; else the first to be ready.
    pub(super) fn next(&mut self, now: Instant) -> Option<(usize, Instant)> {
        if self.0.iter().all(|turn| turn.tried) {
            self.begin_round();
        }
        let turns = self.0.iter().enumerate();
        let next = turns.map(|(at, turn)| (turn.due.map_or(now, |due| due.max(now)), turn.tried, at)).min();
        next.map(|(due, _, at)| (at, due))
    }

    /// Answers how long the failed one waits. One that was up comes last in a new round.
    pub(super) fn failed(&mut self, index: usize, failure: Failure, was_up: bool, now: Instant) -> Duration {
        if was_up {
            self.begin_round();
        }
        let turn = &mut self.0[index];
        if was_up {
            turn.backoff.reset();
        }
        let wait = turn.backoff.wait(failure);
        turn.tried = true;
        turn.due = Some(now + wait);
        wait
    }

    fn begin_round(&mut self) {
        for turn in &mut self.0 {
            turn.tried = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(count: usize) -> Turns {
        let mut turns = Turns::default();
        (0..count).for_each(|at| turns.insert(at));
        turns
    }

    #[test]
    fn the_preferred_is_first_and_the_next_follows_at_once() {
        let now = Instant::now();
        let mut turns = turns(3);
        for index in 0..3 {
            assert_eq!(turns.next(now).unwrap(), (index, now));
            turns.failed(index, Failure::Absent, false, now);
        }
        let (_, due) = turns.next(now).unwrap();
        assert!(due >= now + Duration::from_millis(50), "all have failed: wait");
    }

    #[test]
    fn a_loss_tries_the_preferred_of_the_others() {
        let now = Instant::now();
        let mut turns = turns(3);
        turns.failed(0, Failure::Absent, false, now);
        // The second was up for an hour.
        let later = now + Duration::from_secs(3600);
        turns.failed(1, Failure::Absent, true, later);
        assert_eq!(turns.next(later).unwrap(), (0, later));
        turns.failed(0, Failure::Absent, false, later);
        assert_eq!(turns.next(later).unwrap(), (2, later));
    }

    #[test]
    fn slow_failures_of_the_preferred_leave_the_others_their_turn() {
        let mut now = Instant::now();
        let mut turns = turns(3);
        let mut tried = [0; 3];
        for _ in 0..30 {
            let (index, due) = turns.next(now).unwrap();
            now = now.max(due) + Duration::from_secs(5);
            tried[index] += 1;
            turns.failed(index, Failure::Absent, false, now);
        }
        assert_eq!(tried, [10, 10, 10]);
    }

    #[test]
    fn one_that_refuses_for_long_does_not_hold_up_one_that_is_absent() {
        let mut now = Instant::now();
        let mut turns = turns(2);
        let mut tried = [0; 2];
        for _ in 0..200 {
            let (index, due) = turns.next(now).unwrap();
            now = now.max(due);
            tried[index] += 1;
            turns.failed(index, if index == 0 { Failure::Refused } else { Failure::Absent }, false, now);
        }
        assert!(tried[1] > 150, "{tried:?}");
    }

    #[test]
    fn a_new_one_has_its_turn_in_this_round_and_a_removed_one_none() {
        let now = Instant::now();
        let mut turns = turns(2);
        assert_eq!(Turns::default().next(now), None);
        turns.failed(0, Failure::Absent, false, now);
        turns.insert(0);
        assert_eq!(turns.next(now), Some((0, now)));
        turns.failed(0, Failure::Absent, false, now);
        assert_eq!(turns.next(now), Some((2, now)));
        turns.remove(2);
        let (_, due) = turns.next(now).unwrap();
        assert!(due > now, "the others have failed: wait");
    }
}
