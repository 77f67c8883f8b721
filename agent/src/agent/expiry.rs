//! When it is said that certificates expire. Pure: moments are seconds since 1970.

/// Days before the end at which it is said, once each; on the last one and after it once a day.
const MARKS: [i64; 4] = [1, 7, 14, 30];
const DAY: i64 = 24 * 60 * 60;

/// What was said last of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Warned {
    /// Of the certificate that ends then.
    end: i64,
    at: i64,
    mark: i64,
}

/// Whole days until `end`; below zero when it has passed.
pub(super) fn days_left(end: i64, now: i64) -> i64 {
    end.saturating_sub(now).div_euclid(DAY)
}

/// Whether something is to be said now, and what then was said; `before`: the last time.
pub(super) fn due(end: i64, now: i64, before: Option<Warned>) -> Option<Warned> {
    let left = days_left(end, now);
    let mark = MARKS.into_iter().find(|mark| left <= *mark)?;
    let same = before.filter(|before| before.end == end);
    let again =
        same.is_none_or(|before| now.saturating_sub(before.at) >= DAY && (mark < before.mark || mark == MARKS[0]));
    again.then_some(Warned { end, at: now, mark })
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: i64 = 1_800_000_000;

    /// The days left at which something is said, looked at once an hour from 40 days before the end to 3 after it.
    fn said() -> Vec<i64> {
        let mut said = Vec::new();
        let mut before = None;
        for hour in -40 * 24..3 * 24 {
            let now = END + hour * 3600;
            if let Some(warned) = due(END, now, before) {
                said.push(days_left(END, now));
                before = Some(warned);
            }
        }
        said
    }

    #[test]
    fn it_is_said_at_each_mark_and_daily_at_the_end() {
        assert_eq!(said(), [30, 14, 7, 1, 0, -1, -2, -3]);
    }

    #[test]
    fn an_agent_that_starts_late_says_it_once() {
        let now = END - 10 * DAY;
        let warned = due(END, now, None).unwrap();
        assert_eq!(due(END, now + 60, Some(warned)), None);
        assert_eq!(due(END, now + 2 * DAY, Some(warned)), None, "the next mark is a week");
        assert!(due(END, now + 3 * DAY, Some(warned)).is_some());
    }

    #[test]
    fn a_renewed_certificate_is_quiet() {
        assert_eq!(due(END, END - 31 * DAY - 1, None), None);
        let warned = due(END, END - DAY, None);
        let later = END + 365 * DAY;
        assert_eq!(due(later, END, warned), None);
        assert!(due(later, later - 20 * DAY, warned).is_some(), "that is another certificate");
        assert_eq!(days_left(END, END), 0);
        assert_eq!(days_left(END, END + 1), -1);
    }
}
