//! The files of a gateway that runs: in a directory of its own, for as long as it runs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use moorline_bundle::{Credentials, files};
use moorline_definition::router_config::{CERTIFICATES_FOLDER, RouterConfig, UPLINK_PROFILE};

use super::configuration;
use crate::failure::{Blame, Failure};
use crate::host;
use crate::lock::Lock;

const CONFIG_FOLDER: &str = "config";
const CONFIG_FILE: &str = "skrouterd.json";
const SITE_ID_FILE: &str = "site-id";
const LARGEST_SITE_ID: u64 = 100;

/// `<base>/<gateway>`, held by this process. Dropping it removes what was written; what is not ours stays.
#[derive(Debug)]
pub(super) struct RunDirectory {
    path: PathBuf,
    /// `None` only while it is dropped.
    lock: Option<Lock>,
}

impl RunDirectory {
    /// Makes it, or takes over what a crash left. Fails while another process runs the gateway.
    pub(super) fn make(base: &Path, gateway: &str) -> Result<Self, Failure> {
        // The router's configuration names files by it.
        let base = std::path::absolute(base).with_context(|| base.display().to_string()).or_runtime()?;
        let path = base.join(gateway);
        let lock = Lock::take(&path, &format!("gateway {gateway:?}"))?;
        Ok(Self { path, lock: Some(lock) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what the router reads: certificates and configuration, for nobody else's eyes.
    pub(super) fn write(&self, config: &RouterConfig, uplink: &Credentials) -> Result<(), Failure> {
        uplink.write_to(&self.uplink()).or_runtime()?;
        files::private_dir(&self.path.join(CONFIG_FOLDER)).or_runtime()?;
        files::write_secret(&self.config(), config.to_json().as_bytes()).or_runtime()
    }

    /// The gateway's identity on the network, made on the first run; it stays when the rest goes.
    pub(super) fn lasting_site_id(&self) -> Result<String, Failure> {
        let path = self.path.join(SITE_ID_FILE);
        if path.exists() {
            let bytes = files::read_bounded(&path, LARGEST_SITE_ID).or_runtime()?;
            return configuration::site_id(&path, &bytes);
        }
        let id = host::new_id();
        files::write_secret(&path, format!("{id}\n").as_bytes()).or_runtime()?;
        Ok(id)
    }

    fn uplink(&self) -> PathBuf {
        self.path.join(CERTIFICATES_FOLDER).join(UPLINK_PROFILE)
    }

    fn config(&self) -> PathBuf {
        self.path.join(CONFIG_FOLDER).join(CONFIG_FILE)
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        // What is gone already, or not ours, is no failure: a directory with something in it stays.
        let uplink = self.uplink();
        for file in ["tls.key", "tls.crt", "ca.crt"] {
            let _ = fs::remove_file(uplink.join(file));
        }
        let _ = fs::remove_file(self.config());
        for dir in [&uplink, &self.path.join(CERTIFICATES_FOLDER), &self.path.join(CONFIG_FOLDER)] {
            let _ = fs::remove_dir(dir);
        }
        drop(self.lock.take());
        let _ = fs::remove_dir(&self.path);
    }
}
