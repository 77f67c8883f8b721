//! How far the fetching of an image is, for people: a bar on a terminal, elsewhere a line for each stage.

use std::collections::{BTreeMap, BTreeSet};

use moorline_containers::PullProgress;

use crate::output::{Progress, tell};

/// Cells of the bar.
const WIDTH: u64 = 30;
/// Engines have a dozen stages; more than these are not told.
const STAGES: usize = 50;
const MEGABYTE: f64 = 1_000_000.0;

/// An image that is being fetched.
pub(super) struct Fetching {
    /// Bytes that are done, and all, by layer.
    layers: BTreeMap<String, (u64, u64)>,
    stages: BTreeSet<String>,
    progress: Progress,
}

impl Fetching {
    pub(super) fn begin() -> Fetching {
        Fetching { layers: BTreeMap::new(), stages: BTreeSet::new(), progress: Progress::begin() }
    }

    pub(super) fn heard(&mut self, progress: PullProgress) {
        let stage = match progress {
            PullProgress::Layer { id, status, current, total } => {
                if total > 0 {
                    self.layers.insert(id, (current.min(total), total));
                }
                status
            }
            PullProgress::Message(text) => text,
        };
        if self.progress.is_seen() {
            self.progress.tell(self.bar());
        } else if self.stages.len() < STAGES && self.stages.insert(stage.clone()) {
            tell(&format!("  {}\n", stage.replace(char::is_control, " ")));
        }
    }

    fn bar(&self) -> String {
        let done: u64 = self.layers.values().map(|(done, _)| done).sum();
        let all: u64 = self.layers.values().map(|(_, all)| all).sum();
        let cells = usize::try_from((done * WIDTH).checked_div(all).unwrap_or(0)).unwrap_or(0);
        let megabytes = |bytes: u64| bytes as f64 / MEGABYTE;
        let width = usize::try_from(WIDTH).unwrap_or(0);
        format!("[{:<width$}] {:.1} of {:.1} MB", "#".repeat(cells), megabytes(done), megabytes(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_counts_all_layers() {
        let mut fetching = Fetching { layers: BTreeMap::new(), stages: BTreeSet::new(), progress: Progress::begin() };
        assert!(fetching.bar().ends_with("] 0.0 of 0.0 MB"));
        for (id, current) in [("a", 1_000_000), ("b", 500_000), ("a", 4_000_000)] {
            let (id, status) = (id.to_owned(), "Downloading".to_owned());
            fetching.heard(PullProgress::Layer { id, status, current, total: 3_000_000 });
        }
        assert_eq!(fetching.bar(), format!("[{}{}] 3.5 of 6.0 MB", "#".repeat(17), " ".repeat(13)));
    }
}
