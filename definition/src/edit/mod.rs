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
//! A value that is no longer wanted becomes `null`, or `false`, so that comments beside it stay.

mod append;
mod change;
mod draft;
mod endpoint;
mod flow;
mod lines;
mod proof;
mod style;
mod take;
mod write;

use crate::definition::{GatewayName, Section};
use crate::problem::Problem;

pub use draft::Draft;
pub use endpoint::NewEndpoint;
pub(crate) use write::word;

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
