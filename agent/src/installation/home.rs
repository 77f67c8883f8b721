//! Where an installed gateway keeps its files: one private directory.

use std::path::{Path, PathBuf};

use moorline_definition::router_config::{CERTIFICATES_FOLDER, UPLINK_PROFILE};

use crate::directories;
use crate::failure::Failure;

/// The directory of one gateway. All that is in it is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn of(gateway: &str) -> Result<Home, Failure> {
        Ok(Home(directories::gateways()?.join(gateway)))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The definition as it was applied.
    pub(crate) fn definition(&self) -> PathBuf {
        self.0.join("gateway.yaml")
    }

    /// What the router reads.
    pub(crate) fn config(&self) -> PathBuf {
        self.0.join("config/skrouterd.json")
    }

    pub(crate) fn certificates(&self) -> PathBuf {
        self.0.join(CERTIFICATES_FOLDER)
    }

    pub(crate) fn uplink(&self) -> PathBuf {
        self.certificates().join(UPLINK_PROFILE)
    }

    /// The gateway's identity on the network; it stays the same when it is applied again.
    pub(crate) fn site_id(&self) -> PathBuf {
        self.0.join("site-id")
    }

    /// What of this host is ours.
    pub(crate) fn record(&self) -> PathBuf {
        self.0.join("record.json")
    }

    /// The password of the proxy that the link goes through.
    pub(crate) fn proxy_password(&self) -> PathBuf {
        self.0.join("proxy-password")
    }

    /// The program, where the gateway has one of its own.
    pub(crate) fn program(&self) -> PathBuf {
        self.0.join("bin/moorline")
    }

    /// Where the router opens its sockets.
    pub(crate) fn sockets(&self) -> PathBuf {
        self.0.join("run")
    }

    pub(crate) fn status_socket(&self) -> PathBuf {
        self.sockets().join("status")
    }

    pub(crate) fn management_socket(&self) -> PathBuf {
        self.sockets().join("management")
    }
}
