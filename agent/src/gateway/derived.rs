//! The definition of a gateway that other tools made, out of what its router reads.

use anyhow::anyhow;
use moorline_bundle::Endpoint;
use moorline_definition::router_config::{ROUTER_ID_PREFIX, RouterConfig, UPLINK_NAME, to_definition};
use moorline_definition::{CheckOptions, GatewayName, check};

use super::configuration::{self, Identity};
use crate::definition_file::Source;
use crate::failure::Failure;
use crate::host;
use crate::installation::home::Home;
use crate::output;

/// The definition, in messages.
const NAME: &str = "gateway.yaml";

/// What a gateway serves, with the definition that says it.
pub(super) struct Derived {
    pub(super) config: RouterConfig,
    /// None: nothing says it, and the words that edit a definition do not change it.
    pub(super) definition: Option<Vec<u8>>,
    pub(super) source: Source,
    pub(super) router_id_suffix: Option<String>,
}

impl Derived {
    /// The definition that means `config`, whose files are in `home`, and with it the configuration as changes of the
    /// definition will have it. Where there is none, the configuration stays as it is, and what it has to do with is told.
    pub(super) fn of(config: RouterConfig, gateway: &str, home: &Home, site_id: &str) -> Result<Derived, Failure> {
        let name = gateway.parse::<GatewayName>().map_err(|fault| format!("its name {fault}"));
        let text = name.and_then(|name| to_definition(&config, &name).map_err(|unsayable| unsayable.to_string()));
        match text {
            Ok(text) => Derived::said(&config, &text, gateway, home, site_id),
            Err(why) => {
                output::warning(&format!(
                    "gateway {gateway:?} runs as it was configured, but `expose`, `bind`, `forward` and their like cannot change \
                     it: no definition says {why}"
                ));
                let (source, router_id_suffix) = (Source::default(), None);
                Ok(Derived { config, definition: None, source, router_id_suffix })
            }
        }
    }

    fn said(config: &RouterConfig, text: &str, gateway: &str, home: &Home, site_id: &str) -> Result<Derived, Failure> {
        let read = |allow_insecure_management| {
            check(NAME, text, CheckOptions { allow_insecure_management, ..CheckOptions::default() }).definition
        };
        let strict = read(false);
        // Ports that its tools opened to others stay open.
        let source = Source { allow_insecure_management: strict.is_none(), ..Source::default() };
        let uplink = config.connectors.iter().find(|connector| connector.name == UPLINK_NAME);
        let uplink = uplink.and_then(|uplink| Endpoint::new(&uplink.host, uplink.port.parse().ok()?).ok());
        let (Some(definition), Some(uplink)) = (strict.or_else(|| read(true)), uplink) else {
            return Err(Failure::Input(anyhow!("gateway {gateway:?} has no link to a network")));
        };
        let usual = format!("{ROUTER_ID_PREFIX}{}-{gateway}", host::name());
        let suffix = config.router.id.strip_prefix(ROUTER_ID_PREFIX).filter(|_| config.router.id != usual);
        let identity = Identity { router_id_suffix: suffix, site_id };
        let mut meant = configuration::router_config(&definition, &uplink, &identity, home.path())?;
        if definition.qdr_listeners.is_empty() {
            meant.listeners.clear();
        }
        let router_id_suffix = suffix.map(str::to_owned);
        Ok(Derived { config: meant, definition: Some(text.as_bytes().to_vec()), source, router_id_suffix })
    }
}
