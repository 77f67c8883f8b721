//! What is written: its form, that it is always the same, and that it is all there or not at all.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use flate2::read::GzDecoder;
use moorline_bundle::{Bundle, BundleError, BundleFault, Contents, ServiceProfile, archive::limits};
use tar::EntryType;

use crate::sample::{archive, contents, entries, service_profiles};

#[test]
fn the_archive_has_skuppers_names_and_ours_in_order() {
    let paths: Vec<_> = entries().into_iter().map(|entry| entry.path).collect();
    let expected = [
        "config/",
        "config/skrouterd.json",
        "gateway.yaml",
        "launch.py",
        "launch.sh",
        "manifest.json",
        "moorline",
        "remove.py",
        "remove.sh",
        "service/",
        "service/database.service",
        "skupper-router-certs/",
        "skupper-router-certs/conn1-profile/",
        "skupper-router-certs/conn1-profile/ca.crt",
        "skupper-router-certs/conn1-profile/tls.crt",
        "skupper-router-certs/conn1-profile/tls.key",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn entries_are_closed_to_others_and_say_nothing_of_this_host() {
    let mut archive = tar::Archive::new(GzDecoder::new(archive()));
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        let path = entry.path().unwrap().display().to_string();
        let runs = path == "moorline" || path.ends_with(".sh") || path.ends_with(".py");
        let expected = if runs || header.entry_type() == EntryType::Directory { 0o700 } else { 0o600 };
        assert_eq!(header.mode().unwrap(), expected, "{path}");
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0), "{path}");
        assert_eq!((header.username().unwrap(), header.groupname().unwrap()), (Some(""), Some("")), "{path}");
        assert_eq!(header.mtime().unwrap(), 315_532_800, "{path}");
    }
}

#[test]
fn the_same_contents_make_the_same_bytes() {
    assert_eq!(*contents().to_archive().unwrap(), archive());
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [first, second] = [&here, &there].map(|dir| fs::read(contents().write_to(dir.path()).unwrap()).unwrap());
    assert_eq!(first, second);
    assert_ne!(*Contents { definition: "name: other\n", ..contents() }.to_archive().unwrap(), archive());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_file_is_private_and_replaces_an_older_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let path = dir.path().join("database.tar.gz");
    fs::write(&path, "older, and open").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(contents().write_to(dir.path()).unwrap(), path);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names(dir.path()), ["database.tar.gz"]);
    assert_eq!(Bundle::open(&path).unwrap().name, "database");
}

#[test]
fn what_cannot_be_written_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let error = contents().write_to(&dir.path().join("missing")).unwrap_err();
    assert!(matches!(error, BundleError::File(_)), "{error}");
    let large = " ".repeat(usize::try_from(limits::TEXT).unwrap() + 1);
    let error = Contents { definition: &large, ..contents() }.write_to(dir.path()).unwrap_err();
    assert!(error.to_string().contains("gateway.yaml"), "{error}");
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn names_that_could_lead_elsewhere_are_refused() {
    for name in ["", "../x", "a/b", ".hidden", "-rf", "a b", "a;b", "$(x)", "a\nb", &"a".repeat(129)] {
        let fault = Contents { name, ..contents() }.to_archive().unwrap_err();
        assert!(matches!(fault, BundleFault::Name { .. }), "{name}: {fault}");
        let profile = ServiceProfile { name: name.to_owned(), ca_crt: vec![], pair: None };
        let fault = Contents { service_profiles: &[profile], ..contents() }.to_archive().unwrap_err();
        assert!(matches!(fault, BundleFault::Name { .. }), "{name}: {fault}");
    }
    let profile = ServiceProfile { name: "conn1-profile".to_owned(), ca_crt: vec![], pair: None };
    let fault = Contents { service_profiles: &[profile], ..contents() }.to_archive().unwrap_err();
    assert!(matches!(fault, BundleFault::Duplicate { .. }), "{fault}");
}

#[test]
fn the_longest_name_fits() {
    let name = "a".repeat(128);
    let archive = Contents { name: &name, ..contents() }.to_archive().unwrap();
    assert_eq!(Bundle::from_archive(&archive).unwrap().name, name);
}

#[test]
fn tar_unpacks_it_closed_to_others_whatever_the_umask() {
    let dir = tempfile::tempdir().unwrap();
    let profiles = service_profiles();
    let path = Contents { service_profiles: &profiles, ..contents() }.write_to(dir.path()).unwrap();
    let into = dir.path().join("here");
    fs::create_dir(&into).unwrap();
    let script = "umask 0; exec tar -xzf \"$1\" -C \"$2\"";
    let tar = Command::new("sh").args(["-c", script, "sh"]).args([&path, &into]).output().unwrap();
    assert!(tar.status.success(), "{tar:?}");
    assert_eq!(String::from_utf8_lossy(&tar.stderr), "", "tar has nothing to complain of");
    let mut open = vec![into.clone()];
    let mut files = 0;
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
            if path.is_dir() { open.push(path) } else { files += 1 }
        }
    }
    assert_eq!(files, 16);
    assert_eq!(mode(&into.join("skupper-router-certs")), 0o700);
    assert_eq!(mode(&into.join("skupper-router-certs/conn1-profile/tls.key")), 0o600);
    assert_eq!(mode(&into.join("moorline")), 0o700);
    assert_eq!(Bundle::open(&into).unwrap(), Bundle::open(&path).unwrap());
}
