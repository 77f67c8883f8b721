//! The host: who would keep the gateway running, and what it needs besides.

use std::fs;
use std::path::Path;

use moorline_systemd::clock;
use moorline_systemd::logind::{self, Linger, User};
use nix::sys::statvfs::statvfs;
use nix::unistd::Uid;

use super::finding::Finding;
use crate::directories;
use crate::installation::keeper::{GatewayType, Keeper};

/// What a gateway needs, and an upgrade of one besides.
const SPACE: u64 = 100 * 1024 * 1024;

/// The host, for a gateway of this type.
pub(super) async fn look(kind: GatewayType) -> Vec<Finding> {
    let mut findings = vec![keeper(kind).await];
    if let Ok(Keeper::Container(engine)) = kind.connect().await {
        let said = |gap| Finding { remedy: None, ..Finding::warning("reboot", gap, "") };
        findings.extend(engine.gaps().await.into_iter().map(said));
    }
    findings.extend(rest(kind).await);
    findings
}

/// Who would keep it running.
pub(super) async fn keeper(kind: GatewayType) -> Finding {
    match kind.connect().await {
        Ok(keeper) => Finding::good(kind.name(), format!("{} answers", keeper.version())),
        Err(failure) => absent(kind, &failure.words().unwrap_or_default()),
    }
}

/// What it needs besides.
pub(super) async fn rest(kind: GatewayType) -> Vec<Finding> {
    let mut findings = vec![space(), clock().await];
    if kind == GatewayType::Service && !Uid::effective().is_root() {
        findings.push(linger().await);
    }
    findings.extend(selinux());
    findings
}

/// The words name the next step themselves, where there is one.
fn absent(kind: GatewayType, words: &str) -> Finding {
    let other =
        "a gateway runs here in a container (-t podman, -t docker), or in the foreground (`moorline gateway run`)";
    let booted = Path::new("/run/systemd/system").exists();
    let remedy = (kind == GatewayType::Service && !booted).then(|| other.to_owned());
    Finding { remedy, ..Finding::bad(kind.name(), words, "") }
}

async fn linger() -> Finding {
    let user = User::current();
    match logind::linger(&user).await {
        Ok(Linger::On) => Finding::good("linger", format!("services of {user} run without a login")),
        Ok(Linger::Off) => Finding::warning(
            "linger",
            format!("services of {user} end with the last logout, and do not start with the host"),
            format!("`apply` asks for it; where that is denied: {}", logind::enable_command(&user)),
        ),
        Ok(Linger::Unknown) => Finding::warning(
            "linger",
            "this host has no logind to tell",
            "make sure that the host starts this user's systemd at boot",
        ),
        Err(fault) => Finding::warning("linger", fault.to_string(), logind::enable_command(&user)),
    }
}

pub(super) fn space() -> Finding {
    let Ok(state) = directories::gateways() else {
        return Finding::bad("space", "there is no place for a gateway's files", "set HOME or XDG_STATE_HOME");
    };
    let Some(there) = state.ancestors().find(|path| path.is_dir()) else {
        return Finding::bad("space", format!("{} cannot be made", state.display()), "make its parent directory");
    };
    match statvfs(there) {
        Err(errno) => {
            let words = format!("{} cannot be looked at: {errno}", there.display());
            Finding::bad("space", words, "look at its permissions, and at the file system that it is on")
        }
        Ok(found) => {
            let free = found.blocks_available().saturating_mul(found.fragment_size());
            let words = format!("{} MiB free at {}", free / (1024 * 1024), there.display());
            match free < SPACE {
                true => Finding::bad("space", words, "make room there, or set XDG_STATE_HOME to another file system"),
                false => Finding::good("space", words),
            }
        }
    }
}

async fn clock() -> Finding {
    match clock::is_synchronized().await {
        Some(true) => Finding::good("clock", "it is kept right from outside"),
        Some(false) => Finding::warning(
            "clock",
            "nobody keeps it right; certificates of a host whose clock is wrong are refused",
            "timedatectl set-ntp true, or run chronyd",
        ),
        None => Finding::good("clock", "whether somebody keeps it right is not known here"),
    }
}

fn selinux() -> Option<Finding> {
    let mode = fs::read_to_string(Path::new("/sys/fs/selinux/enforce")).ok()?;
    let mode = if mode.trim() == "1" { "enforcing" } else { "permissive" };
    Some(Finding::good("SELinux", format!("{mode}; a denial is in `ausearch -m avc -ts recent`")))
}
