//! `moorline token create`: a token of this machine's hub.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use moorline_bundle::files;

use crate::cli::closing;
use crate::failure::{Blame, Failure};
use crate::hub::issue::IssueArguments;
use crate::output::say;

/// Make a link token: the file that lets a gateway link to this hub
///
/// A token carries the hub's host and port, and a new certificate from the hub's authority. Whoever has the file can
/// link: it is written for its owner's eyes alone, and belongs on no shared disk. It has the form of Skupper's
/// tokens that carry certificates, and works in their place.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline token create token.yaml",
    "moorline token create token.yaml --host hub.example.com",
))]
pub(crate) struct Arguments {
    /// Where to write the token
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    hub: IssueArguments,

    /// The name of the token, also in its certificate
    #[arg(long, value_name = "NAME", default_value = "skupper")]
    name: String,

    /// Replace FILE if it exists
    #[arg(long)]
    force: bool,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let issuer = self.hub.issuer()?;
        self.refuse_to_overwrite()?;
        let token = issuer.issue(&self.name)?;
        files::write_secret(&self.file, token.to_yaml().as_bytes()).or_runtime()?;
        // As Skupper says it, trailing blank included.
        say(format_args!("Connection token written to {} ", self.file.display()));
        issuer.advise()
    }

    fn refuse_to_overwrite(&self) -> Result<(), Failure> {
        if !self.force && self.file.symlink_metadata().is_ok() {
            return Err(Failure::Input(anyhow!("{} exists; --force replaces it", self.file.display())));
        }
        Ok(())
    }
}
