//! Whether containers come back after the host was started anew.

use std::fmt;

use moorline_systemd::logind::{Linger, User, enable_command};
use moorline_systemd::{Manager, ManagerFault, Scope, UnitFault, UnitName};
use nix::unistd::Uid;

use crate::{Facts, Kind};

/// What keeps containers from coming back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The unit that starts them is not started itself.
    Disabled {
        /// The unit.
        unit: UnitName,
        /// What enables it.
        command: String,
        /// Whether that is not for this user to do.
        denied: bool,
    },
    /// There is no such unit on this host.
    NoUnit {
        /// The unit.
        unit: UnitName,
    },
    /// The user's units wait for a login.
    NoLinger {
        /// What ends that.
        command: String,
    },
}

/// The unit that starts the containers of an engine after a reboot, and whose systemd knows it.
///
/// podman has no process of its own that could; docker's is it.
pub fn unit(facts: &Facts) -> Result<(Scope, UnitName), UnitFault> {
    let scope = if facts.rootless { Scope::User } else { Scope::System };
    let stem = match facts.kind {
        Kind::Podman => "podman-restart",
        Kind::Docker => "docker",
    };
    Ok((scope, UnitName::service(stem)?))
}

/// What keeps the containers of an engine from coming back; nothing is good news.
///
/// `manager` is that of the scope that [`unit()`] tells. `user` and `linger` are of the one whose engine it is; they do not
/// matter for an engine of root's.
pub async fn gaps(facts: &Facts, manager: &Manager, user: &User, linger: Linger) -> Result<Vec<Gap>, ManagerFault> {
    let mut gaps = Vec::new();
    if let Ok((scope, unit)) = unit(facts) {
        let state = manager.unit(&unit).await?;
        if state.fragment.is_none() {
            gaps.push(Gap::NoUnit { unit });
        } else if !state.is_enabled() {
            let (command, denied) = match scope {
                Scope::User => (format!("systemctl --user enable {unit}"), false),
                Scope::System if Uid::effective().is_root() => (format!("systemctl enable {unit}"), false),
                Scope::System => (format!("sudo systemctl enable {unit}"), true),
            };
            gaps.push(Gap::Disabled { unit, command, denied });
        }
    }
    if facts.rootless && linger != Linger::On {
        gaps.push(Gap::NoLinger { command: enable_command(user) });
    }
    Ok(gaps)
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gap::Disabled { unit, command, .. } => {
                write!(f, "{unit}, which starts containers after a reboot, is not enabled: {command}")
            }
            Gap::NoUnit { unit } => {
                write!(f, "{unit}, which would start containers after a reboot, is not on this host")
            }
            Gap::NoLinger { command } => {
                write!(f, "the user's services start at the next login, not at boot: {command}")
            }
        }
    }
}
