//! The last lines of the log, for those who ask the router for them.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use moorline_router::io::Timestamp;
use moorline_router::management::LogLine;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::modules;

/// So many are kept.
const MOST_LINES: usize = 500;
/// So much is kept of each, in bytes.
const LONGEST_LINE: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<VecDeque<LogLine>>);

impl Recent {
    pub(super) fn last(&self, limit: usize) -> Vec<LogLine> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().skip(lines.len().saturating_sub(limit)).cloned().collect()
    }

    fn add(&self, line: LogLine) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == MOST_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Keeps what is logged.
pub(super) struct Remembering(pub(super) Arc<Recent>);

impl<S: Subscriber> Layer<S> for Remembering {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        self.0.add(LogLine {
            module: modules::module(metadata.target()).to_owned(),
            level: match *metadata.level() {
                Level::ERROR => "error",
                Level::WARN => "warning",
                Level::INFO => "info",
                Level::DEBUG | Level::TRACE => "debug",
            },
            text: text.line(),
            time: Timestamp::now().unix(),
        });
    }
}

/// A message, and the values beside it.
#[derive(Default)]
struct Text {
    message: String,
    values: String,
}

impl Text {
    fn line(mut self) -> String {
        self.message.push_str(&self.values);
        if self.message.len() > LONGEST_LINE {
            let end = self.message.floor_char_boundary(LONGEST_LINE);
            self.message.truncate(end);
        }
        self.message
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // A string takes all that is written to it.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.values, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let recent = Arc::new(Recent::default());
        let subscriber = tracing_subscriber::registry().with(Remembering(Arc::clone(&recent)));
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..MOST_LINES + 1 {
                tracing::info!(target: "access", number, "connection ended");
            }
            tracing::warn!("{}", "long".repeat(LONGEST_LINE));
        });
        let lines = recent.last(2);
        assert_eq!((lines[0].module.as_str(), lines[0].level), ("FLOW_LOG", "info"));
        assert_eq!(lines[0].text, format!("connection ended number={MOST_LINES}"));
        assert_eq!((lines[1].level, lines[1].text.len()), ("warning", LONGEST_LINE));
        assert_eq!(recent.last(usize::MAX).len(), MOST_LINES);
    }
}
