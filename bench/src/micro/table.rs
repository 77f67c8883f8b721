//! The table of instructions that the repository keeps, and how a change stands against it.

use std::fmt::Write as _;

use super::Work;

/// Percent of a difference that are no chance. There is little of that: hash tables are seeded anew in each process.
const WORTH_A_LOOK: f64 = 1.0;

const HEAD: &str = "# Instructions

What a piece of work takes of the processor, counted by callgrind, both ends together: without sockets and TLS, the same on
each machine of this kind in any mood. A long copy counts as one instruction for each byte where the C library copies with
`rep movsb`, so copies are easily seen: 16 KiB are 16384.

`scripts/bench instructions` counts again and compares; `--keep` writes this file.

| work | instructions | what is done |
|--|--|--|
";

/// Instructions by piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table(pub(crate) Vec<(String, u64)>);

impl Table {
    /// The table as Markdown, with what each piece of work is.
    pub(crate) fn markdown(&self, all: &[Work]) -> String {
        let mut text = HEAD.to_owned();
        for (name, count) in &self.0 {
            let what = all.iter().find(|work| work.name == name).map(|work| work.what).unwrap_or_default();
            let _ = writeln!(text, "| {name} | {count} | {what} |");
        }
        text
    }

    /// Reads what [`Table::markdown`] wrote; other lines are passed over.
    pub(crate) fn read(text: &str) -> Self {
        let row = |line: &str| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            Some((cells.next()?.to_owned(), cells.next()?.parse().ok()?))
        };
        Self(text.lines().filter_map(row).collect())
    }

    fn of(&self, name: &str) -> Option<u64> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, count)| *count)
    }
}

/// How `now` stands against `before`, and whether anything got worse by more than chance.
pub(crate) fn compare(before: &Table, now: &Table) -> (String, bool) {
    let (mut text, mut worse) = (String::new(), false);
    for (name, count) in &now.0 {
        let _ = match before.of(name).filter(|before| *before > 0) {
            None => writeln!(text, "{name}: {count}, new"),
            Some(before) => {
                let change = (*count as f64 / before as f64 - 1.0) * 100.0;
                worse |= change > WORTH_A_LOOK;
                let mark = if change.abs() > WORTH_A_LOOK { " !" } else { "" };
                writeln!(text, "{name}: {count}, was {before} ({change:+.1} %){mark}")
            }
        };
    }
    (text, worse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, u64)]) -> Table {
        Table(rows.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let all = super::super::all();
        let rows = all.iter().enumerate().map(|(at, work)| (work.name.to_owned(), at as u64 * 1000)).collect();
        let table = Table(rows);
        assert_eq!(Table::read(&table.markdown(&all)), table);
    }

    #[test]
    fn a_change_is_worse_when_it_is_more_than_chance() {
        let before = table(&[("frame", 1000), ("message", 500)]);
        let (said, worse) = compare(&before, &table(&[("frame", 1009), ("message", 300), ("other", 7)]));
        assert!(!worse, "{said}");
        assert_eq!(said, "frame: 1009, was 1000 (+0.9 %)\nmessage: 300, was 500 (-40.0 %) !\nother: 7, new\n");
        assert!(compare(&before, &table(&[("frame", 1040)])).1);
    }
}
