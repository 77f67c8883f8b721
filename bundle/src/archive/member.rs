//! What may be in a bundle, and under which path.

use super::limits;
use crate::credentials::Part;

pub(super) const CERTIFICATES: &str = "skupper-router-certs";
/// The profile of the uplink's certificates.
pub(super) const UPLINK_PROFILE: &str = "conn1-profile";
pub(super) const CONFIG: &str = "config/skrouterd.json";
pub(super) const DEFINITION: &str = "gateway.yaml";
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const PROGRAM: &str = "moorline";
/// Skupper's, which fills in the variables of the configuration.
pub(super) const EXPANDER: &str = "expandvars.py";
pub(super) const LAUNCH: &str = "launch.sh";
pub(super) const REMOVE: &str = "remove.sh";
/// The names that Skupper's documentation gives to the scripts.
pub(super) const LAUNCH_DOCUMENTED: &str = "launch.py";
pub(super) const REMOVE_DOCUMENTED: &str = "remove.py";

/// The parts of a set of certificates.
pub(super) const PARTS: [Part; 3] = [Part::Authority, Part::Certificate, Part::Key];

/// The longest name of a gateway or a profile, in bytes.
const LONGEST_NAME: usize = 128;

/// A file that belongs in a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member<'a> {
    /// Of this profile.
    Certificate(&'a str, Part),
    /// Of the gateway of this name.
    Unit(&'a str),
    Text,
    Script,
    Program,
}

impl<'a> Member<'a> {
    /// What belongs at a path; `None` if nothing does.
    pub(super) fn at(path: &'a str) -> Option<Self> {
        match path {
            CONFIG | DEFINITION | MANIFEST => return Some(Self::Text),
            LAUNCH | REMOVE | LAUNCH_DOCUMENTED | REMOVE_DOCUMENTED | EXPANDER => return Some(Self::Script),
            PROGRAM => return Some(Self::Program),
            _ => {}
        }
        if let Some(unit) = path.strip_prefix("service/") {
            return unit.strip_suffix(".service").filter(|name| is_name(name)).map(Self::Unit);
        }
        let (profile, file) = path.strip_prefix(CERTIFICATES)?.strip_prefix('/')?.split_once('/')?;
        let part = PARTS.into_iter().find(|part| part.name() == file)?;
        is_name(profile).then_some(Self::Certificate(profile, part))
    }

    /// Whether a directory belongs there.
    pub(super) fn directory_at(path: &str) -> bool {
        let profile = path.strip_prefix(CERTIFICATES).and_then(|rest| rest.strip_prefix('/'));
        matches!(path, "config" | "service" | CERTIFICATES) || profile.is_some_and(is_name)
    }

    /// The most bytes that it may have.
    pub(super) fn largest(self) -> u64 {
        match self {
            Self::Program => limits::PROGRAM,
            Self::Text => limits::TEXT,
            Self::Certificate(..) | Self::Unit(_) | Self::Script => limits::SMALL,
        }
    }

    /// Its permissions on the other host.
    pub(super) fn mode(self) -> u32 {
        match self {
            Self::Script | Self::Program => 0o700,
            Self::Certificate(..) | Self::Unit(_) | Self::Text => 0o600,
        }
    }
}

pub(super) fn certificate(profile: &str, part: Part) -> String {
    format!("{CERTIFICATES}/{profile}/{}", part.name())
}

pub(super) fn unit(name: &str) -> String {
    format!("service/{name}.service")
}

/// Whether a text can name a gateway or a profile: safe as a file name, and in everything that is made from it. Wider than
/// the rule for definitions, because Skupper had none.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}
