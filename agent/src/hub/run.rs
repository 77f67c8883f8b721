//! `moorline hub run`: a hub in the foreground.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use moorline_bundle::{Authority, expiry, files};
use moorline_definition::router_config::{
    AddressEntity, Listener, Metadata, Role, RouterConfig, RouterEntity, RouterMode, SslProfile,
};

use super::listen_address::ListenAddress;
use super::narrator::HubNarrator;
use super::server_certificate;
use super::site::{SERVER_PROFILE, Site, StateDirectory, parse_host};
use crate::cli::closing;
use crate::embedded::{self, RouterArguments};
use crate::failure::{Blame, Failure};
use crate::lock::Lock;
use crate::logging::LogArguments;
use crate::token_file::EXPIRES_SOON;
use crate::{directories, host, output};

/// Run a hub in the foreground
///
/// On its first start it makes a certificate authority and a server certificate in its state directory, open to nobody
/// else. Gateways link to it over mutual TLS with a token from `moorline token create`; whoever has none is refused.
///
/// It listens on this machine alone until told otherwise: --listen 0.0.0.0:45671 is every interface.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline hub run",
    "moorline hub run --listen 0.0.0.0:45671 --host hub.example.com",
))]
pub(crate) struct Arguments {
    /// Where gateways link to; 0.0.0.0 as HOST is every interface
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:45671")]
    listen: ListenAddress,

    /// A host name or address by which gateways reach this hub; may be given several times
    ///
    /// It goes into the server certificate, and is remembered: later starts need not name it again.
    #[arg(long = "host", value_name = "NAME", value_parser = parse_host)]
    hosts: Vec<String>,

    /// The hub's name, its router's id on the network [default: as before, at first moorline-hub-HOSTNAME]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<String>,

    /// Where the authority, the certificate and the configuration are kept
    ///
    /// [default: $XDG_STATE_HOME/moorline/hub, for root without one /var/lib/moorline/hub]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,

    #[command(flatten)]
    router: RouterArguments,

    #[command(flatten)]
    log: LogArguments,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        self.log.start();
        let dir = match &self.state_dir {
            Some(dir) => dir.clone(),
            None => directories::hub_state()?,
        };
        let directory = StateDirectory::new(&dir)?;
        let lock = Lock::take(directory.path(), "a hub with this state directory")?;
        let mut site = self.site(directory.site()?);
        let authority = directory.authority(&site)?;
        warn_of_end(&authority);
        let names = server_certificate::names(&site);
        server_certificate::ensure(&directory, &site, &authority, &names)?;
        site.certified = names;
        directory.remember(&site)?;

        let config = router_config(&directory, &site);
        files::write_secret(&self.config_file(&directory)?, config.to_json().as_bytes()).or_runtime()?;
        let mut narrator = HubNarrator::new(&site, self.state_dir.as_deref());
        let network_site = host::site(|| config.router.site().id);
        let ended = embedded::run(config, network_site, &mut narrator, &self.router);
        drop(lock);
        ended
    }

    /// What this start makes of what is remembered.
    fn site(&self, known: Option<Site>) -> Site {
        let mut site = known.unwrap_or_else(|| Site {
            id: host::new_id(),
            name: format!("moorline-hub-{}", host::name()).chars().take(LONGEST_NAME).collect(),
            listen: self.listen.clone(),
            hosts: Vec::new(),
            certified: Vec::new(),
        });
        site.listen = self.listen.clone();
        if let Some(name) = &self.name {
            site.name.clone_from(name);
        }
        for host in &self.hosts {
            if !site.hosts.contains(host) {
                site.hosts.push(host.clone());
            }
        }
        site
    }

    fn config_file(&self, directory: &StateDirectory) -> Result<PathBuf, Failure> {
        let file = directory.config_file();
        if let Some(folder) = file.parent() {
            files::private_dir(folder).or_runtime()?;
        }
        Ok(file)
    }
}

fn warn_of_end(authority: &Authority) {
    if authority.not_after() < SystemTime::now() + EXPIRES_SOON {
        let end = expiry::rfc3339(authority.not_after());
        output::warning(&format!("the hub's authority, and all tokens that it issued, end on {end}"));
    }
}

/// The configuration of a hub, as skrouterd would take it too.
fn router_config(directory: &StateDirectory, site: &Site) -> RouterConfig {
    let metadata =
        Metadata { id: site.id.clone(), version: host::SKUPPER_VERSION.to_owned(), platform: "podman".to_owned() };
    let file = |name: &str| Some(directory.certificates().join(name).to_string_lossy().into_owned());
    RouterConfig {
        router: RouterEntity {
            id: site.name.clone(),
            mode: RouterMode::Interior,
            metadata: Some(metadata.to_json()),
            hello_max_age_seconds: Some("3".to_owned()),
            ..RouterEntity::default()
        },
        ssl_profiles: vec![SslProfile {
            name: SERVER_PROFILE.to_owned(),
            ca_cert_file: file("ca.crt"),
            cert_file: file("tls.crt"),
            private_key_file: file("tls.key"),
            ..SslProfile::default()
        }],
        listeners: vec![Listener {
            name: "edge-listener".to_owned(),
            role: Role::Edge,
            host: Some(site.listen.host.clone()),
            port: site.listen.port.get(),
            ssl_profile: Some(SERVER_PROFILE.to_owned()),
            sasl_mechanisms: Some("EXTERNAL".to_owned()),
            authenticate_peer: Some(true),
            max_frame_size: Some(16384),
            max_session_frames: Some(640),
            ..Listener::default()
        }],
        addresses: vec![AddressEntity {
            prefix: "mc".to_owned(),
            distribution: "multicast".to_owned(),
            ..AddressEntity::default()
        }],
        ..RouterConfig::default()
    }
}

/// It is the common name of the authority too.
const LONGEST_NAME: usize = 64;

fn parse_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=LONGEST_NAME).contains(&text.len()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(format!("it must have 1 to {LONGEST_NAME} letters, digits, '.', '_' and '-'"))
    }
}
