//! Reading a bundle.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::directory::{self, only_unit};
use super::fault::{BundleError, BundleFault, quoted};
use super::limits;
use super::manifest::{FileSum, Manifest};
use super::member::{
    CONFIG, DEFINITION, EXPANDER, LAUNCH, MANIFEST, Member, PARTS, PROGRAM, REMOVE, UPLINK_PROFILE, certificate, unit,
};
use super::profile::ServiceProfile;
use super::tarball::{self, Files};
use crate::credentials::{Credentials, Part};
use crate::files;

/// A bundle that was read and checked: its form, its sums, that the key is the certificate's.
///
/// Dates are not judged, so that a bundle out of date is told from a broken one: see `Credentials::check`.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The gateway's name. Skupper's may be one that definitions do not allow.
    pub name: String,
    /// Who made it, and what only they put in.
    pub maker: Maker,
    /// The uplink's certificates.
    pub credentials: Credentials,
    /// The certificates of services.
    pub service_profiles: Vec<ServiceProfile>,
    /// The router's configuration, a template: see [`Contents`](super::Contents).
    pub router_config: String,
    /// The systemd unit; Skupper's is a template of `${QDR_BIN_PATH}` and `${QDR_CONF_DIR}`.
    pub unit: String,
    /// The program, if it is in the bundle.
    pub program: Option<Vec<u8>>,
}

/// Who made a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Moorline.
    Moorline {
        /// `gateway.yaml`
        definition: String,
        /// `manifest.json`
        manifest: Manifest,
    },
    /// `skupper gateway generate-bundle`. What the gateway serves is in the router's configuration alone.
    Skupper {
        /// The router image that it would run, where its launch script can be understood.
        image: Option<String>,
    },
}

impl Bundle {
    /// Reads an archive, or the directory that one was unpacked into. Writes nothing.
    ///
    /// Of ours every file must be as the manifest says. An archive must hold nothing else; in a directory other files are
    /// passed over, but no link is followed.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        if path.is_dir() {
            return Self::from_files(directory::read(path)?).map_err(BundleError::at(path));
        }
        let archive = files::read_bounded(path, limits::ARCHIVE)?;
        Self::from_archive(&archive).map_err(BundleError::at(path))
    }

    /// Reads the bytes of an archive; they may be anything, of any size.
    pub fn from_archive(bytes: &[u8]) -> Result<Self, BundleFault> {
        Self::from_files(tarball::unpack(bytes)?)
    }

    /// The name of the gateway whose bundle was unpacked into a directory, also if much of it is gone: for its removal.
    pub fn name_in(dir: &Path) -> Result<String, BundleError> {
        directory::name(dir)
    }

    fn from_files(mut files: Files) -> Result<Self, BundleFault> {
        let (name, maker) = match files.remove(MANIFEST) {
            Some(manifest) => moorline(&Manifest::parse(&manifest)?, &mut files)?,
            None => skupper(&mut files)?,
        };
        let mut take = |path: String| files.remove(&path).ok_or(BundleFault::Missing { path });
        let [ca, cert, key] = PARTS.map(|part| take(certificate(UPLINK_PROFILE, part)));
        let credentials = Credentials::from_pem(&ca?, &cert?, &key?)?;
        let router_config = text(CONFIG, &take(CONFIG.to_owned())?)?;
        let unit_path = unit(&name);
        let unit = text(&unit_path, &take(unit_path.clone())?)?;
        let program = files.remove(PROGRAM).map(|mut program| std::mem::take(&mut *program));
        let service_profiles = service_profiles(files)?;
        Ok(Self { name, maker, credentials, service_profiles, router_config, unit, program })
    }
}

/// Everything is as the manifest says, and nothing else is there.
fn moorline(manifest: &Manifest, files: &mut Files) -> Result<(String, Maker), BundleFault> {
    let strangers: Vec<_> =
        files.keys().filter(|path| !manifest.files.contains_key(*path)).map(|p| quoted(p)).collect();
    if !strangers.is_empty() {
        return Err(BundleFault::NotInManifest { names: strangers });
    }
    for (path, sum) in &manifest.files {
        let content = files.get(path).ok_or_else(|| BundleFault::Missing { path: quoted(path) })?;
        if FileSum::of(content) != *sum {
            return Err(BundleFault::Sum { path: quoted(path) });
        }
    }
    let missing = || BundleFault::Missing { path: DEFINITION.to_owned() };
    let definition = text(DEFINITION, &files.remove(DEFINITION).ok_or_else(missing)?)?;
    Ok((manifest.name.clone(), Maker::Moorline { definition, manifest: manifest.clone() }))
}

/// Skupper's has no manifest, and a script of its own that ours have not.
fn skupper(files: &mut Files) -> Result<(String, Maker), BundleFault> {
    let needed = [CONFIG, EXPANDER, LAUNCH, REMOVE];
    let missing: Vec<_> = needed.into_iter().filter(|path| !files.contains_key(*path)).map(str::to_owned).collect();
    if !missing.is_empty() {
        return Err(BundleFault::NotABundle { missing });
    }
    let units = files.keys().filter_map(|path| match Member::at(path) {
        Some(Member::Unit(name)) => Some(name.to_owned()),
        _ => None,
    });
    let name = only_unit(units.collect())?;
    let image = files.get(LAUNCH).and_then(|script| image(&String::from_utf8_lossy(script)));
    Ok((name, Maker::Skupper { image }))
}

/// The image in the line `gateway_image=${QDROUTERD_IMAGE:-IMAGE}` of Skupper's launch script.
fn image(script: &str) -> Option<String> {
    let line = script.lines().find_map(|line| line.trim().strip_prefix("gateway_image="))?;
    let image = line.trim_matches('"').strip_prefix("${QDROUTERD_IMAGE:-")?.strip_suffix('}')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    (!image.is_empty() && image.len() <= 256 && image.chars().all(plain)).then(|| image.to_owned())
}

fn service_profiles(files: Files) -> Result<Vec<ServiceProfile>, BundleFault> {
    let mut profiles: BTreeMap<String, BTreeMap<&str, _>> = BTreeMap::new();
    for (path, content) in files {
        if let Some(Member::Certificate(profile, part)) = Member::at(&path) {
            profiles.entry(profile.to_owned()).or_default().insert(part.name(), content);
        }
    }
    let of = |(name, mut parts): (String, BTreeMap<&str, zeroize::Zeroizing<Vec<u8>>>)| {
        let missing = |part| BundleFault::Missing { path: certificate(&name, part) };
        let mut take = |part: Part| parts.remove(part.name());
        let ca_crt = std::mem::take(&mut *take(Part::Authority).ok_or_else(|| missing(Part::Authority))?);
        let pair = match (take(Part::Certificate), take(Part::Key)) {
            (Some(mut cert), Some(key)) => Some((std::mem::take(&mut *cert), key)),
            (None, None) => None,
            (Some(_), None) => return Err(missing(Part::Key)),
            (None, Some(_)) => return Err(missing(Part::Certificate)),
        };
        Ok(ServiceProfile { name, ca_crt, pair })
    };
    profiles.into_iter().map(of).collect()
}

fn text(path: &str, content: &[u8]) -> Result<String, BundleFault> {
    let text = str::from_utf8(content).map_err(|_| BundleFault::NotText { path: path.to_owned() })?;
    Ok(text.to_owned())
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle")
            .field("name", &self.name)
            .field("maker", &self.maker)
            .field("credentials", &self.credentials)
            .field("service_profiles", &self.service_profiles)
            .field("program", &self.program.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}
