//! The directory that a bundle was unpacked into, by whatever tool, perhaps among other files.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;
use zeroize::Zeroizing;

use super::fault::{BundleError, BundleFault, quoted};
use super::manifest::Manifest;
use super::member::{CONFIG, EXPANDER, LAUNCH, MANIFEST, Member, PARTS, REMOVE, UPLINK_PROFILE, certificate, unit};
use super::tarball::Files;
use crate::files::{FileError, failed};

/// Reads the files of a bundle: those that the manifest names, or those that Skupper's bundles have. Others are passed over.
pub(super) fn read(dir: &Path) -> Result<Files, BundleError> {
    let mut files = Files::new();
    let paths: BTreeSet<String> = match file(dir, MANIFEST)? {
        Some(manifest) => {
            let paths = Manifest::parse(&manifest).map_err(BundleError::at(dir))?.files.into_keys().collect();
            files.insert(MANIFEST.to_owned(), manifest);
            paths
        }
        None => {
            let fixed = [CONFIG, LAUNCH, REMOVE, EXPANDER].map(str::to_owned);
            let certificates = PARTS.map(|part| certificate(UPLINK_PROFILE, part));
            let units = units(dir)?.into_iter().map(|name| unit(&name));
            fixed.into_iter().chain(certificates).chain(units).collect()
        }
    };
    for path in paths {
        if let Some(content) = file(dir, &path)? {
            files.insert(path, content);
        }
    }
    Ok(files)
}

/// The name of the gateway, from as little as there is.
pub(super) fn name(dir: &Path) -> Result<String, BundleError> {
    if let Some(manifest) = file(dir, MANIFEST)? {
        return Ok(Manifest::parse(&manifest).map_err(BundleError::at(dir))?.name);
    }
    only_unit(units(dir)?).map_err(BundleError::at(dir))
}

pub(super) fn only_unit(mut names: Vec<String>) -> Result<String, BundleFault> {
    match (names.len(), names.pop()) {
        (1, Some(name)) => Ok(name),
        (count, _) => Err(BundleFault::Units { count }),
    }
}

/// The names of the gateways whose units are there.
fn units(dir: &Path) -> Result<Vec<String>, BundleError> {
    let dir = dir.join("service");
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", &dir)(error).into()),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed("list", &dir))?.file_name();
        if let Some(Member::Unit(name)) =
            name.to_str().map(|name| format!("service/{name}")).as_deref().and_then(Member::at)
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// A file of the bundle; `None` if it is not there. No links are followed.
fn file(dir: &Path, path: &str) -> Result<Option<Zeroizing<Vec<u8>>>, BundleError> {
    let fault = BundleError::at(dir);
    let Some(member) = Member::at(path) else {
        return Err(fault(BundleFault::Path { path: quoted(path) }));
    };
    let mut place = dir.to_owned();
    for name in path.split('/') {
        place.push(name);
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_symlink() => return Err(fault(BundleFault::Link { path: quoted(path) })),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("examine", &place)(error).into()),
        }
    }
    // Opened without waiting for the other end of a pipe.
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(&place).map_err(failed("open", &place))?;
    if !opened.metadata().map_err(failed("examine", &place))?.is_file() {
        return Err(fault(BundleFault::Special { path: quoted(path) }));
    }
    let mut content = Zeroizing::new(Vec::new());
    let largest = member.largest();
    opened.take(largest + 1).read_to_end(&mut content).map_err(failed("read", &place))?;
    if content.len() as u64 > largest {
        return Err(FileError::TooLarge { path: place, largest }.into());
    }
    Ok(Some(content))
}
