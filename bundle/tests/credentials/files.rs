//! Files that hold secrets.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use moorline_bundle::FileError;
use moorline_bundle::files::{private_dir, read_bounded, write_secret};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn entries(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

#[test]
fn a_secret_is_0600_and_alone() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("token.yaml");
    write_secret(&path, b"one").unwrap();
    assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"one".to_vec(), 0o600));

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    write_secret(&path, b"two").unwrap();
    assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"two".to_vec(), 0o600));
    assert_eq!(entries(place.path()), 1);
}

#[test]
fn a_link_is_replaced_not_followed() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("target");
    fs::write(&target, "untouched").unwrap();
    let path = place.path().join("link");
    symlink(&target, &path).unwrap();
    write_secret(&path, b"secret").unwrap();
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    assert_eq!(fs::read(&target).unwrap(), b"untouched");

    let dangling = place.path().join("dangling");
    symlink(place.path().join("nowhere"), &dangling).unwrap();
    write_secret(&dangling, b"secret").unwrap();
    assert!(!place.path().join("nowhere").exists());
}

#[test]
fn a_failed_write_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let occupied = place.path().join("occupied");
    fs::create_dir(&occupied).unwrap();
    let error = write_secret(&occupied, b"secret").unwrap_err();
    assert!(error.to_string().contains("occupied"), "{error}");
    write_secret(&place.path().join("missing/file"), b"secret").unwrap_err();
    write_secret(Path::new("/"), b"secret").unwrap_err();
    assert_eq!(entries(place.path()), 1);
    assert_eq!(entries(&occupied), 0);
}

#[test]
fn writers_at_the_same_time_leave_one_whole_file() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ca.key");
    std::thread::scope(|scope| {
        for byte in 0..8 {
            let path = &path;
            scope.spawn(move || {
                for _ in 0..25 {
                    write_secret(path, &[byte; 4096]).unwrap();
                }
            });
        }
    });
    let content = fs::read(&path).unwrap();
    assert_eq!(content.len(), 4096);
    assert!(content.iter().all(|byte| *byte == content[0]));
    assert_eq!(entries(place.path()), 1);
}

#[test]
fn a_private_directory_is_made_with_its_parents() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("a/b");
    private_dir(&dir).unwrap();
    private_dir(&dir).unwrap();
    assert_eq!((mode(&dir), mode(dir.parent().unwrap())), (0o700, 0o700));
    private_dir(&place.path().join("c")).unwrap();
    assert_eq!(mode(&place.path().join("c")), 0o700);
}

#[test]
fn a_loose_directory_is_told_and_not_changed() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("loose");
    fs::create_dir(&dir).unwrap();
    for bits in [0o755, 0o710, 0o701, 0o770, 0o1777] {
        fs::set_permissions(&dir, fs::Permissions::from_mode(bits)).unwrap();
        let error = private_dir(&dir).unwrap_err();
        assert!(matches!(error, FileError::OpenToOthers { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&format!("mode {bits:04o}")), "{text}");
        assert!(text.contains(&format!("chmod 700 {}", dir.display())), "{text}");
        assert_eq!(mode(&dir), bits);
    }
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o500)).unwrap();
    private_dir(&dir).unwrap();
}

#[test]
fn what_is_no_directory_of_ours_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let link = place.path().join("link");
    symlink(place.path(), &link).unwrap();
    for path in [&file, &link] {
        let error = private_dir(path).unwrap_err();
        assert!(matches!(error, FileError::NotADirectory { .. }), "{error:?}");
    }
    let other = place.path().join("other");
    private_dir(&other).unwrap();
    // Only root can give a directory away.
    if fs::metadata(&other).unwrap().uid() == 0 && chown(&other, Some(4321), None).is_ok() {
        let error = private_dir(&other).unwrap_err();
        assert!(matches!(error, FileError::NotOurs { owner: 4321, .. }), "{error:?}");
    }
}

#[test]
fn reading_is_bounded() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    fs::write(&path, "12345").unwrap();
    assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
    let error = read_bounded(&path, 4).unwrap_err();
    assert!(matches!(error, FileError::TooLarge { largest: 4, .. }), "{error:?}");
    assert!(read_bounded(Path::new("/dev/zero"), 1000).is_err());
    let error = read_bounded(&place.path().join("none"), 4).unwrap_err();
    assert!(error.to_string().contains("cannot open"), "{error}");
}
