//! The tables of a report, in Markdown.

use std::fmt::Write as _;

use super::plots::Plot;
use super::{Pivot, Results};
use crate::statistics::{digits, summary};

/// Numbers that say how good the measurement was, not who was good.
const ASIDE: &str = "steal, %";

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

/// The names of a load's numbers. Not all competitors have all: one is put behind that which it followed.
fn figures(results: &Results, load: &str) -> Vec<&'static str> {
    let (mut names, mut at) = (Vec::new(), 0);
    for record in results.records.iter().filter(|record| record.load == load && record.figure.name != ASIDE) {
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
    let steal: Vec<f64> =
        results.records.iter().filter(|record| record.figure.name == ASIDE).map(|record| record.figure.value).collect();
    if let Some(steal) = summary(&steal) {
        let _ = writeln!(
            text,
            "The host took {} % of the machine away (median of the windows; most: {} %).",
            digits(steal.median),
            digits(steal.most)
        );
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
