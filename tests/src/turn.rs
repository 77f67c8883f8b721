//! Taking turns: tests that would disturb each other by their weight, in whatever process they run.

use std::fs::{File, OpenOptions};

/// The right to load the machine, until dropped.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "closing it ends the turn")] File);

/// Waits for its turn.
#[must_use]
pub fn heavy() -> Turn {
    let path = std::env::temp_dir().join(format!("moorline-test-heavy-{}", nix::unistd::getuid()));
    let file = OpenOptions::new().create(true).append(true).open(path).expect("the file of turns");
    file.lock().expect("a turn");
    Turn(file)
}
