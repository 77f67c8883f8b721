//! What a directory holds, to compare before and after.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::payload::digest_of;

/// Every path below a directory, with what would change if somebody touched it.
pub type Tree = BTreeMap<PathBuf, Entry>;

/// One file or directory.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    mode: u32,
    inode: u64,
    modified: (i64, i64),
    content: Option<String>,
}

/// Reads all of it.
#[must_use]
pub fn tree(dir: &Path) -> Tree {
    let mut found = Tree::new();
    walk(dir, &mut found);
    found
}

fn walk(path: &Path, found: &mut Tree) {
    let meta = fs::symlink_metadata(path).expect("what is there");
    let content = meta.is_file().then(|| digest_of(&fs::read(path).expect("a readable file")));
    let modified = (meta.mtime(), meta.mtime_nsec());
    found.insert(path.to_owned(), Entry { mode: meta.mode(), inode: meta.ino(), modified, content });
    if meta.is_dir() {
        for entry in fs::read_dir(path).expect("a readable directory") {
            walk(&entry.expect("an entry").path(), found);
        }
    }
}
