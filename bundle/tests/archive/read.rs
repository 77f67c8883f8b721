//! What is read: everything that was written, from an archive and from a directory; sums and manifest count.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use moorline_bundle::{Bundle, BundleError, BundleFault, Contents, Maker};

use crate::sample::{
    CONFIG, DEFINITION, Entry, PROGRAM, UNIT, archive, archive_of, contents, credentials, entries, service_profiles,
};

#[test]
fn everything_comes_back() {
    let profiles = service_profiles();
    let archive = Contents { service_profiles: &profiles, ..contents() }.to_archive().unwrap();
    let bundle = Bundle::from_archive(&archive).unwrap();
    assert_eq!(bundle.name, "database");
    assert_eq!(&bundle.credentials, credentials());
    assert_eq!(bundle.service_profiles, profiles);
    assert_eq!((bundle.router_config.as_str(), bundle.unit.as_str()), (CONFIG, UNIT));
    assert_eq!(bundle.program.as_deref(), Some(PROGRAM));
    let Maker::Moorline { definition, manifest } = bundle.maker else { panic!("{:?}", bundle.maker) };
    assert_eq!(definition, DEFINITION);
    assert_eq!((manifest.version.as_str(), manifest.skupper_version.as_str()), ("0.1.0", "1.8.7"));
    assert_eq!((manifest.uplink.host.as_str(), manifest.uplink.port), ("edge.example.com", 443));
    assert_eq!(manifest.expires, "2031-01-14T00:00:00Z");
    assert_eq!(manifest.files["moorline"].size, PROGRAM.len() as u64);
    assert_eq!(
        manifest.files["gateway.yaml"].sha256,
        // sha256sum of the definition
        "508b84e88df68258eb813d2eccbf6950c1f9838bfd0e0fdef4c948aacacefa77"
    );
}

#[test]
fn the_program_may_be_left_out() {
    let archive = Contents { program: None, ..contents() }.to_archive().unwrap();
    assert_eq!(Bundle::from_archive(&archive).unwrap().program, None);
}

#[test]
fn debug_shows_no_key() {
    let profiles = service_profiles();
    let contents = Contents { service_profiles: &profiles, ..contents() };
    let bundle = Bundle::from_archive(&contents.to_archive().unwrap()).unwrap();
    let line = credentials().key_pem().lines().nth(1).unwrap();
    for text in [format!("{contents:?}"), format!("{bundle:?}")] {
        assert!(!text.contains(line) && !text.contains("107, 101, 121"), "{text}");
    }
}

fn fault(entries: &[Entry]) -> BundleFault {
    Bundle::from_archive(&archive_of(entries)).unwrap_err()
}

fn without(path: &str) -> Vec<Entry> {
    let mut entries = entries();
    entries.retain(|entry| entry.path != path);
    entries
}

/// The bundle with one file changed.
fn with(path: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<Entry> {
    let mut entries = entries();
    change(&mut entries.iter_mut().find(|entry| entry.path == path).unwrap().content);
    entries
}

fn with_manifest(from: &str, to: &str) -> Vec<Entry> {
    with("manifest.json", |content| {
        let text = String::from_utf8(content.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        *content = text.replace(from, to).into_bytes();
    })
}

#[test]
fn every_file_is_held_to_its_sum() {
    let files: Vec<_> = entries().into_iter().filter(|entry| !entry.path.ends_with('/')).collect();
    for path in files.iter().map(|entry| &entry.path).filter(|path| *path != "manifest.json") {
        let found = fault(&with(path, |content| content[3] ^= 1));
        assert_eq!(found, BundleFault::Sum { path: format!("\"{path}\"") });
        let found = fault(&with(path, |content| content.push(b'\n')));
        assert_eq!(found, BundleFault::Sum { path: format!("\"{path}\"") });
        let found = fault(&without(path));
        assert_eq!(found, BundleFault::Missing { path: format!("\"{path}\"") });
    }
}

#[test]
fn a_file_that_the_manifest_does_not_know_is_refused() {
    let mut more = entries();
    more.push(Entry::file("expandvars.py", "import os"));
    more.push(Entry::file("service/other.service", "[Service]"));
    let names = ["\"expandvars.py\"", "\"service/other.service\""].map(str::to_owned).to_vec();
    assert_eq!(fault(&more), BundleFault::NotInManifest { names });
}

#[test]
fn manifests_that_say_something_else_are_refused() {
    let sum = "sha256";
    for (from, to) in [("{", "["), ("\"name\"", "\"surname\""), (sum, "md5"), ("443", "99999"), ("\"database\"", "7")] {
        let found = fault(&with_manifest(from, to));
        assert!(matches!(found, BundleFault::Manifest { .. }), "{from}: {found}");
    }
    let found = fault(&with_manifest("\"format\": 1", "\"format\": 2, \"later\": true"));
    assert_eq!(found, BundleFault::Format { found: 2, known: 1 });
    let found = fault(&with_manifest("\"name\": \"database\"", "\"name\": \"../database\""));
    assert_eq!(found, BundleFault::Name { name: "\"../database\"".to_owned() });
    // Another gateway's name, whose unit is not there.
    let found = fault(&with_manifest("\"name\": \"database\"", "\"name\": \"other\""));
    assert_eq!(found, BundleFault::Missing { path: "service/other.service".to_owned() });
    // A path that leads elsewhere is no path of a file that is there.
    let found = fault(&with_manifest("config/skrouterd.json", "../skrouterd.json"));
    assert!(matches!(found, BundleFault::NotInManifest { .. }), "{found}");
}

#[test]
fn certificates_are_checked_but_for_their_dates() {
    let key = "skupper-router-certs/conn1-profile/tls.key";
    let sum_of = |bytes: &[u8]| {
        let profile = moorline_bundle::ServiceProfile { name: "x".into(), ca_crt: bytes.to_vec(), pair: None };
        let archive = Contents { service_profiles: &[profile], ..contents() }.to_archive().unwrap();
        let Maker::Moorline { manifest, .. } = Bundle::from_archive(&archive).unwrap().maker else { panic!() };
        manifest.files["skupper-router-certs/x/ca.crt"].clone()
    };
    let (old, new) = (sum_of(credentials().key_pem().as_bytes()), sum_of(b"no key"));
    let mut changed = with(key, |content| *content = b"no key".to_vec());
    let manifest = changed.iter_mut().find(|entry| entry.path == "manifest.json").unwrap();
    let text = String::from_utf8(manifest.content.clone()).unwrap();
    let text =
        text.replace(&old.sha256, &new.sha256).replace(&format!(": {}\n", old.size), &format!(": {}\n", new.size));
    manifest.content = text.into_bytes();
    let found = fault(&changed);
    assert!(matches!(found, BundleFault::Credentials(_)), "{found}");
}

/// The bundle unpacked by hand, so that no tool is needed.
fn unpacked() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in entries() {
        let path = dir.path().join(&entry.path);
        if entry.path.ends_with('/') { fs::create_dir(path).unwrap() } else { fs::write(path, entry.content).unwrap() }
    }
    dir
}

fn fault_in(dir: &Path) -> BundleFault {
    match Bundle::open(dir).unwrap_err() {
        BundleError::Fault { path, fault } => {
            assert_eq!(path, dir);
            fault
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_directory_may_hold_other_files() {
    let dir = unpacked();
    fs::write(dir.path().join("database.tar.gz"), archive()).unwrap();
    fs::create_dir(dir.path().join("Desktop")).unwrap();
    symlink("/etc/passwd", dir.path().join("expandvars.py")).unwrap();
    let bundle = Bundle::open(dir.path()).unwrap();
    assert_eq!(bundle, Bundle::from_archive(archive()).unwrap());
}

#[test]
fn a_directory_is_held_to_the_manifest_and_no_link_is_followed() {
    let dir = unpacked();
    fs::write(dir.path().join("gateway.yaml"), "name: other\n").unwrap();
    assert_eq!(fault_in(dir.path()), BundleFault::Sum { path: "\"gateway.yaml\"".to_owned() });
    fs::remove_file(dir.path().join("gateway.yaml")).unwrap();
    assert_eq!(fault_in(dir.path()), BundleFault::Missing { path: "\"gateway.yaml\"".to_owned() });
    let elsewhere = dir.path().join("elsewhere");
    fs::write(&elsewhere, DEFINITION).unwrap();
    symlink(&elsewhere, dir.path().join("gateway.yaml")).unwrap();
    assert_eq!(fault_in(dir.path()), BundleFault::Link { path: "\"gateway.yaml\"".to_owned() });
    fs::remove_file(dir.path().join("gateway.yaml")).unwrap();
    nix::unistd::mkfifo(&dir.path().join("gateway.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(fault_in(dir.path()), BundleFault::Special { path: "\"gateway.yaml\"".to_owned() });

    let dir = unpacked();
    fs::rename(dir.path().join("config"), dir.path().join("moved")).unwrap();
    symlink("moved", dir.path().join("config")).unwrap();
    assert_eq!(fault_in(dir.path()), BundleFault::Link { path: "\"config/skrouterd.json\"".to_owned() });
}

#[test]
fn a_manifest_cannot_make_us_read_outside() {
    let dir = unpacked();
    let manifest = fs::read_to_string(dir.path().join("manifest.json")).unwrap();
    for path in ["/etc/passwd", "../x", "config/../gateway.yaml", "other", "service/../../x.service"] {
        let hostile = manifest.replace("gateway.yaml", path);
        fs::write(dir.path().join("manifest.json"), hostile).unwrap();
        assert_eq!(fault_in(dir.path()), BundleFault::Path { path: format!("\"{path}\"") });
    }
}

#[test]
fn the_name_is_found_while_anything_of_the_bundle_is_there() {
    let dir = unpacked();
    fs::remove_dir_all(dir.path().join("skupper-router-certs")).unwrap();
    fs::remove_dir_all(dir.path().join("service")).unwrap();
    assert_eq!(Bundle::name_in(dir.path()).unwrap(), "database");
    let dir = unpacked();
    fs::remove_file(dir.path().join("manifest.json")).unwrap();
    assert_eq!(Bundle::name_in(dir.path()).unwrap(), "database");
    fs::remove_dir_all(dir.path().join("service")).unwrap();
    let error = Bundle::name_in(dir.path()).unwrap_err();
    assert!(matches!(error, BundleError::Fault { fault: BundleFault::Units { count: 0 }, .. }), "{error}");
}

#[test]
fn what_is_no_bundle_says_so() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(fault_in(dir.path()), BundleFault::NotABundle { .. }));
    let file = dir.path().join("notes.txt");
    fs::write(&file, "not compressed").unwrap();
    let error = Bundle::open(&file).unwrap_err().to_string();
    assert!(error.ends_with("notes.txt: this is not a gzip file, and so no bundle; check the path"), "{error}");
    let error = Bundle::open(&dir.path().join("absent")).unwrap_err();
    assert!(matches!(error, BundleError::File(_)), "{error}");
    assert_eq!(Bundle::from_archive(b"").unwrap_err(), BundleFault::NotGzip);
}
