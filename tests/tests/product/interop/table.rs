//! What was seen: one line a ground, one word a scenario.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Results under collection.
pub(crate) struct Table {
    version: String,
    rows: Vec<(String, String, Result<(), String>)>,
}

impl Table {
    pub(crate) fn new(version: &str) -> Self {
        Self { version: version.to_owned(), rows: Vec::new() }
    }

    /// Does it, and keeps what came of it.
    pub(crate) fn record(&mut self, ground: &str, scenario: &str, run: impl FnOnce() -> std::io::Result<()>) {
        let outcome = match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(panic) => {
                let words = panic.downcast_ref::<String>().cloned();
                Err(words.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
            }
        };
        println!("{ground} | {scenario} | {outcome:?}");
        self.rows.push((ground.to_owned(), scenario.to_owned(), outcome));
    }

    /// Prints all of it; panics if something failed.
    pub(crate) fn print_and_judge(self) {
        println!("\n== skrouterd {}", self.version);
        let mut last = "";
        for (ground, scenario, outcome) in &self.rows {
            if ground != last {
                println!("{ground}");
                last = ground;
            }
            println!("    {scenario:24} {}", if outcome.is_ok() { "good" } else { "FAILED" });
        }
        let failed: Vec<_> = self.rows.iter().filter(|(_, _, outcome)| outcome.is_err()).collect();
        assert!(failed.is_empty(), "{failed:#?}");
    }
}
