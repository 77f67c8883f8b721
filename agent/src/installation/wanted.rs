//! What a definition wants on this host.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use moorline_bundle::{Credentials, Endpoint, LinkToken, files};
use moorline_definition::Definition;
use moorline_definition::router_config::{CERTIFICATES_FOLDER, RouterConfig, UPLINK_NAME, UPLINK_PROFILE, parse};
use zeroize::Zeroizing;

use super::contact::Contact;
use super::home::Home;
use super::keeper::unit::is_system;
use super::keeper::{Gateway, GatewayType, Keeper, WantedKeeper};
use super::router::Router;
use crate::definition_file::DefinitionFile;
use crate::failure::{Blame, Failure};
use crate::gateway::configuration::{self, Identity};
use crate::gateway::proxy::ProxyArguments;
use crate::host;

/// The most bytes that a certificate or key file may have.
const LARGEST_PEM: u64 = 256 * 1024;
const LARGEST_CONFIG: u64 = 4 * 1024 * 1024;
const LARGEST_SITE_ID: u64 = 100;
const LARGEST_PASSWORD: u64 = 4096;
/// What `sun_path` of unix(7) has room for.
const LONGEST_SOCKET: usize = 107;

/// All of a gateway, as it shall be.
pub(crate) struct Wanted {
    pub(crate) home: Home,
    pub(crate) gateway: String,
    pub(crate) files: Vec<HomeFile>,
    pub(crate) config: RouterConfig,
    pub(crate) keeper: WantedKeeper,
    pub(crate) router: Router,
}

/// A file that is the gateway's alone.
#[derive(Clone, PartialEq)]
pub(crate) struct HomeFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Its permissions: most are for nobody else.
    pub(crate) mode: u32,
}

impl HomeFile {
    fn secret(path: PathBuf, bytes: Zeroizing<Vec<u8>>) -> HomeFile {
        HomeFile { path, bytes, mode: files::SECRET_FILE }
    }

    /// Whether it is a program.
    pub(crate) fn runs(&self) -> bool {
        self.mode & 0o100 != 0
    }
}

/// Without its content, which may be a key.
impl fmt::Debug for HomeFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HomeFile { path, mode, .. } = self;
        f.debug_struct("HomeFile").field("path", path).field("mode", mode).finish_non_exhaustive()
    }
}

/// Certificates of services: `<profile>/<file>`, and what is in it.
pub(crate) type Certificates = Vec<(String, Zeroizing<Vec<u8>>)>;

/// What it serves, and with which keys.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) gateway: String,
    pub(crate) home: Home,
    pub(crate) site_id: String,
    /// As the user wrote it; a bundle of Skupper's has none.
    pub(crate) definition: Option<Vec<u8>>,
    pub(crate) config: RouterConfig,
    pub(crate) credentials: Credentials,
    pub(crate) service_certificates: Certificates,
    /// The password of the uplink's proxy.
    pub(crate) proxy_password: Option<Zeroizing<Vec<u8>>>,
    /// A program of the gateway's own; none: this one, where it is.
    pub(crate) program: Option<Vec<u8>>,
}

/// The uplink that a definition shall have, as far as the command line says.
pub(crate) struct UplinkWishes<'a> {
    /// None: the one that is installed stays.
    pub(crate) token: Option<LinkToken>,
    pub(crate) router_id_suffix: Option<&'a str>,
    pub(crate) proxy: &'a ProxyArguments,
}

impl Parts {
    /// Reads all that a definition needs. Changes nothing.
    pub(crate) fn of_definition(
        file: &DefinitionFile,
        definition: &Definition,
        wishes: &UplinkWishes<'_>,
    ) -> Result<Parts, Failure> {
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
        let proxy_password = move_password(&mut config, &home)?;
        // Nobody asked for the management port that a definition without listeners gets; the gateway has a socket.
        if definition.qdr_listeners.is_empty() {
            config.listeners.clear();
        }
        let service_certificates = read_service_certificates(&config, &file.credentials_dir)?;
        Ok(Parts {
            gateway: gateway.to_owned(),
            home,
            site_id,
            definition: Some(file.text().as_bytes().to_vec()),
            config,
            credentials,
            service_certificates,
            proxy_password,
            program: None,
        })
    }
}

impl Wanted {
    /// `drain`: how long connections may take to finish when the gateway stops.
    pub(crate) fn of(parts: Parts, keeper: &Keeper, router: Router, drain: Duration) -> Result<Wanted, Failure> {
        let Parts { gateway, home, site_id, definition, mut config, credentials, .. } = parts;
        let socket = home.management_socket(keeper.kind());
        if socket.as_os_str().len() > LONGEST_SOCKET {
            return Err(Failure::Input(anyhow!(
                "{} is longer than the {LONGEST_SOCKET} bytes that a socket's path may have: give the gateway a shorter name, \
                 or set XDG_STATE_HOME to a shorter path",
                socket.display()
            )));
        }

        let mut wanted: Vec<HomeFile> = Vec::new();
        let mut add = |path: PathBuf, bytes: Zeroizing<Vec<u8>>| wanted.push(HomeFile::secret(path, bytes));
        let plain = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        add(home.site_id(), plain(&format!("{site_id}\n")));
        if let Some(definition) = definition {
            add(home.definition(), Zeroizing::new(definition));
        }
        // What the router reads, and where it finds that.
        let mut read = vec![home.config()];
        for (name, pem) in
            [("ca.crt", credentials.ca_pem()), ("tls.crt", credentials.cert_pem()), ("tls.key", credentials.key_pem())]
        {
            read.push(home.uplink().join(name));
            add(home.uplink().join(name), plain(pem));
        }
        for (path, bytes) in parts.service_certificates {
            read.push(home.certificates().join(&path));
            add(home.certificates().join(path), bytes);
        }
        if let Some(password) = parts.proxy_password {
            read.push(home.proxy_password());
            add(home.proxy_password(), password);
        }
        relocate(&mut config, |path| keeper.seen(&home, path));
        add(home.config(), plain(&config.to_json()));
        let name = gateway.as_str();
        let program = parts.program.as_deref().filter(|_| router == Router::Embedded);
        let low_ports = has_low_port(&config);
        let kept = keeper.wanted(&Gateway {
            name,
            home: &home,
            site_id: &site_id,
            router: &router,
            program,
            read: &read,
            low_ports,
            drain,
        })?;
        // A container has the program in its image.
        if let (WantedKeeper::Unit(_), Some(bytes)) = (&kept, program) {
            let mode = if is_system() { 0o755 } else { files::PRIVATE_DIR };
            wanted.push(HomeFile { path: home.program(), bytes: Zeroizing::new(bytes.to_vec()), mode });
        }
        Ok(Wanted { gateway, files: wanted, config, keeper: kept, home, router })
    }

    /// How its router is asked.
    pub(crate) fn contact(&self) -> Contact {
        Contact { home: self.home.clone(), kind: self.keeper.kind(), router: self.router.clone() }
    }

    /// Whether what its router has read stays as it is until the router is started again.
    pub(crate) fn reads_once(&self) -> bool {
        self.router != Router::Embedded || (self.keeper.kind() == GatewayType::Service && is_system())
    }
}

/// Has a configuration name its files where the router sees them.
fn relocate(config: &mut RouterConfig, seen: impl Fn(&Path) -> PathBuf) {
    let seen = |path: &str| seen(Path::new(path)).to_string_lossy().into_owned();
    for profile in &mut config.ssl_profiles {
        for path in [&mut profile.ca_cert_file, &mut profile.cert_file, &mut profile.private_key_file] {
            *path = path.as_deref().map(seen);
        }
    }
    for profile in &mut config.proxy_profiles {
        if let Some(file) = profile.password.as_ref().and_then(|password| password.strip_prefix("file:")) {
            profile.password = Some(format!("file:{}", seen(file)));
        }
    }
}

/// Whether the router listens where not everybody may.
fn has_low_port(config: &RouterConfig) -> bool {
    let tcp = config.tcp_listeners.iter().map(|bridge| &bridge.port);
    let http = config.http_listeners.iter().map(|bridge| &bridge.port);
    let low = |port: u16| (1..1024).contains(&port);
    tcp.chain(http).any(|port| port.parse().is_ok_and(low)) || config.listeners.iter().any(|amqp| low(amqp.port))
}

/// Copies of the services' certificates that a configuration names, from folders of their own in `from`.
pub(crate) fn read_service_certificates(config: &RouterConfig, from: &Path) -> Result<Certificates, Failure> {
    let profiles = config.ssl_profiles.iter().filter(|profile| profile.name != UPLINK_PROFILE);
    let paths = profiles.flat_map(|profile| [&profile.ca_cert_file, &profile.cert_file, &profile.private_key_file]);
    let folder = format!("/{CERTIFICATES_FOLDER}/");
    let mut found: Vec<String> =
        paths.flatten().filter_map(|path| path.rsplit_once(&folder)).map(|(_, rest)| rest.to_owned()).collect();
    found.sort();
    found.dedup();
    let read = |path: String| {
        let bytes = files::read_bounded(&from.join(&path), LARGEST_PEM).or_input()?;
        Ok((path, Zeroizing::new(bytes)))
    };
    found.into_iter().map(read).collect()
}

/// The proxy's password goes where the router can read it: to the gateway's home.
fn move_password(config: &mut RouterConfig, home: &Home) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let named = |password: &String| password.strip_prefix("file:").map(PathBuf::from);
    let Some(profile) = config.proxy_profiles.iter_mut().find(|profile| profile.password.is_some()) else {
        return Ok(None);
    };
    let Some(file) = profile.password.as_ref().and_then(named) else { return Ok(None) };
    let password = files::read_bounded(&file, LARGEST_PASSWORD).or_input()?;
    profile.password = Some(format!("file:{}", configuration::text(&home.proxy_password())?));
    Ok(Some(Zeroizing::new(password)))
}

/// The identity that the gateway has, or a new one.
pub(crate) fn site_id(home: &Home) -> Result<String, Failure> {
    let path = home.site_id();
    if !path.exists() {
        return Ok(host::new_id());
    }
    let bytes = files::read_bounded(&path, LARGEST_SITE_ID).or_runtime()?;
    configuration::site_id(&path, &bytes)
}

/// The uplink of a gateway that is installed.
pub(crate) fn installed_uplink(home: &Home, gateway: &str) -> Result<(Endpoint, Credentials), Failure> {
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
