//! Logs: on stderr, as text or as one JSON object a line.
//!
//! The target `access` has one line for each TCP connection, at its end. No line ever holds a secret.

use std::io;

use clap::{Args, ValueEnum};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::output;

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

fn targets(levels: &str) -> Targets {
    levels.parse().unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO))
}

fn begin(levels: Targets, format: Format) {
    let lines = fmt::layer().with_writer(io::stderr);
    let layer = match format {
        Format::Text => lines.with_ansi(output::coloured()).boxed(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    };
    // A second start keeps the first one's settings.
    let _ = tracing_subscriber::registry().with(layer.with_filter(levels)).try_init();
}
