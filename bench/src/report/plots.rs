//! Which pictures there are.

use super::svg::{Scale, Series, bars, lines};
use super::{Pivot, Results};

/// A picture and where it belongs.
#[derive(Debug, Clone)]
pub(super) struct Plot {
    pub(super) file: String,
    pub(super) title: String,
    pub(super) load: &'static str,
    pub(super) svg: String,
}

/// What a picture shows.
struct Wanted {
    file: &'static str,
    load: &'static str,
    figure: &'static str,
    kind: Kind,
    scale: Scale,
}

enum Kind {
    Bars,
    /// Cases that begin with a number, which is across.
    Lines,
}

const WANTED: [Wanted; 10] = [
    Wanted { file: "throughput.svg", load: "bulk", figure: "Gb/s", kind: Kind::Bars, scale: Scale::FromZero },
    Wanted { file: "cpu.svg", load: "bulk", figure: "edge CPU, s/GB", kind: Kind::Bars, scale: Scale::FromZero },
    Wanted { file: "latency-p50.svg", load: "request", figure: "p50, µs", kind: Kind::Bars, scale: Scale::FromZero },
    Wanted { file: "latency-p99.svg", load: "request", figure: "p99, µs", kind: Kind::Bars, scale: Scale::FromZero },
    Wanted {
        file: "schedule-p99.svg",
        load: "schedule",
        figure: "p99, µs",
        kind: Kind::Bars,
        scale: Scale::Logarithmic,
    },
    Wanted { file: "beside-p50.svg", load: "beside", figure: "p50, µs", kind: Kind::Bars, scale: Scale::Logarithmic },
    Wanted { file: "beside-p99.svg", load: "beside", figure: "p99, µs", kind: Kind::Bars, scale: Scale::Logarithmic },
    Wanted { file: "set-up.svg", load: "connect", figure: "connections/s", kind: Kind::Lines, scale: Scale::FromZero },
    Wanted { file: "memory.svg", load: "idle", figure: "edge memory, MiB", kind: Kind::Lines, scale: Scale::FromZero },
    Wanted { file: "opening.svg", load: "idle", figure: "opened/s", kind: Kind::Lines, scale: Scale::FromZero },
];

/// Those for which there are numbers.
pub(super) fn all(results: &Results) -> Vec<Plot> {
    WANTED.iter().filter_map(|wanted| wanted.plot(results)).collect()
}

impl Wanted {
    fn plot(&self, results: &Results) -> Option<Plot> {
        let pivot = Pivot::of(results, self.load, self.figure);
        // What stands apart from the row of numbers, such as what is left when all is closed, is not in the picture.
        let cases: Vec<(&str, f64)> = match self.kind {
            Kind::Bars => pivot.cases.iter().map(|case| (*case, 0.0)).collect(),
            Kind::Lines => pivot.cases.iter().filter_map(|case| Some((*case, leading(case)?))).collect(),
        };
        if cases.is_empty() {
            return None;
        }
        let median = |competitor: &str, case: &str| pivot.summary(competitor, case).map(|summary| summary.median);
        let series: Vec<Series<'_>> = pivot
            .competitors(results)
            .into_iter()
            .map(|name| Series {
                name,
                colour: results.competitors.iter().position(|one| one.name == name).unwrap_or_default(),
                values: cases.iter().map(|(case, _)| median(name, case)).collect(),
            })
            .collect();
        let title = format!("{}: {}", self.load, self.figure);
        let (names, across): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
        let svg = match self.kind {
            Kind::Bars => bars(&title, &names, &series, self.scale),
            Kind::Lines => lines(&title, &across, &series, self.scale),
        };
        Some(Plot { file: self.file.to_owned(), title, load: self.load, svg })
    }
}

/// The number that a case begins with.
fn leading(case: &str) -> Option<f64> {
    case.split(' ').next()?.parse().ok()
}
