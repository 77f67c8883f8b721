//! What was measured, for readers: tables, and plots of some of them.

mod plots;
mod svg;
mod tables;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::figure::{Failure, Record};
use crate::machine::Machine;
use crate::statistics::{Summary, ratio, summary};

/// All that a run has to say.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    /// What is on the way: a competitor's name, its version and its cipher suite, or why it was left out.
    pub(crate) competitors: Vec<Described>,
    pub(crate) loads: Vec<DescribedLoad>,
    pub(crate) repetitions: u32,
    /// How long a window was, in seconds.
    pub(crate) seconds: f64,
    pub(crate) records: Vec<Record>,
    pub(crate) failures: Vec<Failure>,
}

/// A competitor, for the head of the report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Described {
    pub(crate) name: &'static str,
    pub(crate) version: Option<String>,
    pub(crate) cipher: Option<String>,
    /// Why it was left out.
    pub(crate) missing: Option<String>,
}

/// A load, for the head of its tables.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DescribedLoad {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
}

/// Writes `results.json`, `report.md` and the plots into `dir`.
pub(crate) fn write(results: &Results, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    let put = |name: &str, text: String| {
        let path = dir.join(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    };
    put("results.json", serde_json::to_string_pretty(results)? + "\n")?;
    let plots = plots::all(results);
    for plot in &plots {
        put(&plot.file, plot.svg.clone())?;
    }
    put("report.md", tables::markdown(results, &plots))
}

/// The numbers of one load under one name: by competitor, then case, those of all repetitions.
struct Pivot<'a> {
    cases: Vec<&'a str>,
    values: BTreeMap<(&'a str, &'a str), Vec<(u32, f64)>>,
}

impl<'a> Pivot<'a> {
    fn of(results: &'a Results, load: &str, figure: &str) -> Self {
        let (mut cases, mut values) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
        for record in results.records.iter().filter(|record| record.load == load && record.figure.name == figure) {
            if !cases.contains(&record.case.as_str()) {
                cases.push(&record.case);
            }
            let of_case = values.entry((record.competitor, record.case.as_str())).or_default();
            of_case.push((record.repetition, record.figure.value));
        }
        Self { cases, values }
    }

    /// The competitors that have any of the numbers, in the order of the report.
    fn competitors(&self, results: &Results) -> Vec<&'static str> {
        let all = results.competitors.iter().map(|competitor| competitor.name);
        all.filter(|name| self.values.keys().any(|(competitor, _)| competitor == name)).collect()
    }

    fn summary(&self, competitor: &str, case: &str) -> Option<Summary> {
        let values: Vec<f64> = self.values.get(&(competitor, case))?.iter().map(|(_, value)| *value).collect();
        summary(&values)
    }

    fn ratio(&self, competitor: &str, other: &str, case: &str) -> Option<f64> {
        ratio(self.values.get(&(competitor, case))?, self.values.get(&(other, case))?)
    }
}
