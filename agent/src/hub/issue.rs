//! Credentials for one more gateway, from the authority of a hub.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::anyhow;
use clap::Args;
use moorline_bundle::{Endpoint, LinkToken, Validity};

use super::site::{Site, StateDirectory, parse_host};
use crate::failure::{Blame, Failure};
use crate::output::warning;
use crate::{directories, host};

/// Which hub, and how the gateway reaches it.
#[derive(Debug, Args)]
pub(crate) struct IssueArguments {
    /// The host name or address by which the gateway reaches the hub
    ///
    /// [default: the first --host of the hub, else where it listens]
    #[arg(long, value_name = "NAME", value_parser = parse_host)]
    host: Option<String>,

    /// The port by which the gateway reaches the hub [default: the one that it listens on]
    #[arg(long, value_name = "PORT")]
    port: Option<NonZeroU16>,

    /// The hub's state directory
    ///
    /// [default: $XDG_STATE_HOME/moorline/hub, for root without one /var/lib/moorline/hub]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

/// A hub of this machine, which may be down.
pub(crate) struct Issuer {
    directory: StateDirectory,
    site: Site,
    host: String,
    host_was_given: bool,
    edge: Endpoint,
}

impl IssueArguments {
    /// The hub; a failure of input when none was ever started there.
    pub(crate) fn issuer(&self) -> Result<Issuer, Failure> {
        let dir = match &self.state_dir {
            Some(dir) => dir.clone(),
            None => directories::hub_state()?,
        };
        let directory = StateDirectory::new(&dir)?;
        let site = directory.site()?.ok_or_else(|| never_started(&dir, self.state_dir.as_deref()))?;
        let host = self.host.clone().unwrap_or_else(|| default_host(&site));
        let edge = Endpoint::new(&host, self.port.unwrap_or(site.listen.port)).or_input()?;
        Ok(Issuer { directory, site, host, host_was_given: self.host.is_some(), edge })
    }
}

impl Issuer {
    /// A token of this name, with a new certificate.
    pub(crate) fn issue(&self, name: &str) -> Result<LinkToken, Failure> {
        let validity = Validity::starting(SystemTime::now());
        let credentials = self.directory.authority(&self.site)?.issue_client(name, validity).or_input()?;
        Ok(LinkToken {
            name: name.to_owned(),
            // Skupper reads both; an interior router that tries is refused by the hub, which says so.
            inter_router: Some(self.edge.clone()),
            edge: self.edge.clone(),
            generated_by: Some(self.site.id.clone()),
            site_version: Some(host::SKUPPER_VERSION.to_owned()),
            cost: None,
            credentials,
        })
    }

    /// Says why links with its tokens would fail, and what to do about it. A name that the certificate lacks is
    /// remembered, so that the hub's next start adds it.
    pub(crate) fn advise(self) -> Result<(), Failure> {
        let Issuer { directory, mut site, host, host_was_given, .. } = self;
        if !site.certified.iter().any(|name| name.eq_ignore_ascii_case(&host)) {
            if !site.hosts.contains(&host) {
                site.hosts.push(host.clone());
                directory.remember(&site)?;
            }
            warning(&format!(
                "the hub's certificate does not name {host} yet, and gateways refuse it until it does: restart the \
                 hub, which adds {host}"
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
