//! How fast Moorline is: its program between a client and a server, beside others in the same place at the same time.
//!
//! Everything is started here, on this machine: the server, the client, and what is between. Nothing here is part of the
//! product.

mod chain;
mod cipher;
mod competitor;
mod figure;
mod generator;
mod load;
mod machine;
mod micro;
mod process;
mod report;
mod run;
mod statistics;
mod window;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use competitor::Site;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use run::Run;
use window::Times;

/// Measure the moorline program beside others that carry TCP through mutual TLS
///
/// Writes results.json, report.md and plots. The program under test is what MOORLINE_BIN names, else the one beside
/// this program; the network's own router is what SKROUTERD names, if it names one.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    other: Option<Other>,

    #[command(flatten)]
    run: RunArguments,
}

/// What else there is to measure.
#[derive(Debug, Subcommand)]
enum Other {
    /// Count the instructions of parts of the data path (with callgrind), and compare them with those kept
    Instructions {
        /// The table that is kept
        #[arg(long, default_value = "bench/instructions.md", value_name = "FILE")]
        table: PathBuf,

        /// Write the table anew
        #[arg(long)]
        keep: bool,
    },
    /// Do a part's work so many times, for callgrind
    Micro {
        /// Which, as in the table
        name: String,
        /// How often
        times: u64,
    },
}

#[derive(Debug, Args)]
struct RunArguments {
    /// What is carried: all loads unless named, with commas
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    load: Vec<String>,

    /// Cases of these loads: those whose name has one of these texts
    #[arg(long, value_delimiter = ',', value_name = "TEXT,...")]
    case: Vec<String>,

    /// Who carries it: all that are installed unless named, with commas
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    competitor: Vec<String>,

    /// How often all of it is done
    #[arg(long, default_value_t = 3, value_name = "N")]
    reps: u32,

    /// How long a measurement lasts, after a third of that to warm up
    #[arg(long, default_value_t = 2.0, value_name = "S")]
    seconds: f64,

    /// Where the results go
    #[arg(long, default_value = "target/bench", value_name = "DIR")]
    out: PathBuf,

    /// How many threads a skrouterd has, if not as many as it chooses
    #[arg(long, value_name = "N")]
    workers: Option<u32>,

    /// A hundredth of connections, services and pauses: shows that it works, and says nothing of how fast
    #[arg(long)]
    small: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.other {
        None => run(arguments.run).map(|()| ExitCode::SUCCESS),
        Some(Other::Micro { name, times }) => micro::run(&name, times).map(|()| ExitCode::SUCCESS),
        Some(Other::Instructions { table, keep }) => instructions(&table, keep),
    }
}

/// Fails if a part takes more than it did.
fn instructions(path: &Path, keep: bool) -> Result<ExitCode> {
    let now = micro::measure()?;
    let before = micro::Table::read(&fs::read_to_string(path).unwrap_or_default());
    let (said, worse) = micro::compare(&before, &now);
    print!("{said}");
    if keep {
        fs::write(path, now.markdown(&micro::all())).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(if worse && !keep { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn run(arguments: RunArguments) -> Result<()> {
    allow_connections()?;
    let site = Site::new(program()?, arguments.workers);
    let competitors = chosen(competitor::all(&site), &arguments.competitor, |competitor| competitor.name)?;
    let mut loads = chosen(load::all(), &arguments.load, |load| load.name)?;
    if !arguments.case.is_empty() {
        for load in &mut loads {
            load.cases.retain(|case| arguments.case.iter().any(|text| case.name.contains(text)));
        }
    }
    for competitor in &competitors {
        match &competitor.version {
            Ok(version) => eprintln!("{}: {version}", competitor.name),
            Err(reason) => eprintln!("{}: left out, {reason}", competitor.name),
        }
    }
    let window = Duration::try_from_secs_f64(arguments.seconds).context("--seconds")?;
    let times = Times { warm_up: window / 3, window };
    let run = Run { site, competitors, loads, repetitions: arguments.reps, times, small: arguments.small };
    run.run(|results| report::write(results, &arguments.out))?;
    println!("{}", arguments.out.join("report.md").display());
    Ok(())
}

/// Those of `all` that have one of `names`; all where none is named.
fn chosen<T>(all: Vec<T>, names: &[String], name: impl Fn(&T) -> &'static str) -> Result<Vec<T>> {
    let known: Vec<&str> = all.iter().map(&name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no {unknown}, but {}", known.join(", "));
    }
    Ok(all.into_iter().filter(|one| names.is_empty() || names.iter().any(|wanted| wanted == name(one))).collect())
}

/// The program under test.
fn program() -> Result<PathBuf> {
    let program = match std::env::var_os("MOORLINE_BIN") {
        Some(path) => std::path::absolute(path)?,
        None => std::env::current_exe()?.with_file_name("moorline"),
    };
    if !program.is_file() {
        bail!(
            "{} is missing: build it (cargo build --release -p moorline) or name one in MOORLINE_BIN",
            program.display()
        );
    }
    Ok(program)
}

/// As many descriptors as this process may have: it holds both ends of each connection, and what it starts inherits it.
fn allow_connections() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("more descriptors")
}
