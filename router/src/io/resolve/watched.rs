//! A file of the host's configuration, read again when it has changed.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// More of a file is not read. Lists of unwanted hosts in `/etc/hosts` come near it.
const LARGEST: u64 = 32 * 1024 * 1024;

/// A file and what it said when it was last looked at.
pub(super) struct Watched<T> {
    path: PathBuf,
    seen: RefCell<Option<(Stamp, Rc<T>)>>,
}

/// What differs when a file is written or replaced; `None` of a file that is not there.
type Stamp = Option<(u64, u64, i64, i64, u64)>;

impl<T> Watched<T> {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, seen: RefCell::new(None) }
    }

    /// What the file says now. `parse` gets the content, or why there is none.
    pub(super) fn now(&self, parse: impl FnOnce(io::Result<Vec<u8>>) -> T) -> Rc<T> {
        // Before the content: a change in between is seen the next time.
        let stamp = stamp(&self.path);
        let mut seen = self.seen.borrow_mut();
        if let Some((known, content)) = &*seen
            && *known == stamp
        {
            return Rc::clone(content);
        }
        let content = Rc::new(parse(read(&self.path)));
        *seen = Some((stamp, Rc::clone(&content)));
        content
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.mtime(), found.mtime_nsec(), found.size()))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut content)?;
    Ok(content)
}
