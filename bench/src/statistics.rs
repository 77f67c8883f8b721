//! What repetitions come to.

/// The middle of several numbers, and their ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    pub(crate) count: usize,
}

/// Of numbers in any order; `None` of none. Of an even number the middle is halfway between the two.
pub(crate) fn summary(values: &[f64]) -> Option<Summary> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (least, most) = (*sorted.first()?, *sorted.last()?);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
    Some(Summary { median, least, most, count: sorted.len() })
}

/// The middle of the ratios of `values` to `others`, each within its repetition; `None` where none has both.
pub(crate) fn ratio(values: &[(u32, f64)], others: &[(u32, f64)]) -> Option<f64> {
    let ratios: Vec<f64> = values
        .iter()
        .filter_map(|(repetition, value)| {
            let (_, other) = others.iter().find(|(other, _)| other == repetition)?;
            (*other != 0.0).then_some(value / other)
        })
        .collect();
    summary(&ratios).map(|summary| summary.median)
}

/// A number with three digits that count, as tables have it.
pub(crate) fn digits(value: f64) -> String {
    let size = value.abs();
    if size >= 9_999.5 {
        let whole = format!("{value:.0}");
        let (sign, whole) = whole.split_at(usize::from(value < 0.0));
        let first = whole.len() % 3;
        let groups = whole.as_bytes()[first..].chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
        let head = (first > 0).then(|| whole[..first].to_owned());
        format!("{sign}{}", head.into_iter().chain(groups).collect::<Vec<_>>().join(","))
    } else if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_ends() {
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[3.0]), Some(Summary { median: 3.0, least: 3.0, most: 3.0, count: 1 }));
        assert_eq!(summary(&[9.0, 1.0, 4.0]), Some(Summary { median: 4.0, least: 1.0, most: 9.0, count: 3 }));
        assert_eq!(summary(&[9.0, 1.0, 4.0, 2.0]), Some(Summary { median: 3.0, least: 1.0, most: 9.0, count: 4 }));
    }

    #[test]
    fn ratios_are_taken_within_a_repetition() {
        // The second repetition was twice as fast for both.
        let (ours, theirs) = ([(0, 6.0), (1, 12.0)], [(0, 2.0), (1, 4.0)]);
        assert_eq!(ratio(&ours, &theirs), Some(3.0));
        assert_eq!(ratio(&ours, &[(1, 6.0)]), Some(2.0));
        assert_eq!(ratio(&ours, &[(2, 6.0)]), None);
        assert_eq!(ratio(&ours, &[(0, 0.0)]), None);
    }

    #[test]
    fn three_digits_count() {
        let all = [0.0, 0.567, 9.99, 9.996, 73.46, 370.4, 9_999.4, 9_999.6, 123_456.7, 1_234_567.0, -12_345.0];
        let said = ["0.00", "0.57", "9.99", "10.0", "73.5", "370", "9999", "10,000", "123,457", "1,234,567", "-12,345"];
        assert_eq!(all.map(digits), said);
    }
}
