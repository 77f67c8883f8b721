//! Changes of a definition's text that keep the rest of it: comments, order, blank lines, quoting, line ends.
//!
//! An edit is a few replaced bytes. What comes out is read again: it must hold what was there before with that one change,
//! in what a gateway reads and in what it does not, or the edit has failed.
//!
//! What belongs to an endpoint of a block list and goes with it:
//! * its lines, and comment lines under it that are indented deeper than its `-`;
//! * comment lines directly above it, in the column of its `-` and without a blank line between. A comment that heads the
//!   section stands above its key, or has a blank line under it;
//! * the blank lines that separate it from the endpoint above it; of the first endpoint, those that separate it from
//!   the next one.
//!
//! Of a flow list it is the endpoint, a comma, and its own lines if nothing else stands on them. Other comments stay.
//!
//! A value that is no longer wanted becomes `null`, so that comments beside it stay.

mod append;
mod change;
mod draft;
mod flow;
mod lines;
mod proof;
mod style;
mod take;
mod write;

use crate::definition::{
    Aggregate, CredentialName, EntityName, GatewayName, Host, Port, Protocol, Section, ServiceAddress,
};
use crate::problem::Problem;

pub use draft::Draft;

/// A binding or a forward as it shall stand in a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEndpoint {
    /// Its name; none when the service address is name enough.
    pub name: Option<EntityName>,
    /// Binding: where the server is. Forward: the bind address, where none means every interface.
    pub host: Option<Host>,
    /// Where the service is on the network.
    pub address: ServiceAddress,
    /// What its connections speak.
    pub protocol: Protocol,
    /// The local port: the server's of a binding, the listening port of a forward. A new endpoint says it in both
    /// `service.ports` and `target_ports`, which other tools read differently.
    pub port: Port,
    /// What `service.ports` says instead, such as the port that a forward was asked for and another program has. None: as
    /// it is.
    pub service_port: Option<Port>,
    /// Sites are to be told of the service. One of which they are told stays so.
    pub announce: bool,
    /// Requests are events. HTTP only.
    pub event_channel: bool,
    /// Answers of several servers become one. HTTP only.
    pub aggregate: Option<Aggregate>,
    /// Forward: the certificate that the local port shows.
    pub tls_credentials: Option<CredentialName>,
    /// Binding: the authority that the server's certificate must come from.
    pub tls_cert_authority: Option<CredentialName>,
}

impl NewEndpoint {
    /// The name that no other endpoint of its section has.
    #[must_use]
    pub fn entity_name(&self) -> String {
        self.name.as_ref().map_or_else(|| self.address.to_string(), ToString::to_string)
    }
}

/// Why a definition was not edited.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EditFault {
    /// The definition has errors as it is. All its problems, warnings too.
    #[error("the definition has errors: {}", first(.0))]
    Broken(Vec<Problem>),
    /// It is written in a way that only a person should change. What to write, and where, is in the problem.
    #[error("{0}")]
    ByHand(Box<Problem>),
    /// The definition would have errors then, such as a port that another forward has.
    #[error("the definition would have errors: {}", first(.problems))]
    Rejected {
        /// The definition as it would be: what the problems are about.
        text: String,
        /// Its problems, warnings too.
        problems: Vec<Problem>,
    },
    /// The new text does not mean what it should, which is a fault of this module.
    #[error("this definition cannot be edited: {0}; write the change by hand")]
    NotFaithful(&'static str),
}

fn first(problems: &[Problem]) -> String {
    let error = problems.iter().find(|problem| problem.severity == crate::Severity::Error);
    error.map(ToString::to_string).unwrap_or_default()
}

/// The text of a definition without services.
#[must_use]
pub fn new_definition(name: &GatewayName) -> String {
    let name = write::word(name.as_str(), false);
    format!(
        "# bindings: servers near this host, made available on the service network.\n\
         # forwards: services of the network, made available on local ports.\n\
         name: {name}\nbindings: []\nforwards: []\n"
    )
}

/// The text with an endpoint in a section.
///
/// One that stands there under the same entity name is changed in place, in those values that differ; the text stays
/// the same when none does. Else it comes last, in the style of its neighbours.
///
/// # Errors
/// See [`EditFault`].
pub fn put(text: &str, section: Section, endpoint: &NewEndpoint) -> Result<String, EditFault> {
    let mut draft = Draft::new(text)?;
    draft.put(section, endpoint)?;
    Ok(draft.into_text())
}

/// The text with another name for the gateway.
///
/// # Errors
/// See [`EditFault`].
pub fn rename(text: &str, name: &GatewayName) -> Result<String, EditFault> {
    let mut draft = Draft::new(text)?;
    draft.rename(name)?;
    Ok(draft.into_text())
}

/// The text without an endpoint of a section; none when the section has no endpoint of this entity name.
///
/// A section without endpoints stays as an empty list.
///
/// # Errors
/// See [`EditFault`].
pub fn take(text: &str, section: Section, entity_name: &str) -> Result<Option<String>, EditFault> {
    let mut draft = Draft::new(text)?;
    Ok(draft.take(section, entity_name)?.then(|| draft.into_text()))
}
