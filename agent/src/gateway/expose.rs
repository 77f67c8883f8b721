//! `moorline gateway expose` and `unexpose`: a server near this host becomes a service of the network.

use clap::Args;
use moorline_definition::Section;

use super::bind::{bound, take};
use super::change::{Change, ChangeArguments};
use super::delete;
use super::init::begin;
use super::install::{HowArguments, block_on};
use super::places::{ServiceName, server};
use super::protocol::ProtocolArguments;
use crate::cli::closing;
use crate::completion;
use crate::failure::Failure;

const INCOMPLETE: &str = "Gateway service address, target host and port must all be specified";

/// Make a server a service of the network; installs the gateway if it is not
///
/// ADDRESS is the service's name on the network, HOST and PORT are where its server is: on this host, or near it. Several
/// ports are several services of one name; SERVICEPORT:TARGETPORT where the server's port is another than the
/// network's. Connections to other services go on. Success is said when the gateway is linked and the server answers.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline gateway expose mydb localhost 5432 --token token.yaml     the first time",
    "moorline gateway expose web 10.0.0.5 80:8080 443",
    "moorline gateway expose web localhost:8080 --protocol http",
))]
pub(crate) struct Expose {
    /// The service's name on the network
    #[arg(value_name = "ADDRESS")]
    address: Option<String>,

    /// Where its server is
    #[arg(value_name = "HOST")]
    host: Option<String>,

    /// The server's port
    #[arg(value_name = "PORT")]
    ports: Vec<String>,

    #[command(flatten)]
    protocol: ProtocolArguments,

    #[command(flatten)]
    how: HowArguments,

    #[command(flatten)]
    change: ChangeArguments,
}

/// Take a service off the network
///
/// Its open connections go on until they end. When no service is left the gateway is deleted, unless --delete-last=false.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline gateway unexpose mydb",
    "moorline gateway unexpose mydb --delete-last=false",
))]
pub(crate) struct Unexpose {
    /// The service's name on the network; NAME:PORT for one port of several
    #[arg(value_name = "ADDRESS", add = completion::bound())]
    address: String,

    /// Delete the gateway if no services remain
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true", require_equals = true, action = clap::ArgAction::Set)]
    delete_last: bool,

    #[command(flatten)]
    change: ChangeArguments,
}

impl Expose {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let missing = || Failure::Input(anyhow::anyhow!("{INCOMPLETE}"));
        let service = ServiceName::parse(self.address.as_deref().ok_or_else(missing)?)?;
        let (host, pairs) = server(self.host.as_deref(), &self.ports, INCOMPLETE)?;
        let addresses = service.addresses(&pairs, &[])?;
        let mut change = begin(&self.change)?;
        let asked = bound(&mut change, &host, &addresses, &self.protocol, true)?;
        block_on(change.apply(&self.how, &self.change, &asked))
    }
}

impl Unexpose {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let service = ServiceName::parse(&self.address)?;
        let mut change = Change::of_installed(&self.change)?;
        let found = take(&mut change, Section::Bindings, &service)?;
        let left = change.definition();
        if found && self.delete_last && left.bindings.is_empty() && left.forwards.is_empty() {
            let name = left.name.clone();
            drop(change);
            return delete::delete(name.as_str(), self.change.dry_run);
        }
        block_on(change.apply(&HowArguments::default(), &self.change, &[]))
    }
}
