//! `moorline service`: what sites of the network announce.

use std::collections::BTreeMap;

use clap::{Args, Subcommand, ValueEnum};
use moorline_definition::Port;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::closing;
use crate::failure::Failure;
use crate::gateway::install::block_on;
use crate::gateway::which::WhichArguments;
use crate::installation::home::Home;
use crate::installation::record::Record;
use crate::output::{count, say};
use crate::tree::Tree;

/// See which services the network has
#[derive(Debug, Subcommand)]
#[command(after_long_help = closing!("moorline service list"))]
pub(crate) enum Command {
    List(List),
}

/// List the services that sites of the network announce
///
/// Sites that have service sync enabled say every few seconds what they have; an installed gateway on the embedded router
/// listens. `forward` takes a service's ports and protocol from there.
#[derive(Debug, Args)]
#[command(after_long_help = closing!("moorline service list", "moorline service list --output json | jq .services[].address"))]
pub(crate) struct List {
    #[command(flatten)]
    which: WhichArguments,

    /// Text for people, or JSON on stdout for machines
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A tree
    Text,
    /// {"services": [{"address", "protocol", "ports", "origin", "seconds_since_heard"}]}
    Json,
}

/// A service as a site announces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announced {
    /// Its name, without a port.
    pub(crate) address: String,
    pub(crate) protocol: String,
    pub(crate) ports: Vec<u16>,
    /// The site, by its id.
    origin: String,
    seconds_since_heard: u64,
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(arguments) => arguments.run(),
        }
    }
}

impl List {
    fn run(&self) -> Result<(), Failure> {
        let services = block_on(announced(&self.which.home()?))?;
        match self.output {
            Output::Json => say(format_args!("{:#}", json!({ "services": services }))),
            Output::Text => tell(&services),
        }
        Ok(())
    }
}

/// What the network announces to a gateway; nothing where its router does not listen.
pub(crate) async fn announced(home: &Home) -> Result<Vec<Announced>, Failure> {
    let Some(record) = Record::read(home)? else { return Ok(Vec::new()) };
    let mut status = record.contact(home).status().await?;
    let services = status.get_mut("services").map(Value::take).unwrap_or_else(|| json!([]));
    let mut services: Vec<Announced> = serde_json::from_value(services).map_err(anyhow::Error::from)?;
    services.sort_by(|a, b| (&a.address, &a.origin).cmp(&(&b.address, &b.origin)));
    Ok(services)
}

/// The ports of a service and its protocol, if the network announces it.
pub(crate) fn known(services: &[Announced], name: &str) -> Option<(Vec<Port>, String)> {
    let service = services.iter().find(|service| service.address == name)?;
    let ports = service.ports.iter().filter_map(|port| Port::new((*port).into()).ok()).collect();
    Some((ports, service.protocol.clone()))
}

fn tell(services: &[Announced]) {
    if services.is_empty() {
        say("no site announces a service");
        return;
    }
    let mut by_service: BTreeMap<String, Vec<&Announced>> = BTreeMap::new();
    for service in services {
        let ports: Vec<String> = service.ports.iter().map(u16::to_string).collect();
        let line = format!("{} {} {}", service.address, service.protocol, ports.join(" "));
        by_service.entry(line).or_default().push(service);
    }
    let mut tree = Tree::new("Services:");
    for (line, sites) in by_service {
        let site = |service: &&Announced| {
            let ago = usize::try_from(service.seconds_since_heard).unwrap_or(usize::MAX);
            format!("site {}, heard {} ago", service.origin, count(ago, "second"))
        };
        tree.add(line).leaves(sites.iter().map(site));
    }
    say(tree);
}
