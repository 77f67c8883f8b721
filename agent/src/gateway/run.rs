//! `moorline gateway run`: a gateway in the foreground, on the embedded router.

use std::path::PathBuf;

use clap::Args;
use moorline_definition::Definition;
use moorline_definition::router_config::{CERTIFICATES_FOLDER, RouterConfig, UPLINK_PROFILE};

use super::configuration::{self, Identity};
use super::narrator::GatewayNarrator;
use super::proxy::ProxyArguments;
use super::run_directory::RunDirectory;
use crate::cli::closing;
use crate::definition_file::{DefinitionArguments, DefinitionFile};
use crate::embedded::{self, RouterArguments};
use crate::failure::Failure;
use crate::logging::LogArguments;
use crate::{directories, host, token_file};

/// Run a gateway in the foreground
///
/// Checks the definition and the link token, then links to the network and serves the bindings and forwards. What is
/// bound and linked is said on stdout; warnings, and one line for each connection, on stderr.
///
/// The link is tried again until it works. SIGTERM and SIGINT let open connections finish, then end it; a second
/// signal ends it at once. Bad input is reported in full and changes nothing.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline gateway run database.yaml --token token.yaml",
    "moorline gateway run forward.yaml --token token.yaml --log-format json 2>connections.log",
))]
pub(crate) struct Arguments {
    #[command(flatten)]
    definition: DefinitionArguments,

    /// The link token: from `moorline token create`, `moorline token redeem` or `skupper token create -t cert`
    #[arg(long, value_name = "TOKEN")]
    token: PathBuf,

    /// Where the gateway's files are while it runs: DIR/GATEWAY, open to nobody else
    ///
    /// The uplink's certificates and the router's configuration are there, and go when it ends; its identity on the
    /// network stays. [default: $XDG_RUNTIME_DIR/moorline, for root without one /run/moorline; nothing stays]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,

    /// The router's id is skupper-gateway-NAME, which no other router of the network may have
    ///
    /// [default: the host's name and the gateway's]
    #[arg(long, value_name = "NAME", value_parser = configuration::parse_suffix)]
    router_id_suffix: Option<String>,

    #[command(flatten)]
    router: RouterArguments,

    #[command(flatten)]
    proxy: ProxyArguments,

    #[command(flatten)]
    log: LogArguments,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        self.log.start();
        let file = self.definition.read();
        file.show();
        let token = token_file::read(&self.token);
        let (definition, token) = match (file.definition(), token) {
            (Some(definition), Ok(token)) => (definition, token),
            (Some(_), Err(failure)) => return Err(failure),
            (None, Ok(_)) => return Err(Failure::InputShown),
            (None, Err(failure)) => {
                failure.show();
                return Err(Failure::InputShown);
            }
        };
        token_file::warn(&self.token, &token);

        let base = self.state_dir.clone().unwrap_or_else(directories::runtime);
        let directory = RunDirectory::make(&base, definition.name.as_str())?;
        let site_id = match self.state_dir {
            Some(_) => directory.lasting_site_id()?,
            None => host::new_id(),
        };
        let site = host::site(|| configuration::site(definition.name.as_str(), &site_id));
        let identity = Identity { router_id_suffix: self.router_id_suffix.as_deref(), site_id: &site_id };
        let mut config = configuration::router_config(definition, &token.edge, &identity, directory.path())?;
        self.proxy.apply(&mut config)?;
        directory.write(&config, &token.credentials)?;

        let served = as_served(config, definition, &file)?;
        let mut narrator = GatewayNarrator::new(definition.name.as_str(), &served);
        embedded::run(served, site, &mut narrator, &self.router)
    }
}

/// What the embedded router runs of a configuration.
fn as_served(
    mut config: RouterConfig,
    definition: &Definition,
    file: &DefinitionFile,
) -> Result<RouterConfig, Failure> {
    // Nobody asked for the management port that a definition without listeners gets, and whoever is on this host
    // could change the router through it.
    if definition.qdr_listeners.is_empty() {
        config.listeners.clear();
    }
    // Services' certificates are read where they are: a copy would be one more secret, and would miss a renewal.
    let from = format!("/{CERTIFICATES_FOLDER}/");
    let to = configuration::text(&file.credentials_dir)?;
    for profile in config.ssl_profiles.iter_mut().filter(|profile| profile.name != UPLINK_PROFILE) {
        for path in [&mut profile.ca_cert_file, &mut profile.cert_file, &mut profile.private_key_file] {
            let rest = path.as_deref().and_then(|path| path.rsplit_once(&from)).map(|(_, rest)| rest.to_owned());
            if let Some(rest) = rest {
                *path = Some(format!("{to}/{rest}"));
            }
        }
    }
    Ok(config)
}
