//! How the router of a gateway is asked.

use std::path::PathBuf;

use serde_json::Value;

use super::home::Home;
use super::keeper::GatewayType;
use super::router::Router;
use super::{live, skrouterd};
use crate::management::{Door, Management};

/// A gateway's router: which one, and where it listens for its owner.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub(crate) home: Home,
    pub(crate) kind: GatewayType,
    pub(crate) router: Router,
}

impl Contact {
    pub(crate) fn status_socket(&self) -> PathBuf {
        self.home.status_socket(self.kind)
    }

    /// Its management node.
    pub(crate) async fn management(&self) -> anyhow::Result<Management> {
        let door = match &self.router {
            Router::Embedded => Door::Socket(self.home.management_socket(self.kind)),
            Router::Skrouterd(skrouterd) => {
                Door::Port { port: skrouterd.management_port, identity: self.home.uplink() }
            }
        };
        Management::at(&door).await
    }

    /// Its state: `RouterStatus` as JSON, of skrouterd what it has of that.
    pub(crate) async fn status(&self) -> anyhow::Result<Value> {
        match &self.router {
            Router::Embedded => live::status(&self.status_socket()).await,
            Router::Skrouterd(_) => skrouterd::status(&mut self.management().await?).await,
        }
    }
}
