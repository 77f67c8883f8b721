//! What of this host was made for the agent: written before the first of it, read by whoever takes it away.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use moorline_bundle::{FileError, files};
use serde::{Deserialize, Serialize};

use crate::directories;
use crate::failure::{Blame, Failure};

const LARGEST: u64 = 1024 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AgentRecord {
    /// Directories, outermost first.
    pub(crate) directories: Vec<PathBuf>,
    /// Lingering was turned on.
    pub(crate) linger: bool,
}

impl AgentRecord {
    /// None: the agent is not installed.
    pub(crate) fn read() -> Result<Option<AgentRecord>, Failure> {
        let path = directories::agent_record()?;
        let bytes = match files::read_bounded(&path, LARGEST) {
            Ok(bytes) => bytes,
            Err(FileError::System { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).or_runtime(),
        };
        let read = serde_json::from_slice(&bytes);
        read.map_err(|error| Failure::Runtime(anyhow!("{} cannot be read: {error}", path.display())))
    }

    pub(crate) fn write(&self) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).or_runtime()?;
        files::write_secret(&directories::agent_record()?, (text + "\n").as_bytes()).or_runtime()
    }

    pub(crate) fn remove() -> Result<(), Failure> {
        let path = directories::agent_record()?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| path.display().to_string()).or_runtime()
            }
            _ => Ok(()),
        }
    }
}
