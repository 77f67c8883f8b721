use std::fmt;
use std::str::FromStr;

use super::UnitFault;

const SUFFIX: &str = ".service";
const SCOPE: &str = ".scope";
/// systemd's limit for the name of any unit, with its suffix.
const LONGEST: usize = 255;

/// The name of a service unit, such as `gateway.service`, or of a scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnitName(String);

impl UnitName {
    /// The unit `<stem>.service`.
    ///
    /// The stem is of letters, digits, `.`, `_` and `-`, and starts with a letter or digit. systemd would take more,
    /// but not as the name of a container or a directory too.
    pub fn service(stem: &str) -> Result<UnitName, UnitFault> {
        let fit = stem.starts_with(|c: char| c.is_ascii_alphanumeric())
            && stem.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            && stem.len() + SUFFIX.len() <= LONGEST;
        if fit { Ok(UnitName(format!("{stem}{SUFFIX}"))) } else { Err(UnitFault::Name { name: stem.to_owned() }) }
    }

    /// The unit `<stem>.scope`, which holds processes that others started. The stem is as for a service.
    pub fn scope(stem: &str) -> Result<UnitName, UnitFault> {
        UnitName::service(stem).map(|service| UnitName(format!("{}{SCOPE}", service.stem())))
    }

    /// The name without `.service` or `.scope`.
    pub fn stem(&self) -> &str {
        let stem = self.0.strip_suffix(SUFFIX).or_else(|| self.0.strip_suffix(SCOPE));
        stem.unwrap_or(&self.0)
    }
}

impl FromStr for UnitName {
    type Err = UnitFault;

    /// Takes the whole name, with `.service`.
    fn from_str(name: &str) -> Result<UnitName, UnitFault> {
        name.strip_suffix(SUFFIX).ok_or_else(|| UnitFault::Name { name: name.to_owned() }).and_then(UnitName::service)
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for UnitName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
