//! The directory of definitions, as it is now.
//!
//! It is looked at, and not watched: that works on every file system, a look of a few files costs less than a
//! millisecond, and no event can be lost.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nix::unistd::Uid;

/// More is no directory of definitions.
const MOST_FILES: usize = 1000;
const OTHERS_WRITE: u32 = 0o002;

/// The definitions that are there.
pub(super) type Look = BTreeMap<PathBuf, Print>;

/// What changes when a definition or its token is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Print {
    definition: Option<Stamp>,
    token: Option<Stamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

/// Looks at all definitions.
///
/// # Errors
/// The directory is not there, or another user may write in it, who could make gateways in this user's name.
pub(super) fn look(dir: &Path) -> anyhow::Result<Look> {
    let said = || dir.display().to_string();
    let found = fs::metadata(dir).with_context(said)?;
    if ![0, Uid::effective().as_raw()].contains(&found.uid()) || found.mode() & OTHERS_WRITE != 0 {
        bail!("{}: others may write in it: chown it to this user, and chmod o-w", dir.display());
    }
    let mut look = Look::new();
    for entry in fs::read_dir(dir).with_context(said)? {
        let path = entry.with_context(said)?.path();
        if !is_definition(&path) || path.is_dir() {
            continue;
        }
        let token = token_of(&path).and_then(|token| stamp(&token));
        look.insert(path.clone(), Print { definition: stamp(&path), token });
        if look.len() > MOST_FILES {
            bail!("{}: more than {MOST_FILES} definitions", dir.display());
        }
    }
    Ok(look)
}

/// Whether a file of this name is a definition.
pub(super) fn is_definition(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(".");
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    stem.is_some_and(|stem| !stem.is_empty() && !stem.starts_with('.') && !stem.ends_with(".token"))
}

/// The link token beside a definition, if there is one.
pub(super) fn token_of(definition: &Path) -> Option<PathBuf> {
    ["token", "token.yaml"].map(|end| definition.with_extension(end)).into_iter().find(|token| token.is_file())
}

/// Whether nothing of that name is there: what cannot be told is no reason to delete.
pub(super) fn is_gone(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some(Stamp {
        file: (found.dev(), found.ino()),
        size: found.size(),
        written: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_told_from_tokens_and_what_editors_leave() {
        for (name, expected) in [
            ("db.yaml", true),
            ("db.yml", true),
            ("a.b.yaml", true),
            ("db.token.yaml", false),
            (".db.yaml", false),
            (".yaml", false),
            ("db.yaml~", false),
            ("db.yaml.swp", false),
            ("db.token", false),
            ("db", false),
        ] {
            assert_eq!(is_definition(Path::new("/etc").join(name).as_path()), expected, "{name}");
        }
    }

    #[test]
    fn a_look_tells_what_was_written_since() {
        let dir = tempfile::tempdir().unwrap();
        let (definition, token) = (dir.path().join("db.yaml"), dir.path().join("db.token"));
        assert!(look(dir.path()).unwrap().is_empty());
        fs::write(&definition, "name: db\n").unwrap();
        let first = look(dir.path()).unwrap();
        assert_eq!(first.keys().collect::<Vec<_>>(), [&definition]);
        assert_eq!(look(dir.path()).unwrap(), first);
        fs::write(&token, "token").unwrap();
        let second = look(dir.path()).unwrap();
        assert_ne!(second, first, "a token came");
        // Another file in its place, of the same size and perhaps the same moment.
        fs::write(dir.path().join("new"), "name: eb\n").unwrap();
        fs::rename(dir.path().join("new"), &definition).unwrap();
        assert_ne!(look(dir.path()).unwrap(), second);
        assert!(look(&dir.path().join("absent")).is_err());
    }

    #[test]
    fn a_directory_in_which_all_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(look(dir.path()).unwrap_err().to_string().contains("others may write"));
    }
}
