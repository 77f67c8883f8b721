//! `moorline token`: the files that let gateways link to a hub.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use moorline_bundle::{Endpoint, LinkToken, Validity, files};

use crate::cli::closing;
use crate::failure::{Blame, Failure};
use crate::hub::site::{Site, StateDirectory, parse_host};
use crate::output::{say, warning};
use crate::{directories, host};

/// Make the tokens that let gateways link to a hub
#[derive(Debug, Subcommand)]
#[command(after_long_help = closing!("moorline token create token.yaml --host hub.example.com"))]
pub(crate) enum Command {
    Create(Create),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(arguments) => arguments.run(),
        }
    }
}

/// Make a link token: the file that lets a gateway link to this hub
///
/// A token carries the hub's host and port, and a new certificate from the hub's authority. Whoever has the file can
/// link: it is written for its owner's eyes alone, and belongs on no shared disk. It has the form of Skupper's
/// tokens that carry certificates, and works in their place.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline token create token.yaml",
    "moorline token create token.yaml --host hub.example.com",
))]
pub(crate) struct Create {
    /// Where to write the token
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The host name or address by which the gateway reaches the hub
    ///
    /// [default: the first --host of the hub, else where it listens]
    #[arg(long, value_name = "NAME", value_parser = parse_host)]
    host: Option<String>,

    /// The port by which the gateway reaches the hub [default: the one that it listens on]
    #[arg(long, value_name = "PORT")]
    port: Option<NonZeroU16>,

    /// The name of the token, also in its certificate
    #[arg(long, value_name = "NAME", default_value = "skupper")]
    name: String,

    /// The hub's state directory
    ///
    /// [default: $XDG_STATE_HOME/moorline/hub, for root without one /var/lib/moorline/hub]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,

    /// Replace FILE if it exists
    #[arg(long)]
    force: bool,
}

impl Create {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let dir = match &self.state_dir {
            Some(dir) => dir.clone(),
            None => directories::hub_state()?,
        };
        let directory = StateDirectory::new(&dir)?;
        let mut site = directory.site()?.ok_or_else(|| never_started(&dir, self.state_dir.as_deref()))?;
        self.refuse_to_overwrite()?;

        let host = self.host.clone().unwrap_or_else(|| default_host(&site));
        let edge = Endpoint::new(&host, self.port.unwrap_or(site.listen.port)).or_input()?;
        let validity = Validity::starting(SystemTime::now());
        let credentials = directory.authority(&site)?.issue_client(&self.name, validity).or_input()?;
        let token = LinkToken {
            name: self.name.clone(),
            // Skupper reads both; an interior router that tries is refused by the hub, which says so.
            inter_router: Some(edge.clone()),
            edge,
            generated_by: Some(site.id.clone()),
            site_version: Some(host::SKUPPER_VERSION.to_owned()),
            cost: None,
            credentials,
        };
        files::write_secret(&self.file, token.to_yaml().as_bytes()).or_runtime()?;
        // As Skupper says it, trailing blank included.
        say(format_args!("Connection token written to {} ", self.file.display()));
        advise(&directory, &mut site, &host, self.host.is_some())
    }

    fn refuse_to_overwrite(&self) -> Result<(), Failure> {
        if !self.force && self.file.symlink_metadata().is_ok() {
            return Err(Failure::Input(anyhow!("{} exists; --force replaces it", self.file.display())));
        }
        Ok(())
    }
}

fn never_started(dir: &Path, given: Option<&Path>) -> Failure {
    let place = given.map(|dir| format!(" --state-dir {}", dir.display())).unwrap_or_default();
    Failure::Input(anyhow!(
        "no hub was ever started with the state directory {}: start it with `moorline hub run{place}`, and name the \
         same directory here",
        dir.display()
    ))
}

fn default_host(site: &Site) -> String {
    let own = host::name();
    match site.hosts.first() {
        Some(host) => host.clone(),
        None if !site.listen.is_wildcard() => site.listen.host.clone(),
        None if site.certified.contains(&own) => own,
        None => "127.0.0.1".to_owned(),
    }
}

/// Says why links with the token would fail, and what to do about it. A name that the certificate lacks is remembered,
/// so that the hub's next start adds it.
fn advise(directory: &StateDirectory, site: &mut Site, host: &str, host_was_given: bool) -> Result<(), Failure> {
    if !site.certified.iter().any(|name| name.eq_ignore_ascii_case(host)) {
        if !site.hosts.iter().any(|name| name == host) {
            site.hosts.push(host.to_owned());
            directory.remember(site)?;
        }
        warning(&format!(
            "the hub's certificate does not name {host} yet, and gateways refuse it until it does: restart the hub, \
             which adds {host}"
        ));
    }
    let elsewhere = host != "localhost" && !host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if site.listen.is_loopback() && (elsewhere || !host_was_given) {
        warning(&format!(
            "the hub listens on {}, which this machine alone can reach; for others start it with \
             `moorline hub run --listen 0.0.0.0:{}`",
            site.listen, site.listen.port
        ));
    }
    Ok(())
}
