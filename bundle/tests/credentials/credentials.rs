//! Credentials in a directory.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use moorline_bundle::{Authority, Credentials, CredentialsError, CredentialsFault, FileError, Purpose, Validity};

use crate::site::{now, west};

const NAMES: [&str; 3] = ["ca.crt", "tls.crt", "tls.key"];

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn fresh(name: &str) -> Credentials {
    let authority = Authority::generate("ca", Validity::starting(now())).unwrap();
    authority.issue_client(name, Validity::starting(now())).unwrap()
}

#[test]
fn a_set_is_written_privately_and_read_back() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("skupper-router-certs/conn1-profile");
    let credentials = west().1.credentials();
    credentials.write_to(&dir).unwrap();

    assert_eq!(names(&dir), NAMES);
    for name in NAMES {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(dir.parent().unwrap()), 0o700);
    assert_eq!(names(dir.parent().unwrap()), ["conn1-profile"]);
    assert_eq!(fs::read_to_string(dir.join("ca.crt")).unwrap(), credentials.ca_pem());
    assert_eq!(fs::read_to_string(dir.join("tls.crt")).unwrap(), credentials.cert_pem());
    assert_eq!(fs::read_to_string(dir.join("tls.key")).unwrap(), credentials.key_pem());
    assert_eq!(Credentials::read_from(&dir).unwrap(), credentials);
}

#[test]
fn a_rotation_replaces_all_three_and_leaves_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("conn1-profile");
    fresh("old").write_to(&dir).unwrap();
    let new = fresh("new");
    new.write_to(&dir).unwrap();
    new.write_to(&dir).unwrap();
    assert_eq!(Credentials::read_from(&dir).unwrap(), new);
    assert_eq!(names(place.path()), ["conn1-profile"]);
    assert_eq!(names(&dir), NAMES);
    assert_eq!(mode(&dir), 0o700);
}

#[test]
fn a_directory_with_other_files_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("conn1-profile");
    let old = fresh("old");
    old.write_to(&dir).unwrap();
    fs::write(dir.join("connect.json"), "{}").unwrap();
    let error = fresh("new").write_to(&dir).unwrap_err();
    assert!(matches!(error, FileError::ForeignFile { .. }), "{error:?}");
    assert!(error.to_string().contains("connect.json"), "{error}");
    assert_eq!(Credentials::read_from(&dir).unwrap(), old);
    assert_eq!(names(place.path()), ["conn1-profile"]);
}

#[test]
fn a_directory_that_others_may_read_or_that_is_a_link_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let open = place.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o750)).unwrap();
    let error = fresh("x").write_to(&open).unwrap_err();
    assert!(matches!(error, FileError::OpenToOthers { mode: 0o750, .. }), "{error:?}");
    assert_eq!(names(&open), [""; 0]);
    assert_eq!(mode(&open), 0o750);

    let link = place.path().join("link");
    symlink(&open, &link).unwrap();
    let error = fresh("x").write_to(&link).unwrap_err();
    assert!(matches!(error, FileError::NotADirectory { .. }), "{error:?}");

    let file = place.path().join("file");
    fs::write(&file, "x").unwrap();
    fresh("x").write_to(&file).unwrap_err();
    fresh("x").write_to(&file.join("below")).unwrap_err();
    assert_eq!(names(place.path()), ["file", "link", "open"]);
}

#[test]
fn an_incomplete_or_mixed_set_is_told_on_reading() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("conn1-profile");
    fresh("one").write_to(&dir).unwrap();
    fs::write(dir.join("tls.key"), fresh("two").key_pem()).unwrap();
    let error = Credentials::read_from(&dir).unwrap_err();
    assert!(matches!(&error, CredentialsError::Fault { fault: CredentialsFault::KeyMismatch, .. }), "{error:?}");
    assert!(error.to_string().contains("conn1-profile"), "{error}");
    fs::remove_file(dir.join("tls.key")).unwrap();
    let error = Credentials::read_from(&dir).unwrap_err();
    assert!(error.to_string().contains("tls.key"), "{error}");
}

#[test]
fn a_certificate_signed_by_its_own_key_is_foreign_to_every_authority() {
    let own = fresh("self");
    let parts =
        Credentials::from_pem(own.cert_pem().as_bytes(), own.cert_pem().as_bytes(), own.key_pem().as_bytes()).unwrap();
    let fault = parts.check(Purpose::Client, now()).unwrap_err();
    assert!(matches!(fault, CredentialsFault::ForeignAuthority { .. }), "{fault:?}");
}
