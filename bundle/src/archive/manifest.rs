//! `manifest.json`: what a bundle is, and the sums of its files.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::fault::BundleFault;
use super::member::is_name;

/// The format that this program writes and reads.
pub(super) const FORMAT: u32 = 1;

/// What a bundle says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// The format of the manifest: 1.
    pub format: u32,
    /// The gateway's name.
    pub name: String,
    /// The version of Moorline that made the bundle.
    pub version: String,
    /// The version of Skupper that its files are compatible with.
    pub skupper_version: String,
    /// Where the gateway's uplink connects.
    pub uplink: ManifestUplink,
    /// When the first of the uplink's certificates ends, as RFC 3339.
    pub expires: String,
    /// The other files, by their path.
    pub files: BTreeMap<String, FileSum>,
}

/// Where an uplink connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestUplink {
    /// A DNS name or an IP address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// What a file has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSum {
    /// SHA-256 of the content, as 64 hexadecimal digits in lower case.
    pub sha256: String,
    /// Its length in bytes.
    pub size: u64,
}

impl Manifest {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, BundleFault> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let unreadable = |error: serde_json::Error| BundleFault::Manifest { detail: error.to_string() };
        let Format { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if format != FORMAT {
            return Err(BundleFault::Format { found: format, known: FORMAT });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(unreadable)?;
        if is_name(&manifest.name) { Ok(manifest) } else { Err(BundleFault::name(&manifest.name)) }
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>, BundleFault> {
        let mut json =
            serde_json::to_vec_pretty(self).map_err(|error| BundleFault::Manifest { detail: error.to_string() })?;
        json.push(b'\n');
        Ok(json)
    }
}

impl FileSum {
    pub(super) fn of(content: &[u8]) -> Self {
        let sum = digest(&SHA256, content);
        let sha256 = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { sha256, size: content.len() as u64 }
    }
}
