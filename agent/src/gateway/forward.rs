//! `moorline gateway forward` and `unforward`: services of the network on local ports.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::anyhow;
use clap::Args;
use moorline_definition::edit::NewEndpoint;
use moorline_definition::{Endpoint, Host, Port, Section, ServiceAddress};
use moorline_router::io::{BindError, try_port};

use super::bind::{endpoint, name_of, take};
use super::change::{Change, ChangeArguments};
use super::install::{HowArguments, block_on};
use super::places::{ServiceName, local_ports};
use super::protocol::ProtocolArguments;
use super::reach::Asked;
use crate::cli::closing;
use crate::completion;
use crate::failure::{Blame, Failure};
use crate::output;

/// Make a service of the network available on a port of this host
///
/// On every interface, as Skupper does it, so that other hosts can use it too; on this host alone with --loopback. A port
/// that another program has is replaced by a free one, which is said and stands in `status`. The port is open while some
/// site of the network has a server for the service. Success is said when it is.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline gateway forward mydb 5432 --loopback",
    "moorline gateway forward api:443 8443",
))]
pub(crate) struct Forward {
    /// The service's name on the network; NAME:PORT where its port is another than the local one
    #[arg(value_name = "ADDRESS", add = completion::of_network())]
    address: String,

    /// The local port, or SERVICEPORT:LOCALPORT
    #[arg(value_name = "PORT", required = true)]
    ports: Vec<String>,

    /// Forward from loopback only
    #[arg(long)]
    loopback: bool,

    /// A port that another program has is an error
    #[arg(long)]
    strict_port: bool,

    #[command(flatten)]
    protocol: ProtocolArguments,

    #[command(flatten)]
    change: ChangeArguments,
}

/// Stop forwarding a service of the network
///
/// Its open connections go on until they end. A service that is not forwarded is no error.
#[derive(Debug, Args)]
#[command(after_long_help = closing!("moorline gateway unforward mydb"))]
pub(crate) struct Unforward {
    /// The service's name on the network; NAME:PORT for one port of several
    #[arg(value_name = "ADDRESS", add = completion::forwarded())]
    address: String,

    #[command(flatten)]
    change: ChangeArguments,
}

impl Forward {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let service = ServiceName::parse(&self.address)?;
        let pairs = local_ports(&self.ports)?;
        let mut change = Change::of_installed(&self.change)?;
        block_on(async {
            let (ports, protocol) = change.known(&service).await;
            let addresses = service.addresses(&pairs, &ports)?;
            let protocol = self.protocol.clone().or(protocol.as_deref());
            let asked = self.forwarded(&mut change, &addresses, &protocol)?;
            change.apply(&HowArguments::default(), &self.change, &asked).await
        })
    }

    /// Puts a forward for each address; what to ask when they are there.
    fn forwarded(
        &self,
        change: &mut Change,
        addresses: &[(ServiceAddress, Port)],
        protocol: &ProtocolArguments,
    ) -> Result<Vec<Asked>, Failure> {
        let host = if self.loopback { Some("127.0.0.1".parse::<Host>().or_input()?) } else { None };
        let mut asked = Vec::new();
        for (address, requested) in addresses {
            let forwards = &change.definition().forwards;
            let name = name_of(forwards, address);
            let port = self.port(forwards, &name, host.as_ref(), *requested)?;
            let endpoint = NewEndpoint {
                host: host.clone(),
                service_port: Some(*requested),
                ..endpoint(&name, address, port, protocol)?
            };
            change.put(Section::Forwards, &endpoint)?;
            asked.push(Asked::Forward { address: address.to_string(), port: port.get() });
        }
        Ok(asked)
    }

    /// The port that the forward gets: the one wanted, the one that it has, or a free one.
    fn port(&self, forwards: &[Endpoint], name: &str, host: Option<&Host>, wanted: Port) -> Result<Port, Failure> {
        let before = forwards.iter().find(|forward| forward.entity_name() == name);
        if let Some(before) = before.filter(|before| before.service.ports.first() == Some(&wanted)) {
            return Ok(before.port);
        }
        let taken = match try_port(host.map_or("", Host::as_str), wanted.get()) {
            Ok(()) => return Ok(wanted),
            // What its own router listens on is free for it.
            Err(BindError::Occupied { .. }) if before.is_some_and(|before| before.port == wanted) => return Ok(wanted),
            Err(taken @ BindError::Occupied { .. }) if !self.strict_port => taken,
            Err(error) => return Err(Failure::Input(anyhow!("{error}; nothing was changed"))),
        };
        let free = free_port(self.loopback)?;
        output::warning(&format!("{taken}: {name} is forwarded from port {free} instead"));
        Ok(free)
    }
}

/// Any port that is free, as the system gives it.
fn free_port(loopback: bool) -> Result<Port, Failure> {
    let host = if loopback { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    let probe = TcpListener::bind((host, 0)).or_runtime()?;
    Port::new(probe.local_addr().or_runtime()?.port().into()).or_runtime()
}

impl Unforward {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let service = ServiceName::parse(&self.address)?;
        let mut change = Change::of_installed(&self.change)?;
        take(&mut change, Section::Forwards, &service)?;
        block_on(change.apply(&HowArguments::default(), &self.change, &[]))
    }
}
