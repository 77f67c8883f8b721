//! A hub's state directory: who it is, where it listens, whom it certifies.
//!
//! `site.json` says what tokens need to know; `authority/` and `skupper-router-certs/` hold keys; `config/` the router's
//! configuration. Everything is 0600 in 0700 directories.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, anyhow};
use moorline_bundle::{Authority, files};
use moorline_definition::router_config::CERTIFICATES_FOLDER;
use serde::{Deserialize, Serialize};

use super::listen_address::ListenAddress;
use crate::failure::{Blame, Failure};

/// Name of the hub's `sslProfile`, and of the folder of its certificate.
pub(super) const SERVER_PROFILE: &str = "moorline-hub";

const LARGEST_SITE_FILE: u64 = 64 * 1024;

/// What a hub remembers from start to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Site {
    /// Its identity, a UUID; tokens say that they come from it.
    pub(crate) id: String,
    /// Its router's id.
    pub(crate) name: String,
    /// Where it listened when it last started.
    pub(crate) listen: ListenAddress,
    /// Names by which other hosts reach it, as the user gave them. Never forgotten: tokens with them are out there.
    pub(crate) hosts: Vec<String>,
    /// The names in the certificate that it shows.
    pub(crate) certified: Vec<String>,
}

/// A hub's state directory.
#[derive(Clone, Debug)]
pub(crate) struct StateDirectory {
    path: PathBuf,
}

impl StateDirectory {
    /// `path` need not exist. It is made absolute: the router's configuration names files by it.
    pub(crate) fn new(path: &Path) -> Result<Self, Failure> {
        let path = std::path::absolute(path).with_context(|| path.display().to_string()).or_input()?;
        if path.to_str().is_none() {
            return Err(Failure::Input(anyhow!("{}: the path must be UTF-8", path.display())));
        }
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn certificates(&self) -> PathBuf {
        self.path.join(CERTIFICATES_FOLDER).join(SERVER_PROFILE)
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.path.join("config/skrouterd.json")
    }

    fn site_file(&self) -> PathBuf {
        self.path.join("site.json")
    }

    /// What is remembered; `None` if no hub was ever started here.
    pub(crate) fn site(&self) -> Result<Option<Site>, Failure> {
        let path = self.site_file();
        if !path.try_exists().with_context(|| format!("open {}", path.display())).or_runtime()? {
            return Ok(None);
        }
        let bytes = files::read_bounded(&path, LARGEST_SITE_FILE).or_runtime()?;
        let damaged = || format!("{} is damaged; remove it and start the hub again", path.display());
        serde_json::from_slice(&bytes).with_context(damaged).map(Some).or_runtime()
    }

    pub(crate) fn remember(&self, site: &Site) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(site).context("the site cannot be written as JSON").or_runtime()?;
        files::write_secret(&self.site_file(), format!("{text}\n").as_bytes()).or_runtime()
    }

    /// The authority; made when there is none.
    pub(crate) fn authority(&self, site: &Site) -> Result<Authority, Failure> {
        let dir = self.path.join("authority");
        let (authority, _) = Authority::open_or_create(&dir, &site.name, SystemTime::now()).or_runtime()?;
        Ok(authority)
    }
}

/// A host name or address that a token or a certificate can carry.
pub(crate) fn parse_host(text: &str) -> Result<String, String> {
    let port = std::num::NonZeroU16::MIN;
    moorline_bundle::Endpoint::new(text, port).map(|_| text.to_owned()).map_err(|fault| fault.to_string())
}
