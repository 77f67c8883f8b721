//! The files of a gateway that Skupper's tools made, where its scripts and its commands put them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use moorline_bundle::{Credentials, files};
use moorline_definition::router_config::{
    CERTIFICATES_FOLDER, Listener, ROUTER_ID_PREFIX, RouterConfig, RouterMode, UPLINK_PROFILE, parse,
};

use crate::directories;
use crate::failure::{Blame, Failure};
use crate::gateway::configuration;
use crate::host;
use crate::installation::home::Home;

const CONFIG: &str = "config/skrouterd.json";
/// The router's identity, of a gateway that belongs to a cluster.
const ROUTER_ID: &str = "config/routerid.txt";
/// Where its tools ask its router.
const URL: &str = "config/url.txt";
/// Where Skupper's launch script puts a bundle, and where its `gateway init` puts a gateway.
const PLACES: [&str; 2] = ["skupper/bundle", "skupper/cluster"];
const LARGEST_CONFIG: u64 = 4 * 1024 * 1024;
const LARGEST_ID: u64 = 100;

/// What a gateway's directory says of it.
pub(crate) struct OldFiles {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    /// As the router that runs has it, but with variables that its tools forgot filled in.
    pub(crate) config: RouterConfig,
    /// The router's id as it may have it.
    pub(super) ids: Vec<String>,
    pub(crate) credentials: Credentials,
    /// A UUID.
    pub(crate) site_id: String,
    /// The port that its tools gave it for themselves.
    tools_port: Option<u16>,
}

/// Directories of all gateways of this user, in their places, by name.
pub(crate) fn all() -> Result<Vec<PathBuf>, Failure> {
    let data = directories::data()?;
    let mut found = Vec::new();
    for place in PLACES {
        let entries = fs::read_dir(data.join(place)).map(|entries| entries.flatten().collect::<Vec<_>>());
        let dirs = entries.unwrap_or_default().into_iter().map(|entry| entry.path());
        found.extend(dirs.filter(|dir| dir.join(CONFIG).is_file()));
    }
    found.sort_by_key(|dir| dir.file_name().map(ToOwned::to_owned));
    Ok(found)
}

/// Directories that a word of the user may mean: a gateway's name, or a directory.
pub(crate) fn at(word: &str) -> Result<Vec<PathBuf>, Failure> {
    let path = Path::new(word);
    if path.join(CONFIG).is_file() {
        let path = path.canonicalize().with_context(|| word.to_owned()).or_input()?;
        return Ok(vec![path]);
    }
    called(word)
}

/// Directories of gateways of a name, in their places.
pub(crate) fn called(name: &str) -> Result<Vec<PathBuf>, Failure> {
    Ok(all()?.into_iter().filter(|dir| dir.file_name().is_some_and(|last| last == name)).collect())
}

impl OldFiles {
    /// Reads all that is needed of a directory, which is named as its gateway. Changes nothing.
    pub(crate) fn read(directory: PathBuf) -> Result<OldFiles, Failure> {
        let unnamed = || Failure::Input(anyhow!("{} has no name for a gateway", directory.display()));
        let name = directory.file_name().and_then(|name| name.to_str()).ok_or_else(unnamed)?.to_owned();
        let path = directory.join(CONFIG);
        let bytes = files::read_bounded(&path, LARGEST_CONFIG).or_input()?;
        let text = String::from_utf8_lossy(&bytes);
        let fault = |error| Failure::Input(anyhow!("{}: {error}", path.display()));
        // Skupper's scripts do not set all that its templates name.
        let as_written = parse(&text, &|name| Some(format!("${{{name}}}"))).map_err(fault)?;
        let given = uuid_in(&directory.join(ROUTER_ID)).or_else(|| uuid(&as_written.router.site().id));
        let site_id = given.unwrap_or_else(host::new_id);
        let variable = |name: &str| match name {
            "HOSTNAME" => Some(host::name()),
            "ROUTER_ID" => Some(site_id.clone()),
            _ => None,
        };
        let config = parse(&text, &variable).map_err(fault)?;
        if config.router.mode != RouterMode::Edge {
            return Err(Failure::Input(anyhow!(
                "{}: its router is no gateway's: its mode is not edge",
                path.display()
            )));
        }
        let ids = vec![as_written.router.id, config.router.id.clone()];
        let credentials = directory.join(CERTIFICATES_FOLDER).join(UPLINK_PROFILE);
        let credentials = Credentials::read_from(&credentials).or_input()?;
        let tools_port = tools_port(&directory.join(URL));
        Ok(OldFiles { name, directory, config, ids, credentials, site_id, tools_port })
    }

    /// Its certificates, those of services among them.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.directory.join(CERTIFICATES_FOLDER)
    }

    /// What its router reads, for a router of ours beside it: with its files in `home`, an id of its own, and without the
    /// port for management that nobody asked for.
    pub(crate) fn config_in(&self, home: &Home) -> Result<RouterConfig, Failure> {
        let mut config = self.config.clone();
        config.router.id = format!("{ROUTER_ID_PREFIX}{}-{}", host::name(), self.name);
        let tools = |listener: &Listener| listener.name == "amqp" && Some(listener.port) == self.tools_port;
        config.listeners.retain(|listener| !configuration::is_unasked(listener) && !tools(listener));
        let folder = format!("/{CERTIFICATES_FOLDER}/");
        for profile in &mut config.ssl_profiles {
            for path in [&mut profile.ca_cert_file, &mut profile.cert_file, &mut profile.private_key_file] {
                let Some(there) = path.as_deref() else { continue };
                let Some((_, rest)) = there.rsplit_once(&folder) else {
                    return Err(Failure::Input(anyhow!(
                        "sslProfile {:?}: {there} is not in {}: put it there, as the others are",
                        profile.name,
                        self.certificates().display()
                    )));
                };
                *path = Some(configuration::text(&home.certificates().join(rest))?);
            }
        }
        Ok(config)
    }
}

/// `amqp://127.0.0.1:PORT`
fn tools_port(path: &Path) -> Option<u16> {
    let url = files::read_bounded(path, LARGEST_ID).ok()?;
    String::from_utf8_lossy(&url).trim().rsplit_once(':')?.1.parse().ok()
}

fn uuid_in(path: &Path) -> Option<String> {
    uuid(&String::from_utf8_lossy(&files::read_bounded(path, LARGEST_ID).ok()?))
}

fn uuid(text: &str) -> Option<String> {
    uuid::Uuid::parse_str(text.trim()).ok().map(|id| id.to_string())
}
