//! A bundle's contents, and archives made by hand.

use std::io::{Read, Write};
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use moorline_bundle::{Authority, Contents, Credentials, Endpoint, ServiceProfile, Validity};
use tar::{EntryType, Header};

pub(crate) const CONFIG: &str = r#"[["router", {"id": "skupper-gateway-${HOSTNAME}", "mode": "edge"}]]"#;
pub(crate) const UNIT: &str = "[Service]\nExecStart=moorline router -c skrouterd.json\n";
pub(crate) const DEFINITION: &str = "name: database\n";
pub(crate) const PROGRAM: &[u8] = b"\x7fELF, or so it begins";

pub(crate) fn credentials() -> &'static Credentials {
    static CREDENTIALS: OnceLock<Credentials> = OnceLock::new();
    CREDENTIALS.get_or_init(|| {
        let validity = Validity::starting(UNIX_EPOCH + Duration::from_secs(1_768_435_200));
        Authority::generate("west", validity).unwrap().issue_client("database", validity).unwrap()
    })
}

pub(crate) fn endpoint() -> &'static Endpoint {
    static ENDPOINT: OnceLock<Endpoint> = OnceLock::new();
    ENDPOINT.get_or_init(|| Endpoint::new("edge.example.com", 443.try_into().unwrap()).unwrap())
}

pub(crate) fn contents() -> Contents<'static> {
    Contents {
        name: "database",
        uplink: endpoint(),
        credentials: credentials(),
        service_profiles: &[],
        router_config: CONFIG,
        unit: UNIT,
        definition: DEFINITION,
        program: Some(PROGRAM),
        version: "0.1.0",
        skupper_version: "1.8.7",
    }
}

pub(crate) fn service_profiles() -> Vec<ServiceProfile> {
    let pair = Some((b"cert".to_vec(), b"key".to_vec().into()));
    vec![
        ServiceProfile { name: "skupper-service-client".into(), ca_crt: b"ca 1".to_vec(), pair: None },
        ServiceProfile { name: "skupper-tls-db".into(), ca_crt: b"ca 2".to_vec(), pair },
    ]
}

pub(crate) fn archive() -> &'static [u8] {
    static ARCHIVE: OnceLock<Vec<u8>> = OnceLock::new();
    ARCHIVE.get_or_init(|| contents().to_archive().unwrap().to_vec())
}

/// One entry of an archive made by hand.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) kind: EntryType,
    pub(crate) link: &'static str,
    pub(crate) content: Vec<u8>,
}

impl Entry {
    pub(crate) fn file(path: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.to_owned(), kind: EntryType::Regular, link: "", content: content.into() }
    }

    pub(crate) fn special(path: &str, kind: EntryType, link: &'static str) -> Self {
        Self { path: path.to_owned(), kind, link, content: Vec::new() }
    }

    fn write(&self, tar: &mut Vec<u8>) {
        let mut header = Header::new_gnu();
        // Written by hand, since the crate refuses to write what we want refused.
        header.as_old_mut().name[..self.path.len()].copy_from_slice(self.path.as_bytes());
        header.as_old_mut().linkname[..self.link.len()].copy_from_slice(self.link.as_bytes());
        header.set_entry_type(self.kind);
        header.set_mode(0o600);
        header.set_size(self.content.len() as u64);
        header.set_mtime(1_768_435_200);
        header.set_cksum();
        tar.extend(header.as_bytes());
        tar.extend(&self.content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
}

/// The entries of a bundle of ours, to be changed.
pub(crate) fn entries() -> Vec<Entry> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive()));
    let mut entries = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        entries.push(Entry { path, kind: entry.header().entry_type(), link: "", content });
    }
    entries
}

pub(crate) fn tar_of(entries: &[Entry]) -> Vec<u8> {
    let mut tar = Vec::new();
    for entry in entries {
        entry.write(&mut tar);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

pub(crate) fn archive_of(entries: &[Entry]) -> Vec<u8> {
    gzip(&tar_of(entries))
}
