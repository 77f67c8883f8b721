use std::path::PathBuf;

/// Why there can be no such unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitFault {
    /// Not a name for a service unit.
    #[error("\"{name}\" cannot be the name of a unit: use letters, digits, '.', '_' and '-', and end in \".service\"")]
    Name {
        /// The name.
        name: String,
    },
    /// systemd takes absolute paths only.
    #[error("{} is not an absolute path", path.display())]
    RelativePath {
        /// The path.
        path: PathBuf,
    },
    /// systemd reads units as UTF-8.
    #[error("{} is not UTF-8, which systemd needs of a path", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// A path that a unit has no way to write down.
    #[error("{path:?} has characters that no unit file can hold in a path")]
    Unwritable {
        /// The path.
        path: PathBuf,
    },
    /// A text that would not stay one line.
    #[error("the {field} must be one line without control characters or a backslash at its end")]
    LineBreak {
        /// Which text.
        field: &'static str,
    },
    /// Not the name of an environment variable, or a value with a NUL.
    #[error("\"{name}\" cannot be set in the environment")]
    Variable {
        /// Its name.
        name: String,
    },
    /// An argument with a NUL.
    #[error("an argument holds a NUL character")]
    Argument,
    /// Not the name of a credential.
    #[error("\"{name}\" cannot be the name of a credential: use letters, digits, '.', '_' and '-'")]
    Credential {
        /// The name.
        name: String,
    },
    /// Not the name of a user or group.
    #[error("\"{name}\" cannot be the name of a user or group")]
    Account {
        /// The name.
        name: String,
    },
    /// systemd on this host does not know a setting that is indispensable.
    #[error("{setting}= needs systemd {least} or later; this host has {release}")]
    TooOld {
        /// The setting.
        setting: &'static str,
        /// The first release that knows it.
        least: u32,
        /// The host's.
        release: u32,
    },
}
