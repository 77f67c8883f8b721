//! Levels that are set while the program runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use moorline_router::io::LogControl;
use moorline_router::management::LogLine;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::reload::Handle;

use super::modules;
use super::recent::Recent;

const DEFAULT: &str = "DEFAULT";

/// The log of this process, as the router's management sets and shows it.
pub(super) struct Control {
    /// What the command line asked for.
    base: Targets,
    /// What was set since, by module.
    set: Mutex<BTreeMap<String, LevelFilter>>,
    filter: Handle<Targets, Registry>,
    recent: Arc<Recent>,
}

impl Control {
    pub(super) fn new(base: Targets, filter: Handle<Targets, Registry>, recent: Arc<Recent>) -> Control {
        Control { base, set: Mutex::default(), filter, recent }
    }
}

impl LogControl for Control {
    fn set_level(&self, module: &str, level: &str) -> Result<(), String> {
        if !moorline_router::management::types::log::MODULES.contains(&module) {
            return Err(format!("there is no log module {module}"));
        }
        let wanted = parse(level)?;
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        match wanted {
            Some(level) => set.insert(module.to_owned(), level),
            None => set.remove(module),
        };
        self.filter.reload(combined(&self.base, &set)).map_err(|error| error.to_string())
    }

    fn recent(&self, limit: usize) -> Vec<LogLine> {
        self.recent.last(limit)
    }
}

/// What is logged: a module that was set goes before the command line, and before `DEFAULT`.
fn combined(base: &Targets, set: &BTreeMap<String, LevelFilter>) -> Targets {
    let mut targets = base.clone();
    if let Some(level) = set.get(DEFAULT) {
        targets = targets.with_default(*level);
    }
    for (module, level) in set {
        targets = targets.with_targets(modules::targets(module).iter().map(|target| (*target, *level)));
    }
    targets
}

/// A level as routers write it: `info+` is info and all that is graver. Several, separated by commas, mean the least
/// grave of them. None: `default`.
fn parse(text: &str) -> Result<Option<LevelFilter>, String> {
    let mut lowest: Option<LevelFilter> = None;
    for word in text.split([',', ' ', ';']).filter(|word| !word.is_empty()) {
        let word = word.to_ascii_lowercase();
        let level = match word.strip_suffix('+').unwrap_or(&word) {
            "trace" => LevelFilter::TRACE,
            "debug" => LevelFilter::DEBUG,
            "info" | "notice" => LevelFilter::INFO,
            "warning" => LevelFilter::WARN,
            "error" | "critical" => LevelFilter::ERROR,
            "none" => LevelFilter::OFF,
            "default" => return Ok(None),
            _ => {
                return Err(format!(
                    "`{text}` is no level: trace, debug, info, notice, warning, error, critical, none or default, with + \
                     for all that is graver too"
                ));
            }
        };
        lowest = lowest.max(Some(level));
    }
    Ok(lowest)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn levels_as_routers_write_them() {
        for (text, level) in [
            ("info+", Some(LevelFilter::INFO)),
            ("DEBUG", Some(LevelFilter::DEBUG)),
            ("error,info", Some(LevelFilter::INFO)),
            ("none", Some(LevelFilter::OFF)),
            ("default", None),
        ] {
            assert_eq!(parse(text), Ok(level), "{text}");
        }
        assert!(parse("loud").unwrap_err().contains("`loud` is no level"));
    }

    #[test]
    fn a_module_goes_before_the_default_and_the_command_line() {
        let base: Targets = "warn,access=info".parse().unwrap();
        let set = BTreeMap::from([
            (DEFAULT.to_owned(), LevelFilter::DEBUG),
            ("FLOW_LOG".to_owned(), LevelFilter::OFF),
            ("PROTOCOL".to_owned(), LevelFilter::ERROR),
        ]);
        let targets = combined(&base, &set);
        assert!(targets.would_enable("moorline_router::io::driver", &Level::DEBUG));
        assert!(!targets.would_enable("access", &Level::ERROR));
        assert!(!targets.would_enable("moorline_amqp::engine", &Level::WARN));
        assert!(combined(&base, &BTreeMap::new()).would_enable("access", &Level::INFO));
    }
}
