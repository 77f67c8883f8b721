//! What the connections of a service speak, as it is typed.

use clap::Args;
use moorline_definition::{Aggregate, Protocol};

/// The protocol of a service.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ProtocolArguments {
    /// The protocol of the service: tcp, http or http2 [default: as a site of the network announces it, else tcp]
    #[arg(long, value_name = "PROTOCOL", value_parser = parse_protocol)]
    protocol: Option<Protocol>,

    /// Send each request to every server, and make one answer of theirs: json or multipart. HTTP only
    #[arg(long, value_name = "STRATEGY", value_parser = parse_aggregate)]
    aggregate: Option<Aggregate>,

    /// Requests are events: each goes to every server, and is answered at once. HTTP only
    #[arg(long)]
    event_channel: bool,
}

impl ProtocolArguments {
    /// The protocol is `known`, where nobody says it.
    pub(super) fn or(self, known: Option<&str>) -> ProtocolArguments {
        let known = known.and_then(|known| parse_protocol(known).ok());
        ProtocolArguments { protocol: self.protocol.or(known), ..self }
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol.unwrap_or(Protocol::Tcp)
    }

    pub(super) fn aggregate(&self) -> Option<Aggregate> {
        self.aggregate
    }

    pub(super) fn event_channel(&self) -> bool {
        self.event_channel
    }
}

fn parse_protocol(text: &str) -> Result<Protocol, String> {
    match text {
        "tcp" => Ok(Protocol::Tcp),
        "http" => Ok(Protocol::Http),
        "http2" => Ok(Protocol::Http2),
        _ => Err("it must be tcp, http or http2".to_owned()),
    }
}

fn parse_aggregate(text: &str) -> Result<Aggregate, String> {
    match text {
        "json" => Ok(Aggregate::Json),
        "multipart" => Ok(Aggregate::Multipart),
        _ => Err("it must be json or multipart".to_owned()),
    }
}
