//! The tables of a report, in Markdown.

use std::fmt::Write as _;

use super::plots::Plot;
use super::{Pivot, Results};
use crate::statistics::{digits, summary};
use crate::window::{OTHERS, STEAL};

/// The whole report.
pub(super) fn markdown(results: &Results, plots: &[Plot]) -> String {
    let mut text = head(results);
    for load in &results.loads {
        let figures = figures(results, load.name);
        if figures.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n## {}\n\n{}", load.name, load.about);
        for plot in plots.iter().filter(|plot| plot.load == load.name) {
            let _ = writeln!(text, "\n![{}]({})", plot.title, plot.file);
        }
        for figure in figures {
            text += &table(results, load.name, figure);
        }
    }
    if !results.failures.is_empty() {
        text += "\n## What did not come to an end\n\n";
        for failure in &results.failures {
            let _ = writeln!(
                text,
                "* {}, {}, {}, repetition {}: {}",
                failure.load,
                failure.case,
                failure.competitor,
                failure.repetition,
                failure.reason.replace('\n', " ")
            );
        }
    }
    text
}

fn is_aside(figure: &str) -> bool {
    [STEAL, OTHERS].contains(&figure)
}

/// The names of a load's numbers. Not all competitors have all: one is put behind that which it followed.
fn figures(results: &Results, load: &str) -> Vec<&'static str> {
    let (mut names, mut at) = (Vec::new(), 0);
    for record in results.records.iter().filter(|record| record.load == load && !is_aside(record.figure.name)) {
        at = names.iter().position(|name| *name == record.figure.name).unwrap_or_else(|| {
            let next = if names.is_empty() { 0 } else { at + 1 };
            names.insert(next, record.figure.name);
            next
        });
    }
    names
}

fn head(results: &Results) -> String {
    let machine = &results.machine;
    let mut text = format!(
        "# Measurements of {}\n\n{}, {} cores, {} MiB; Linux {}, TCP with {}. Client, hops and server share the cores.\n\n\
         Each number is the median of {} repetitions, with the least and the most; a window has {} s. The competitors take \
         turns within each repetition, and ratios are taken there, so that a slow moment of the machine weighs on both \
         sides. The edge is the hop at the server, the interior the hop at the client. CPU is that of the processes' own clocks.\n",
        machine.date,
        machine.processor,
        machine.cores,
        machine.memory_mib,
        machine.kernel,
        machine.congestion_control,
        results.repetitions,
        results.seconds,
    );
    for (name, who) in [(STEAL, "The host of the machine"), (OTHERS, "Who was not measured")] {
        let shares =
            results.records.iter().filter(|record| record.figure.name == name).map(|record| record.figure.value);
        if let Some(share) = summary(&shares.collect::<Vec<_>>()) {
            let (median, most) = (digits(share.median), digits(share.most));
            let _ = writeln!(text, "{who} took {median} % of its time (median of the windows; most: {most} %).");
        }
    }
    text += "\n| competitor | what it is | TLS between its hops |\n|--|--|--|\n";
    for competitor in &results.competitors {
        let what = competitor.version.as_deref().or(competitor.missing.as_deref()).unwrap_or_default();
        let _ = writeln!(text, "| {} | {what} | {} |", competitor.name, competitor.cipher.as_deref().unwrap_or("–"));
    }
    text
}

/// One number, competitors down, cases across; below, how ours compare.
fn table(results: &Results, load: &str, figure: &str) -> String {
    let pivot = Pivot::of(results, load, figure);
    let competitors = pivot.competitors(results);
    let mut text = format!("\n### {load}: {figure}\n\n");
    let mut row = |first: &str, cells: Vec<String>| {
        let _ = writeln!(text, "| {first} | {} |", cells.join(" | "));
    };
    row("", pivot.cases.iter().map(|case| (*case).to_owned()).collect());
    row("--", vec!["--".to_owned(); pivot.cases.len()]);
    for competitor in &competitors {
        let cells = pivot.cases.iter().map(|case| match pivot.summary(competitor, case) {
            None => "–".to_owned(),
            Some(of) if of.count == 1 => digits(of.median),
            Some(of) => format!("{} [{}–{}]", digits(of.median), digits(of.least), digits(of.most)),
        });
        row(competitor, cells.collect());
    }
    // What the load itself takes is no merit of theirs.
    for competitor in competitors.iter().filter(|name| is_ours(name) && !figure.starts_with("load")) {
        for other in [network(competitor, &competitors), Some("haproxy")].into_iter().flatten() {
            let ratios: Vec<_> = pivot.cases.iter().map(|case| pivot.ratio(competitor, other, case)).collect();
            if ratios.iter().any(Option::is_some) {
                let cells = ratios
                    .into_iter()
                    .map(|ratio| ratio.map_or("–".to_owned(), |ratio| format!("× {}", digits(ratio))));
                row(&format!("{competitor} / {other}"), cells.collect());
            }
        }
    }
    text
}

fn is_ours(competitor: &str) -> bool {
    competitor.starts_with("own-") || competitor.starts_with("mixed-")
}

/// The network's own router that stands against one of ours: in the same encapsulation, if it has that.
fn network<'a>(competitor: &str, all: &[&'a str]) -> Option<&'a str> {
    let encapsulation = competitor.split_once('-').map(|(_, encapsulation)| encapsulation).unwrap_or_default();
    let routers = || all.iter().copied().filter(|name| name.starts_with("skrouterd-"));
    routers().find(|name| name.ends_with(encapsulation)).or_else(|| routers().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Failure, Figure, Record};
    use crate::machine::Machine;
    use crate::report::{Described, DescribedLoad};

    fn results() -> Results {
        let described = |name| Described { name, version: Some("1".to_owned()), cipher: None, missing: None };
        let record = |repetition, competitor, case: &str, name, value| Record {
            repetition,
            load: "bulk",
            case: case.to_owned(),
            competitor,
            figure: Figure::new(name, value),
        };
        let mut results = Results {
            machine: Machine::this(),
            competitors: ["haproxy", "skrouterd-lite", "own-legacy", "own-lite"].map(described).into(),
            loads: vec![
                DescribedLoad { name: "bulk", about: "Bytes." },
                DescribedLoad { name: "idle", about: "None." },
            ],
            repetitions: 2,
            seconds: 1.0,
            records: Vec::new(),
            failures: Vec::new(),
        };
        // The second repetition is twice as fast for all.
        for (repetition, speed) in [(0, 1.0), (1, 2.0)] {
            results.records.extend([
                record(repetition, "haproxy", "8 up", "Gb/s", 4.0 * speed),
                record(repetition, "haproxy", "8 up", "edge CPU, s/GB", 1.5),
                record(repetition, "haproxy", "8 up", "steal, %", speed),
                record(repetition, "skrouterd-lite", "8 up", "Gb/s", 2.0 * speed),
                record(repetition, "own-lite", "8 up", "Gb/s", 6.0 * speed),
            ]);
        }
        results.records.push(record(0, "own-legacy", "64 up", "Gb/s", 5.0));
        results
    }

    #[test]
    fn a_row_for_each_competitor_and_each_comparison() {
        let text = markdown(&results(), &[]);
        let table = text.split("### bulk: Gb/s").nth(1).and_then(|rest| rest.split("###").next()).expect("a table");
        let rows: Vec<&str> = table.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(
            rows,
            [
                "|  | 8 up | 64 up |",
                "| -- | -- | -- |",
                "| haproxy | 6.00 [4.00–8.00] | – |",
                "| skrouterd-lite | 3.00 [2.00–4.00] | – |",
                "| own-legacy | – | 5.00 |",
                "| own-lite | 9.00 [6.00–12.0] | – |",
                "| own-lite / skrouterd-lite | × 3.00 | – |",
                "| own-lite / haproxy | × 1.50 | – |",
            ]
        );
    }

    #[test]
    fn what_is_not_measured_has_no_table_and_what_failed_is_told() {
        let mut results = results();
        results.failures.push(Failure {
            repetition: 1,
            load: "idle",
            case: "idle".to_owned(),
            competitor: "haproxy",
            reason: "no\nmore".to_owned(),
        });
        let text = markdown(&results, &[]);
        assert!(!text.contains("\n## idle") && !text.contains("### bulk: steal"), "{text}");
        assert!(
            text.contains("The host of the machine took 1.50 % of its time (median of the windows; most: 2.00 %)."),
            "{text}"
        );
        assert!(text.contains("* idle, idle, haproxy, repetition 1: no more\n"), "{text}");
    }

    #[test]
    fn a_router_stands_against_its_own_encapsulation_where_there_is_one() {
        let both = ["skrouterd-legacy", "skrouterd-lite"];
        assert_eq!(network("own-lite", &both), Some("skrouterd-lite"));
        assert_eq!(network("mixed-legacy", &both), Some("skrouterd-legacy"));
        assert_eq!(network("own-legacy", &["haproxy", "skrouterd-lite"]), Some("skrouterd-lite"));
        assert_eq!(network("own-legacy", &["haproxy"]), None);
    }
}
