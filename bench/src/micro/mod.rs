//! The parts of the data path one by one, by the number of instructions that they take: the same on every machine in any
//! mood. Each piece of work is done N times and 2 N times under callgrind; the difference is what one costs.

mod engine;
mod network;
mod table;
mod work;

use std::process::Command;

use anyhow::{Context, Result, bail};

pub(crate) use table::{Table, compare};

/// One piece of work.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// What is done once.
    pub(crate) what: &'static str,
    /// How often it is done at least.
    pub(crate) times: u64,
    run: fn(u64),
}

/// All pieces of work, in the order of the table.
pub(crate) fn all() -> Vec<Work> {
    work::all()
}

/// Does a piece of work so many times: what callgrind watches.
pub(crate) fn run(name: &str, times: u64) -> Result<()> {
    let work = all().into_iter().find(|work| work.name == name).with_context(|| format!("there is no work {name}"))?;
    (work.run)(times);
    Ok(())
}

/// Counts the instructions of each piece of work, once.
pub(crate) fn measure() -> Result<Table> {
    let mut rows = Vec::new();
    for work in all() {
        let once = instructions(work.name, work.times)?;
        let twice = instructions(work.name, work.times * 2)?;
        let each = twice.saturating_sub(once) / work.times;
        eprintln!("{}: {each}", work.name);
        rows.push((work.name.to_owned(), each));
    }
    Ok(Table(rows))
}

/// What this program takes for it in all.
fn instructions(name: &str, times: u64) -> Result<u64> {
    let mut callgrind = Command::new("valgrind");
    callgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(std::env::current_exe()?);
    let output = callgrind.args(["micro", name, &times.to_string()]).output().context("start valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find_map(|line| line.split_once("Collected : "));
    match line.and_then(|(_, count)| count.trim().parse().ok()) {
        Some(count) if output.status.success() => Ok(count),
        _ => bail!("{name} under callgrind: {said}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_work_comes_to_its_end() {
        for work in super::all() {
            (work.run)(1);
            (work.run)(3);
        }
    }
}
