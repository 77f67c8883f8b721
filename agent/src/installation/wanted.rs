//! What a definition wants on this host.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use moorline_bundle::{Credentials, Endpoint, LinkToken, files};
use moorline_definition::Definition;
use moorline_definition::router_config::{CERTIFICATES_FOLDER, RouterConfig, UPLINK_NAME, UPLINK_PROFILE, parse};
use moorline_systemd::unit::{Account, Program, Readiness, Sandbox, ServiceUnit, UnitName, user_unit_directory};
use zeroize::Zeroizing;

use super::home::Home;
use crate::definition_file::DefinitionFile;
use crate::failure::{Blame, Failure};
use crate::gateway::configuration::{self, Identity};
use crate::gateway::proxy::ProxyArguments;
use crate::{directories, host};

/// The most bytes that a certificate or key file may have.
const LARGEST_PEM: u64 = 256 * 1024;
const LARGEST_CONFIG: u64 = 4 * 1024 * 1024;
const LARGEST_SITE_ID: u64 = 100;

/// All of a gateway, as it shall be.
pub(crate) struct Wanted {
    pub(crate) home: Home,
    pub(crate) gateway: String,
    /// Files of the home, 0600.
    pub(crate) files: Vec<(PathBuf, Zeroizing<Vec<u8>>)>,
    pub(crate) config: RouterConfig,
    pub(crate) unit: UnitName,
    pub(crate) unit_file: PathBuf,
    pub(crate) unit_text: String,
}

/// What the command line says besides the definition.
pub(crate) struct Wishes<'a> {
    /// None: the credentials that are installed stay.
    pub(crate) token: Option<LinkToken>,
    pub(crate) router_id_suffix: Option<&'a str>,
    pub(crate) proxy: &'a ProxyArguments,
    /// How long connections may take to finish when the gateway stops.
    pub(crate) drain: std::time::Duration,
    /// systemd's release, where it is known.
    pub(crate) release: Option<u32>,
    /// Whether systemd can give the router namespaces of its own.
    pub(crate) sandboxing: bool,
}

impl Wanted {
    /// Reads all that is needed. Changes nothing.
    pub(crate) fn of(file: &DefinitionFile, definition: &Definition, wishes: &Wishes<'_>) -> Result<Wanted, Failure> {
        let gateway = definition.name.as_str();
        let home = Home::of(gateway)?;
        let (uplink, credentials) = match &wishes.token {
            Some(token) => (token.edge.clone(), token.credentials.clone()),
            None => installed_uplink(&home, gateway)?,
        };
        let site_id = site_id(&home)?;
        let identity = Identity { router_id_suffix: wishes.router_id_suffix, site_id: &site_id };
        let mut config = configuration::router_config(definition, &uplink, &identity, home.path())?;
        wishes.proxy.apply(&mut config)?;
        // Nobody asked for the management port that a definition without listeners gets; the gateway has a socket.
        if definition.qdr_listeners.is_empty() {
            config.listeners.clear();
        }

        let mut wanted: Vec<(PathBuf, Zeroizing<Vec<u8>>)> = Vec::new();
        let mut add = |path: PathBuf, bytes: Vec<u8>| wanted.push((path, Zeroizing::new(bytes)));
        add(home.site_id(), format!("{site_id}\n").into_bytes());
        add(home.definition(), file.text().as_bytes().to_vec());
        for (name, pem) in
            [("ca.crt", credentials.ca_pem()), ("tls.crt", credentials.cert_pem()), ("tls.key", credentials.key_pem())]
        {
            add(home.uplink().join(name), pem.as_bytes().to_vec());
        }
        for (path, source) in service_certificates(&config, &home, &file.credentials_dir) {
            add(path, files::read_bounded(&source, LARGEST_PEM).or_input()?);
        }
        add(home.config(), config.to_json().into_bytes());

        let unit = UnitName::service(gateway).or_input()?;
        let unit_text = unit_text(&home, gateway, &site_id, wishes)?.text(&unit, wishes.release).or_runtime()?;
        let unit_file = user_unit_directory(&directories::config()?).join(unit.to_string());
        Ok(Wanted { gateway: gateway.to_owned(), files: wanted, config, unit, unit_file, unit_text, home })
    }
}

fn unit_text(home: &Home, gateway: &str, site_id: &str, wishes: &Wishes<'_>) -> Result<ServiceUnit, Failure> {
    let program = std::env::current_exe().context("where this program is cannot be told").or_runtime()?;
    let text = |path: &Path| configuration::text(path);
    let arguments = vec![
        "router".to_owned(),
        "--config".to_owned(),
        text(&home.config())?,
        "--status-socket".to_owned(),
        text(&home.status_socket())?,
        "--management-socket".to_owned(),
        text(&home.management_socket())?,
        "--drain-timeout".to_owned(),
        wishes.drain.as_secs().to_string(),
    ];
    Ok(ServiceUnit {
        generator: format!("moorline {}", env!("CARGO_PKG_VERSION")),
        description: format!("Moorline gateway {gateway}"),
        readable: vec![program.clone(), home.path().to_owned()],
        program: Program { path: program, arguments },
        readiness: Readiness::Notify { watchdog: Some(WATCHDOG) },
        account: Account::Session,
        environment: vec![("SKUPPER_SITE_ID".to_owned(), configuration::site(gateway, site_id))],
        drain: wishes.drain,
        // A configuration that cannot be used is no better the next time.
        give_up_on: vec![2],
        credentials: Vec::new(),
        writable: vec![home.sockets()],
        sandbox: match wishes.sandboxing {
            true => Sandbox::Full { executable_memory: false },
            false => Sandbox::Filters { executable_memory: false },
        },
    })
}

/// A router that says nothing for so long is started again.
const WATCHDOG: std::time::Duration = std::time::Duration::from_secs(30);

/// Copies of the services' certificates: where they go in the home, and where they are.
fn service_certificates(config: &RouterConfig, home: &Home, from: &Path) -> Vec<(PathBuf, PathBuf)> {
    let profiles = config.ssl_profiles.iter().filter(|profile| profile.name != UPLINK_PROFILE);
    let paths = profiles.flat_map(|profile| [&profile.ca_cert_file, &profile.cert_file, &profile.private_key_file]);
    let folder = format!("/{CERTIFICATES_FOLDER}/");
    let mut found: Vec<(PathBuf, PathBuf)> = paths
        .flatten()
        .filter_map(|path| path.rsplit_once(&folder))
        .map(|(_, rest)| (home.certificates().join(rest), from.join(rest)))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The identity that the gateway has, or a new one.
fn site_id(home: &Home) -> Result<String, Failure> {
    let path = home.site_id();
    if !path.exists() {
        return Ok(host::new_id());
    }
    let bytes = files::read_bounded(&path, LARGEST_SITE_ID).or_runtime()?;
    configuration::site_id(&path, &bytes)
}

/// The uplink of a gateway that is installed.
fn installed_uplink(home: &Home, gateway: &str) -> Result<(Endpoint, Credentials), Failure> {
    let path = home.config();
    if !path.exists() {
        return Err(Failure::Input(anyhow!(
            "gateway {gateway:?} is not installed yet: name its link token with --token TOKEN"
        )));
    }
    let again = || format!("{}: name the link token again with --token TOKEN", path.display());
    let bytes = files::read_bounded(&path, LARGEST_CONFIG).with_context(again).or_runtime()?;
    let config = parse(&String::from_utf8_lossy(&bytes), &|_| None).with_context(again).or_runtime()?;
    let uplink = config.connectors.iter().find(|connector| connector.name == UPLINK_NAME);
    let endpoint = uplink.and_then(|uplink| Endpoint::new(&uplink.host, uplink.port.parse().ok()?).ok());
    let endpoint = endpoint.ok_or_else(|| Failure::Runtime(anyhow!("no uplink in {}", again())))?;
    Ok((endpoint, Credentials::read_from(&home.uplink()).with_context(again).or_runtime()?))
}
