//! Logs: on stderr, as text or as one JSON object a line.
//!
//! The target `access` has one line for each TCP connection, at its end. No line ever holds a secret. Levels can be set
//! while the program runs, through the router's management.

mod control;
mod journal;
mod modules;
mod recent;

use std::io;
use std::sync::{Arc, OnceLock};

use clap::{Args, ValueEnum};
use moorline_router::io::LogControl;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, reload};

use crate::output;
use control::Control;
use recent::{Recent, Remembering};

/// What a command logs that says the rest on stdout: warnings, and connections.
pub(crate) const QUIET: &str = "warn,access=info";

/// How to log.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct LogArguments {
    /// How log lines on stderr look
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    log_format: Format,

    /// What is logged: a level, or a level for each part
    ///
    /// A level is error, warn, info, debug or trace. The part `access` writes one line for each connection:
    /// `--log-level info,access=off` leaves those lines out. [default: warn,access=info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<Targets>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl LogArguments {
    /// Begins to log, once a process.
    pub(crate) fn start(&self) {
        begin(self.log_level.clone().unwrap_or_else(|| targets(QUIET)), self.log_format);
    }
}

/// Begins to log as text what `levels` names.
pub(crate) fn start(levels: &str) {
    begin(targets(levels), Format::Text);
}

/// The log of this process, once it has begun.
pub(crate) fn control() -> Option<Arc<dyn LogControl>> {
    CONTROL.get().map(|control| Arc::clone(control) as Arc<dyn LogControl>)
}

/// There is one log a process, as there is one stderr.
static CONTROL: OnceLock<Arc<Control>> = OnceLock::new();

fn targets(levels: &str) -> Targets {
    levels.parse().unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO))
}

fn begin(levels: Targets, format: Format) {
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match format {
        Format::Text if journal::reads_stderr() => {
            lines.with_writer(journal::Prioritised).without_time().with_level(false).with_ansi(false).boxed()
        }
        Format::Text => lines.with_ansi(output::coloured(&std::io::stderr())).boxed(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    };
    let recent = Arc::new(Recent::default());
    let (filter, handle) = reload::Layer::new(levels.clone());
    let layer = lines.and_then(Remembering(Arc::clone(&recent))).with_filter(filter);
    // A second start keeps the first one's settings.
    if tracing_subscriber::registry().with(layer).try_init().is_ok() {
        let _ = CONTROL.set(Arc::new(Control::new(levels, handle, recent)));
    }
}
