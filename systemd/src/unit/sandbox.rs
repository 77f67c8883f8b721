//! What a service is kept from.

use std::fmt::Write as _;

use super::quote::quoted_path;
use super::{Account, Readiness, ServiceUnit, UnitFault};

/// What a service is kept from, as far as the host allows.
///
/// A router needs sockets, its own files, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    /// Filters, and a view of the host in which all is read-only but [`ServiceUnit::writable`], and home directories,
    /// temporary files, devices and other processes are not there.
    ///
    /// A user manager builds that view in a user namespace, which some hosts deny to users: the service then does not
    /// start. [`crate::Manager::sandboxing`] finds out beforehand.
    Full {
        /// Whether memory may be written and then executed. skrouterd needs it, for the Python in it.
        executable_memory: bool,
    },
    /// Filters alone: system calls, address families, privileges.
    Filters {
        /// As above.
        executable_memory: bool,
    },
}

/// What works without namespaces. Address families: netlink is how the C library learns of the host's addresses.
const FILTERS: &str = "\
NoNewPrivileges=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
RestrictNamespaces=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
";

/// What needs namespaces, or capabilities to give away.
const VIEW: &str = "\
ProtectSystem=strict
ProtectHome=tmpfs
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectControlGroups=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
ProtectHostname=yes
";

/// Writes the settings of `unit.sandbox`, and the paths that stay visible in it.
pub(super) fn write(unit: &ServiceUnit, text: &mut String) -> Result<(), UnitFault> {
    let (view, executable_memory) = match unit.sandbox {
        Sandbox::Full { executable_memory } => (true, executable_memory),
        Sandbox::Filters { executable_memory } => (false, executable_memory),
    };
    text.push_str(FILTERS);
    if !executable_memory {
        text.push_str("MemoryDenyWriteExecute=yes\n");
    }
    capabilities(unit, view, text);
    if view {
        text.push_str(VIEW);
        paths(unit, text)?;
    }
    Ok(())
}

fn capabilities(unit: &ServiceUnit, view: bool, text: &mut String) {
    if unit.account.low_ports() {
        text.push_str("CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n");
        return;
    }
    // A user manager has no capabilities to give away outside a user namespace, and fails when told to (218).
    if view || unit.account != Account::Session {
        text.push_str("CapabilityBoundingSet=\n");
    }
    // In a user unit everything below is silently left out without it by systemd before 256. In a system unit it
    // takes away whatever power the account has over the host; ports below 1024 would be out of reach as well.
    if view {
        text.push_str("PrivateUsers=yes\n");
    }
}

fn paths(unit: &ServiceUnit, text: &mut String) -> Result<(), UnitFault> {
    for path in std::iter::once(&unit.program.path).chain(&unit.readable) {
        let _ = writeln!(text, "BindReadOnlyPaths={}", quoted_path(path)?);
    }
    if unit.account == Account::Session && matches!(unit.readiness, Readiness::Notify { .. }) {
        // The user manager listens in the very directory that ProtectHome= hides.
        text.push_str("BindReadOnlyPaths=%t/systemd/notify\n");
    }
    for path in &unit.writable {
        let _ = writeln!(text, "BindPaths={}", quoted_path(path)?);
    }
    Ok(())
}
