//! Writing a bundle.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::bundle::Bundle;
use super::fault::{BundleError, BundleFault, quoted};
use super::manifest::{FORMAT, FileSum, Manifest, ManifestUplink};
use super::member::{
    CONFIG, DEFINITION, LAUNCH, LAUNCH_DOCUMENTED, MANIFEST, PROGRAM, REMOVE, REMOVE_DOCUMENTED, UPLINK_PROFILE,
    certificate, is_name, unit,
};
use super::profile::ServiceProfile;
use super::tarball;
use crate::credentials::{Credentials, Part};
use crate::endpoint::Endpoint;
use crate::expiry::rfc3339;
use crate::files;

const LAUNCH_SCRIPT: &str = include_str!("../../../scripts/bundle/launch");
const REMOVE_SCRIPT: &str = include_str!("../../../scripts/bundle/remove");

/// What a bundle is made of. Texts are written as they are; nothing goes into the scripts.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// The gateway's name: 1 to 128 letters, digits, `.`, `_` and `-`, first a letter or digit.
    pub name: &'a str,
    /// Where the gateway's uplink connects; for the manifest, since the router reads `router_config`.
    pub uplink: &'a Endpoint,
    /// Written as `skupper-router-certs/conn1-profile/`.
    pub credentials: &'a Credentials,
    /// The certificates of services, each written as `skupper-router-certs/NAME/`.
    pub service_profiles: &'a [ServiceProfile],
    /// `config/skrouterd.json` as a template of `${HOSTNAME}`, `${ROUTER_ID}` and `${QDR_CONF_DIR}`.
    pub router_config: &'a str,
    /// `service/NAME.service`
    pub unit: &'a str,
    /// `gateway.yaml`
    pub definition: &'a str,
    /// The program, static and for the other host's processor. `None`: it must be there already.
    pub program: Option<&'a [u8]>,
    /// The version of this Moorline.
    pub version: &'a str,
    /// The version of Skupper that the files are compatible with.
    pub skupper_version: &'a str,
}

impl Contents<'_> {
    /// The bytes of the archive: the same for the same contents, at any time and on any host.
    ///
    /// Entries are sorted by path, belong to root and have one fixed date. What is written can be read: it was.
    pub fn to_archive(&self) -> Result<Zeroizing<Vec<u8>>, BundleFault> {
        let mut files = self.files()?;
        let sums = files.iter().map(|(path, content)| (path.clone(), FileSum::of(content))).collect();
        let manifest = self.manifest(sums).to_json()?;
        files.insert(MANIFEST.to_owned(), &manifest);
        // Nothing but memory is written to.
        let archive =
            tarball::pack(&files).map_err(|error| BundleFault::Damaged { detail: quoted(&error.to_string()) })?;
        Bundle::from_archive(&archive)?;
        Ok(archive)
    }

    /// Writes `NAME.tar.gz` (0600) into a directory that exists, in one step, and answers its path.
    ///
    /// An older archive of the name is replaced. The directory may be open to others.
    pub fn write_to(&self, directory: &Path) -> Result<PathBuf, BundleError> {
        let archive = self.to_archive().map_err(BundleError::at(directory))?;
        let path = directory.join(format!("{}.tar.gz", self.name));
        files::write_secret(&path, &archive)?;
        Ok(path)
    }

    fn files(&self) -> Result<BTreeMap<String, &[u8]>, BundleFault> {
        if !is_name(self.name) {
            return Err(BundleFault::name(self.name));
        }
        let own = [
            (certificate(UPLINK_PROFILE, Part::Authority), self.credentials.ca_pem()),
            (certificate(UPLINK_PROFILE, Part::Certificate), self.credentials.cert_pem()),
            (certificate(UPLINK_PROFILE, Part::Key), self.credentials.key_pem()),
            (CONFIG.to_owned(), self.router_config),
            (DEFINITION.to_owned(), self.definition),
            (LAUNCH.to_owned(), LAUNCH_SCRIPT),
            (LAUNCH_DOCUMENTED.to_owned(), LAUNCH_SCRIPT),
            (REMOVE.to_owned(), REMOVE_SCRIPT),
            (REMOVE_DOCUMENTED.to_owned(), REMOVE_SCRIPT),
            (unit(self.name), self.unit),
        ];
        let mut files: BTreeMap<String, &[u8]> = own.map(|(path, text)| (path, text.as_bytes())).into();
        files.extend(self.program.map(|program| (PROGRAM.to_owned(), program)));
        for profile in self.service_profiles {
            if !is_name(&profile.name) {
                return Err(BundleFault::name(&profile.name));
            }
            let pair = profile.pair.iter();
            let pair = pair.flat_map(|(cert, key)| [(Part::Certificate, cert.as_slice()), (Part::Key, key.as_slice())]);
            for (part, content) in std::iter::once((Part::Authority, profile.ca_crt.as_slice())).chain(pair) {
                let path = certificate(&profile.name, part);
                if files.insert(path.clone(), content).is_some() {
                    return Err(BundleFault::Duplicate { path: quoted(&path) });
                }
            }
        }
        Ok(files)
    }

    fn manifest(&self, files: BTreeMap<String, FileSum>) -> Manifest {
        Manifest {
            format: FORMAT,
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            skupper_version: self.skupper_version.to_owned(),
            uplink: ManifestUplink { host: self.uplink.host().to_owned(), port: self.uplink.port() },
            expires: rfc3339(self.credentials.not_after()),
            files,
        }
    }
}
