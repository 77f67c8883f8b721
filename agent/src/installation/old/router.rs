//! The router of a gateway that another tool made, asked at the port that it has for that.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use moorline_definition::router_config::{Entity, Listener, Role};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::OldFiles;
use crate::installation::live::Services;
use crate::management::{Door, Management};

/// For a socket to close that is to be closed. Who opens the port then says what is wrong.
const FREE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(1);
/// A TCP connection of a client or to a server.
const CONNECTION: &str = "tcpConnection";

pub(crate) struct OldRouter {
    /// None: its configuration has no port that lets one in.
    port: Option<u16>,
    /// As its file has it, and with the variables filled in.
    ids: Vec<String>,
    /// Kept: the port itself may be handed over.
    open: Mutex<Option<Management>>,
}

impl OldRouter {
    pub(super) fn of(files: &OldFiles) -> OldRouter {
        let port = files.config.listeners.iter().find(|listener| lets_in(listener)).map(|listener| listener.port);
        OldRouter { port, ids: files.ids.clone(), open: Mutex::new(None) }
    }

    /// What it serves; none: it cannot be asked. Another router at its port is not asked further.
    pub(crate) async fn services(&self) -> Option<Services> {
        let mut router = Management::at(&Door::Plain { port: self.port? }).await.ok()?;
        let own = router.query("router").await.ok()?;
        let id = own.first()?.get("id")?.as_str()?;
        if !self.ids.iter().any(|known| known == id) {
            return None;
        }
        let services = Services::of(&mut router).await.ok()?;
        *self.open.lock().await = Some(router);
        Some(services)
    }

    /// Takes a service from it, and waits until its port is free; open connections go on.
    pub(crate) async fn release(&self, entity: &Entity) -> anyhow::Result<()> {
        let (kind, name) = entity.place();
        if let Some(router) = self.open.lock().await.as_mut() {
            router.delete(kind, name).await?;
        }
        let Some(port) = port(entity) else { return Ok(()) };
        let deadline = Instant::now() + FREE;
        // Who else has it is no matter here, and takes long to find out.
        while TcpListener::bind(port).is_err() && Instant::now() < deadline {
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Gives it back.
    pub(crate) async fn restore(&self, entity: &Entity) -> anyhow::Result<()> {
        match self.open.lock().await.as_mut() {
            Some(router) => router.create(entity).await,
            None => Ok(()),
        }
    }

    /// How many TCP connections of its services are open; none: it does not answer any more.
    pub(crate) async fn connections(&self) -> Option<usize> {
        let rows = self.open.lock().await.as_mut()?.query(CONNECTION).await.ok()?;
        Some(rows.len())
    }
}

/// Where it listens, as far as that is told without asking for names.
fn port(entity: &Entity) -> Option<SocketAddr> {
    let attributes = entity.attributes();
    let text =
        |name: &str| attributes.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let host = match text("host").unwrap_or_default().as_str() {
        "" => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        "localhost" => IpAddr::from(Ipv4Addr::LOCALHOST),
        host => host.parse().ok()?,
    };
    let listens = entity.place().0.ends_with("istener");
    Some(SocketAddr::new(host, text("port")?.parse().ok()?)).filter(|_| listens)
}

/// Whoever is on this host.
fn lets_in(listener: &Listener) -> bool {
    let host = listener.host.as_deref().unwrap_or_default();
    let here = ["", "localhost", "127.0.0.1", "0.0.0.0", "::", "::1"].contains(&host);
    let closed =
        listener.ssl_profile.is_some() || listener.authenticate_peer == Some(true) || listener.http == Some(true);
    here && !closed && listener.role == Role::Normal
}
