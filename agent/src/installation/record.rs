//! What of this host is a gateway's: written before the first step that makes something, read by whoever takes it away.

use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::anyhow;
use moorline_bundle::{FileError, files};
use serde::{Deserialize, Serialize};

use super::contact::Contact;
use super::home::Home;
use super::keeper::GatewayType;
use super::router::Router;
use crate::definition_file::Source;
use crate::failure::{Blame, Failure};

const FORMAT: u32 = 1;
const LARGEST: u64 = 1024 * 1024;

/// The record of one gateway. Its home is not named in it: all of that is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    format: u32,
    /// The gateway.
    pub(crate) gateway: String,
    /// What it runs in.
    pub(crate) kind: GatewayType,
    /// Directories that were made for it, outermost first.
    pub(crate) directories: Vec<PathBuf>,
    /// Lingering was turned on for it.
    pub(crate) linger: bool,
    /// The unit that starts its engine's containers after a boot was enabled for it.
    #[serde(default)]
    pub(crate) at_boot: bool,
    /// The image that was fetched for it.
    #[serde(default)]
    pub(crate) image: Option<String>,
    /// What the command line said of it, for the next time.
    pub(crate) options: Options,
    /// Why its router must be started anew; said before what it reads is changed, until it was.
    pub(crate) restart: Option<String>,
}

/// What the command line said of a gateway besides its definition and token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Options {
    /// How long connections may take to finish when the gateway stops, in seconds.
    pub(crate) drain_timeout: u32,
    pub(crate) router_id_suffix: Option<String>,
    /// The proxy of the link: http://USER@HOST:PORT. Its password is in the gateway's home.
    pub(crate) proxy: Option<String>,
    #[serde(default)]
    pub(crate) router: Router,
    #[serde(default)]
    pub(crate) source: Source,
    /// The site whose token it links with, by its id.
    #[serde(default)]
    pub(crate) site: Option<String>,
    /// What it was before, where another tool made that.
    #[serde(default)]
    pub(crate) adoption: Option<Adoption>,
}

/// A gateway of another tool that is becoming one of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Adoption {
    /// The other tool's directory of it.
    pub(crate) directory: PathBuf,
    /// It has become one, and what it was is gone.
    pub(crate) done: bool,
}

impl Record {
    pub(crate) fn new(gateway: &str, kind: GatewayType) -> Record {
        Record {
            format: FORMAT,
            gateway: gateway.to_owned(),
            kind,
            directories: Vec::new(),
            linger: false,
            at_boot: false,
            image: None,
            options: Options::default(),
            restart: None,
        }
    }

    /// None: the gateway is not installed.
    pub(crate) fn read(home: &Home) -> Result<Option<Record>, Failure> {
        let path = home.record();
        let bytes = match files::read_bounded(&path, LARGEST) {
            Ok(bytes) => bytes,
            Err(FileError::System { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).or_runtime(),
        };
        let record: Record = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::Runtime(anyhow!("{} cannot be read: {error}", path.display())))?;
        if record.format != FORMAT {
            return Err(Failure::Runtime(anyhow!(
                "{} was written by a newer moorline (format {}): use that one",
                path.display(),
                record.format
            )));
        }
        Ok(Some(record))
    }

    /// The type that the gateway has, and keeps.
    ///
    /// # Errors
    /// Another is asked for.
    pub(crate) fn keeps(before: Option<&Record>, asked: Option<GatewayType>) -> Result<GatewayType, Failure> {
        match (before, asked) {
            (Some(before), Some(asked)) if before.kind != asked => Err(Failure::Input(anyhow!(
                "gateway previously created as {} type, delete current gateway to change to {} type: \
                 `moorline gateway delete {}`",
                before.kind.name(),
                asked.name(),
                before.gateway
            ))),
            (Some(before), _) => Ok(before.kind),
            (None, asked) => Ok(asked.unwrap_or_default()),
        }
    }

    /// How the router that it tells of is asked.
    pub(crate) fn contact(&self, home: &Home) -> Contact {
        Contact { home: home.clone(), kind: self.kind, router: self.options.router.clone() }
    }

    pub(crate) fn write(&self, home: &Home) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(self).or_runtime()?;
        text.push('\n');
        files::write_secret(&home.record(), text.as_bytes()).or_runtime()
    }
}
