//! This host and this process: names and identities.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::Context;
use nix::sys::{prctl, signal::Signal};
use nix::unistd::Uid;

use crate::failure::{Blame, Failure};

/// The version of Skupper whose files and tokens ours are compatible with, for the places where Skupper expects its own
/// version: it refuses tokens and sites whose version is below 0.8.0.
pub(crate) const SKUPPER_VERSION: &str = "1.8.7";

/// Ports that nobody gets by chance: below those that systems give to clients.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
const ATTEMPTS: usize = 200;

/// This host's name, without characters that have no place in a router's id.
pub(crate) fn name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    if plain.is_empty() { "localhost".to_owned() } else { plain }
}

/// What the user who runs this is called: as the host's file of users has it, else as the environment says, else a number.
pub(crate) fn user_name() -> String {
    let id = Uid::effective().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let known = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    known.or_else(|| std::env::var("USER").ok().filter(|name| !name.is_empty())).unwrap_or(id)
}

/// The site that a router of this process belongs to: as the environment says, as the network's own router has it, else
/// as `otherwise` has it.
pub(crate) fn site(otherwise: impl FnOnce() -> String) -> Option<String> {
    let said = std::env::var("SKUPPER_SITE_ID").ok().filter(|site| !site.is_empty());
    Some(said.unwrap_or_else(otherwise)).filter(|site| !site.is_empty())
}

/// A random identity (UUID version 4).
pub(crate) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Asks the system for SIGTERM when the process that started this one ends, so that it leaves nothing behind.
pub(crate) fn end_with_parent() -> Result<(), Failure> {
    prctl::set_pdeathsig(Signal::SIGTERM).context("cannot be told of the end of the parent process").or_runtime()
}

/// A port of 127.0.0.1 that nobody has now. Somebody may take it before we do; who then opens it says so.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(PORTS)).take(ATTEMPTS);
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports.find(free).context("no port of 127.0.0.1 is free")
}
