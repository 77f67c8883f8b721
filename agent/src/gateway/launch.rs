//! `moorline gateway launch`: the gateway of a bundle, installed on this host.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::anyhow;
use clap::Args;
use moorline_bundle::{Bundle, Maker, Purpose, ServiceProfile};
use moorline_definition::router_config::{RouterConfig, announce, parse};
use moorline_definition::{CheckOptions, check_bytes};
use zeroize::Zeroizing;

use super::configuration;
use super::derived::Derived;
use super::install::{DRAIN, Planned, block_on};
use crate::cli::closing;
use crate::definition_file::Source;
use crate::doctor;
use crate::failure::{Blame, Failure};
use crate::host;
use crate::installation::home::Home;
use crate::installation::keeper::{GatewayType, GatewayTypeParser};
use crate::installation::record::{Options, Record};
use crate::installation::router::{Router, RouterChoice};
use crate::installation::turn::Turn;
use crate::installation::wanted::{Certificates, Parts, site_id};
use crate::output;

/// The definition of a bundle, in messages.
const DEFINITION: &str = "gateway.yaml";

/// Install the gateway of a bundle on this host, or upgrade the one that is there
///
/// Takes the archive or the directory that it was unpacked into: bundles of `moorline gateway generate-bundle` and of
/// `skupper gateway generate-bundle` 1.5 to 1.9. The bundle is checked as a whole before anything is written. Launching a
/// newer bundle of the same name changes only what differs.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline gateway launch database.tar.gz",
    "moorline gateway launch ./unpacked -t podman",
))]
pub(crate) struct Arguments {
    /// NAME.tar.gz, or the directory that it was unpacked into
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,

    /// What the gateway runs in [default: as before, at first service]
    #[arg(short = 't', long = "type", value_name = "TYPE", value_parser = GatewayTypeParser)]
    kind: Option<GatewayType>,

    /// The program that routes: embedded, skrouterd (the one on PATH) or skrouterd=PATH [default: as before, at first embedded]
    ///
    /// See `moorline gateway apply --help`.
    #[arg(long, value_name = "ROUTER", value_parser = RouterChoice::parse)]
    router: Option<RouterChoice>,

    /// How long open connections may take to finish when the gateway stops, in seconds [default: as before, at first 10]
    #[arg(long, value_name = "SECONDS")]
    drain_timeout: Option<u32>,

    /// Show the steps, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// How long to wait for the link to the network, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u32,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let bundle = Bundle::open(&self.bundle).or_input()?;
        bundle.credentials.check(Purpose::Client, SystemTime::now()).or_input()?;
        block_on(self.launch(bundle))
    }

    async fn launch(&self, bundle: Bundle) -> Result<(), Failure> {
        let turn = if self.dry_run { None } else { Some(Turn::take()?) };
        let home = Home::of(&bundle.name)?;
        let site_id = site_id(&home)?;
        let before = Record::read(&home)?;
        let kind = Record::keeps(before.as_ref(), self.kind)?;
        let running = before.as_ref().map(|record| &record.options.router);
        let router = RouterChoice::router(self.router.as_ref(), running, kind)?;
        let mut config = self.router_config(&bundle, &home, &site_id)?;
        let derived = match &bundle.maker {
            Maker::Moorline { definition, .. } => {
                let checked = check_bytes(DEFINITION, definition.as_bytes(), CheckOptions::default());
                // Nobody asked for the management port that a definition without listeners gets.
                if checked.definition.as_ref().is_none_or(|definition| definition.qdr_listeners.is_empty()) {
                    config.listeners.clear();
                }
                // What a bundle carries is for either router.
                if let Some(definition) = &checked.definition {
                    announce(&mut config, definition);
                }
                let definition = Some(definition.clone().into_bytes());
                Derived { config, definition, source: Source::default(), router_id_suffix: None }
            }
            Maker::Skupper { .. } => {
                if router == Router::Embedded {
                    output::warning("the bundle is one of Skupper's: it runs on this program's own router");
                }
                // Skupper gives it to every gateway, for its own tools; ours has a socket that others cannot use.
                config.listeners.retain(|listener| !configuration::is_unasked(listener));
                Derived::of(config, &bundle.name, &home, &site_id)?
            }
        };
        let Derived { config, definition, source, router_id_suffix } = derived;
        let parts = Parts {
            gateway: bundle.name.clone(),
            home,
            site_id,
            definition,
            config,
            credentials: bundle.credentials.clone(),
            service_certificates: bundle.service_profiles.iter().flat_map(certificates).collect(),
            proxy_password: None,
            program: bundle.program,
        };
        if before.is_none() {
            doctor::before(&parts)?;
        }
        let drain = before.as_ref().map(|record| record.options.drain_timeout);
        let drain_timeout = self.drain_timeout.or(drain).unwrap_or(DRAIN);
        let options = Options { drain_timeout, router, source, router_id_suffix, ..Options::default() };
        let planned = Planned::of(parts, kind, options).await?;
        match turn {
            Some(turn) => planned.carry_out(&turn, self.wait).await,
            None => {
                planned.foretell();
                Ok(())
            }
        }
    }

    /// The bundle's template for this host. Two gateways of one host are two routers, so that their ids must differ.
    fn router_config(&self, bundle: &Bundle, home: &Home, site_id: &str) -> Result<RouterConfig, Failure> {
        let directory = configuration::text(home.path())?;
        let variable = |name: &str| match name {
            "QDR_CONF_DIR" => Some(directory.clone()),
            "HOSTNAME" => Some(format!("{}-{}", host::name(), bundle.name)),
            "ROUTER_ID" => Some(site_id.to_owned()),
            _ => None,
        };
        parse(&bundle.router_config, &variable).map_err(|error| {
            let lines: Vec<String> = error
                .problems
                .iter()
                .map(|problem| format!("{}: config/skrouterd.json: {problem}", self.bundle.display()))
                .collect();
            Failure::Input(anyhow!("{}", lines.join("\nerror: ")))
        })
    }
}

fn certificates(profile: &ServiceProfile) -> Certificates {
    let path = |file: &str| format!("{}/{file}", profile.name);
    let mut files = vec![(path("ca.crt"), Zeroizing::new(profile.ca_crt.clone()))];
    if let Some((certificate, key)) = &profile.pair {
        files.push((path("tls.crt"), Zeroizing::new(certificate.clone())));
        files.push((path("tls.key"), key.clone()));
    }
    files
}
