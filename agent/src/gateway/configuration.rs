//! The router configuration that a definition means on this host.

use std::path::Path;

use anyhow::{Context, anyhow};
use moorline_bundle::Endpoint;
use moorline_definition::Definition;
use moorline_definition::router_config::{GatewayOptions, Listener, RouterConfig, Uplink, announce, from_definition};

use crate::failure::{Blame, Failure};
use crate::host;

/// Who the gateway is on the network.
pub(crate) struct Identity<'a> {
    /// The router's id is skupper-gateway-NAME; none: the host's name and the gateway's.
    pub(crate) router_id_suffix: Option<&'a str>,
    /// A UUID.
    pub(crate) site_id: &'a str,
}

/// What either router would run, with its files in `directory`.
pub(crate) fn router_config(
    definition: &Definition,
    uplink: &Endpoint,
    identity: &Identity<'_>,
    directory: &Path,
) -> Result<RouterConfig, Failure> {
    let uplink = Uplink { host: uplink.host().to_owned(), port: uplink.port().to_string() };
    let default_suffix = || format!("{}-{}", host::name(), definition.name);
    let options = GatewayOptions {
        hostname: identity.router_id_suffix.map_or_else(default_suffix, str::to_owned),
        site_id: identity.site_id.to_owned(),
        version: host::SKUPPER_VERSION.to_owned(),
        platform: "kubernetes".to_owned(),
        config_dir: text(directory)?,
    };
    let mut config = from_definition(definition, &uplink, &options);
    announce(&mut config, definition);
    Ok(config)
}

/// The listener that Skupper gives a gateway whose definition has none, for management.
pub(crate) fn is_unasked(listener: &Listener) -> bool {
    listener.name == "amqp" && listener.host.as_deref() == Some("localhost") && listener.port == 5672
}

/// The site that the network's console shows the gateway as: consoles make one of three such parts, and call it as the
/// second says.
pub(crate) fn site(gateway: &str, site_id: &str) -> String {
    format!("gateway_{}_{site_id}", gateway.replace('_', "-"))
}

/// The identity in a file.
pub(crate) fn site_id(path: &Path, bytes: &[u8]) -> Result<String, Failure> {
    let id = String::from_utf8_lossy(bytes).trim().to_owned();
    let id = uuid::Uuid::parse_str(&id)
        .with_context(|| format!("{} holds no UUID; remove it to get a new one", path.display()))
        .or_runtime()?;
    Ok(id.to_string())
}

/// The configuration is text, so its paths must be.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::Input(anyhow!("{}: the path is not UTF-8, and the router's configuration must be", path.display()))
    })
}

/// A name that a router's id may end with.
pub(crate) fn parse_suffix(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=200).contains(&text.len()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("it must have 1 to 200 letters, digits, '.', '_' and '-'".to_owned())
    }
}
