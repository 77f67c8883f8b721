//! Where files go when the user does not say.

use std::path::PathBuf;

use anyhow::anyhow;
use nix::unistd::Uid;

use crate::failure::Failure;

/// For files that live as long as a process: `$XDG_RUNTIME_DIR/moorline`, for root without one `/run/moorline`.
pub(crate) fn runtime() -> PathBuf {
    let user = Uid::effective();
    match absolute("XDG_RUNTIME_DIR") {
        Some(dir) => dir.join("moorline"),
        None if user.is_root() => PathBuf::from("/run/moorline"),
        None => std::env::temp_dir().join(format!("moorline-{user}")),
    }
}

/// For a hub's authority: `$XDG_STATE_HOME/moorline/hub`, for root without one `/var/lib/moorline/hub`.
pub(crate) fn hub_state() -> Result<PathBuf, Failure> {
    Ok(state("name a directory with --state-dir DIR")?.join("hub"))
}

/// For gateways that are installed: `$XDG_STATE_HOME/moorline/gateways`, for root without one
/// `/var/lib/moorline/gateways`.
pub(crate) fn gateways() -> Result<PathBuf, Failure> {
    Ok(state("set one of them")?.join("gateways"))
}

/// What was made on this host for the agent: `$XDG_STATE_HOME/moorline/agent.json`, for root without one in
/// `/var/lib/moorline`.
pub(crate) fn agent_record() -> Result<PathBuf, Failure> {
    Ok(state("set one of them")?.join("agent.json"))
}

/// For the definitions that the agent keeps, where no other directory is named: `$XDG_CONFIG_HOME/moorline/gateways`.
pub(crate) fn definitions() -> Result<PathBuf, Failure> {
    Ok(config()?.join("moorline/gateways"))
}

/// For the settings of the user's programs: `$XDG_CONFIG_HOME`, else `~/.config`.
pub(crate) fn config() -> Result<PathBuf, Failure> {
    let home = || absolute("HOME").map(|home| home.join(".config"));
    absolute("XDG_CONFIG_HOME")
        .or_else(home)
        .ok_or_else(|| Failure::Input(anyhow!("neither XDG_CONFIG_HOME nor HOME is set: set one of them")))
}

/// For the data of the user's programs: `$XDG_DATA_HOME`, else `~/.local/share`.
pub(crate) fn data() -> Result<PathBuf, Failure> {
    let home = || absolute("HOME").map(|home| home.join(".local/share"));
    absolute("XDG_DATA_HOME")
        .or_else(home)
        .ok_or_else(|| Failure::Input(anyhow!("neither XDG_DATA_HOME nor HOME is set: set one of them")))
}

fn state(remedy: &str) -> Result<PathBuf, Failure> {
    if let Some(dir) = absolute("XDG_STATE_HOME") {
        return Ok(dir.join("moorline"));
    }
    if Uid::effective().is_root() {
        return Ok(PathBuf::from("/var/lib/moorline"));
    }
    match absolute("HOME") {
        Some(home) => Ok(home.join(".local/state/moorline")),
        None => Err(Failure::Input(anyhow!("neither XDG_STATE_HOME nor HOME is set: {remedy}"))),
    }
}

/// A relative path in one of these variables is to be ignored (XDG Base Directory Specification).
fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}
