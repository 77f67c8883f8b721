//! Where an installed gateway keeps its files: one private directory.

use std::path::{Path, PathBuf};

use moorline_definition::router_config::{CERTIFICATES_FOLDER, UPLINK_PROFILE};
use moorline_systemd::unit::{UnitName, runtime_directory};

use super::keeper::GatewayType;
use super::keeper::unit::is_system;
use crate::directories;
use crate::failure::{Blame, Failure};

/// The programs that system units run are where every account may execute them.
const PROGRAMS: &str = "/usr/local/lib/moorline";

/// The directory of one gateway. All that is in it is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    path: PathBuf,
    unit: UnitName,
}

impl Home {
    pub(crate) fn of(gateway: &str) -> Result<Home, Failure> {
        // What is no name of a unit is no name of a directory either.
        let unit = UnitName::service(gateway).or_input()?;
        Ok(Home { path: directories::gateways()?.join(gateway), unit })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The gateway's unit, if it is a service.
    pub(crate) fn unit(&self) -> &UnitName {
        &self.unit
    }

    /// The definition as it was applied.
    pub(crate) fn definition(&self) -> PathBuf {
        self.path.join("gateway.yaml")
    }

    /// What the router reads.
    pub(crate) fn config(&self) -> PathBuf {
        self.path.join("config/skrouterd.json")
    }

    pub(crate) fn certificates(&self) -> PathBuf {
        self.path.join(CERTIFICATES_FOLDER)
    }

    pub(crate) fn uplink(&self) -> PathBuf {
        self.certificates().join(UPLINK_PROFILE)
    }

    /// The gateway's identity on the network; it stays the same when it is applied again.
    pub(crate) fn site_id(&self) -> PathBuf {
        self.path.join("site-id")
    }

    /// What of this host is ours.
    pub(crate) fn record(&self) -> PathBuf {
        self.path.join("record.json")
    }

    /// The password of the proxy that the link goes through.
    pub(crate) fn proxy_password(&self) -> PathBuf {
        self.path.join("proxy-password")
    }

    /// The program, where the gateway has one of its own.
    pub(crate) fn program(&self) -> PathBuf {
        if is_system() { Path::new(PROGRAMS).join(self.unit.stem()) } else { self.path.join("bin/moorline") }
    }

    /// Where the router opens its sockets. The account of a system unit cannot enter this directory.
    pub(crate) fn sockets(&self, kind: GatewayType) -> PathBuf {
        match kind {
            GatewayType::Service if is_system() => runtime_directory(&self.unit),
            _ => self.path.join("run"),
        }
    }

    pub(crate) fn status_socket(&self, kind: GatewayType) -> PathBuf {
        self.sockets(kind).join("status")
    }

    pub(crate) fn management_socket(&self, kind: GatewayType) -> PathBuf {
        self.sockets(kind).join("management")
    }
}
