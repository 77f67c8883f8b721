//! `moorline gateway bind` and `unbind`: servers near this host for services of the network.

use anyhow::anyhow;
use clap::Args;
use moorline_definition::edit::NewEndpoint;
use moorline_definition::{Endpoint, Host, Port, Section, ServiceAddress};

use super::change::{Change, ChangeArguments};
use super::install::{HowArguments, block_on};
use super::places::{ServiceName, server};
use super::protocol::ProtocolArguments;
use super::reach::Asked;
use crate::cli::closing;
use crate::completion;
use crate::failure::{Blame, Failure};
use crate::output::say;

const INCOMPLETE: &str = "Service address, target host and port must all be specified";

/// Make a server one of those of a service
///
/// As `expose` does it, for a gateway that is installed. Connections to other services go on. Success is said when the
/// gateway is linked and the server answers.
#[derive(Debug, Args)]
#[command(after_long_help = closing!("moorline gateway bind mydb localhost 5432", "moorline gateway bind mydb:5432 10.0.0.5:15432"))]
pub(crate) struct Bind {
    /// The service's name on the network; NAME:PORT where its port is another than the server's
    #[arg(value_name = "ADDRESS")]
    address: Option<String>,

    /// Where the server is
    #[arg(value_name = "HOST")]
    host: Option<String>,

    /// The server's port, or SERVICEPORT:TARGETPORT
    #[arg(value_name = "PORT")]
    ports: Vec<String>,

    #[command(flatten)]
    protocol: ProtocolArguments,

    #[command(flatten)]
    change: ChangeArguments,
}

/// Take the servers of this gateway from a service
///
/// Their open connections go on until they end. A service that is not bound is no error.
#[derive(Debug, Args)]
#[command(after_long_help = closing!("moorline gateway unbind mydb"))]
pub(crate) struct Unbind {
    /// The service's name on the network; NAME:PORT for one port of several
    #[arg(value_name = "ADDRESS", add = completion::bound())]
    address: String,

    #[command(flatten)]
    change: ChangeArguments,
}

impl Bind {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let missing = || Failure::Input(anyhow!("{INCOMPLETE}"));
        let service = ServiceName::parse(self.address.as_deref().ok_or_else(missing)?)?;
        let (host, pairs) = server(self.host.as_deref(), &self.ports, INCOMPLETE)?;
        let mut change = Change::of_installed(&self.change)?;
        block_on(async {
            let (ports, protocol) = change.known(&service).await;
            let addresses = service.addresses(&pairs, &ports)?;
            let protocol = self.protocol.or(protocol.as_deref());
            let asked = bound(&mut change, &host, &addresses, &protocol, false)?;
            change.apply(&HowArguments::default(), &self.change, &asked).await
        })
    }
}

impl Unbind {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let service = ServiceName::parse(&self.address)?;
        let mut change = Change::of_installed(&self.change)?;
        take(&mut change, Section::Bindings, &service)?;
        block_on(change.apply(&HowArguments::default(), &self.change, &[]))
    }
}

/// Puts a binding for each address; what to ask when they are there. `announce`: sites are to be told of the service.
pub(super) fn bound(
    change: &mut Change,
    host: &Host,
    addresses: &[(ServiceAddress, Port)],
    protocol: &ProtocolArguments,
    announce: bool,
) -> Result<Vec<Asked>, Failure> {
    let mut asked = Vec::new();
    for (address, port) in addresses {
        let name = name_of(&change.definition().bindings, address);
        let endpoint = NewEndpoint { host: Some(host.clone()), announce, ..endpoint(&name, address, *port, protocol)? };
        change.put(Section::Bindings, &endpoint)?;
        asked.push(Asked::Binding { address: address.to_string(), host: host.to_string(), port: port.get() });
    }
    Ok(asked)
}

/// An endpoint as it is typed, on every interface.
pub(super) fn endpoint(
    name: &str,
    address: &ServiceAddress,
    port: Port,
    protocol: &ProtocolArguments,
) -> Result<NewEndpoint, Failure> {
    Ok(NewEndpoint {
        name: Some(name.parse().or_input()?),
        host: None,
        address: address.clone(),
        protocol: protocol.protocol(),
        port,
        service_port: None,
        announce: false,
        event_channel: protocol.event_channel(),
        aggregate: protocol.aggregate(),
        tls_credentials: None,
        tls_cert_authority: None,
    })
}

/// What an endpoint for `address` is called: as the one that is there, else as Skupper calls it.
pub(super) fn name_of(endpoints: &[Endpoint], address: &ServiceAddress) -> String {
    let found = endpoints.iter().find(|endpoint| endpoint.service.address == *address);
    found.map_or_else(|| address.to_string(), Endpoint::entity_name)
}

/// Takes all that is there of a service. False: nothing was, which is said.
pub(super) fn take(change: &mut Change, section: Section, service: &ServiceName) -> Result<bool, Failure> {
    let of_it = change.definition().endpoints(section).iter().filter(|endpoint| service.has(&endpoint.service.address));
    let names: Vec<String> = of_it.map(Endpoint::entity_name).collect();
    if names.is_empty() {
        let how = if section == Section::Bindings { "bound" } else { "forwarded" };
        say(format_args!("{service} is not {how}: nothing to do"));
    }
    for name in &names {
        change.take(section, name)?;
    }
    Ok(!names.is_empty())
}
