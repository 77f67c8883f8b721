//! `moorline gateway init`: a gateway, with no services or with those of a definition.

use std::path::PathBuf;

use clap::Args;
use moorline_definition::edit;

use super::change::{Change, ChangeArguments};
use super::install::{HowArguments, block_on};
use super::which::not_installed;
use crate::cli::closing;
use crate::definition_file::DefinitionArguments;
use crate::failure::Failure;
use crate::installation::home::Home;
use crate::output::say;

/// Install a gateway, link it to the network, or change how it is linked
///
/// A gateway that is installed already gets the credentials of a new token while it runs, and the services of --config.
/// What is not said stays as it is.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline gateway init --token token.yaml",
    "moorline gateway init --token token.yaml --type podman --config gateway.yaml",
))]
pub(crate) struct Arguments {
    /// A definition with the gateway's services; its name is not looked at
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    how: HowArguments,

    #[command(flatten)]
    change: ChangeArguments,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let name = self.change.which.name()?;
        let installed = Home::of(name.as_str())?.record().exists();
        if !installed && !self.how.links() {
            return Err(not_installed(&name));
        }
        let mut change = begin(&self.change)?;
        if let Some(file) = self.config {
            let file = DefinitionArguments::of(file).read();
            file.show();
            if file.definition().is_none() {
                return Err(Failure::InputShown);
            }
            change.becomes(edit::rename(file.text(), &name).map_err(|fault| change.fault(&fault))?)?;
        }
        let dry_run = self.change.dry_run;
        block_on(change.apply(&self.how, &self.change, &[]))?;
        if !dry_run {
            // As Skupper says it.
            say(format_args!("Skupper gateway: '{name}'. Use 'skupper gateway status' to get more information."));
        }
        Ok(())
    }
}

/// The gateway as it is, or a new one without services.
pub(super) fn begin(arguments: &ChangeArguments) -> Result<Change, Failure> {
    let name = arguments.which.name()?;
    if Home::of(name.as_str())?.record().exists() {
        return Change::of_installed(arguments);
    }
    Change::of_new(arguments, &name, edit::new_definition(&name))
}
