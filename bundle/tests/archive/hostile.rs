//! Archives that somebody made to harm: refused, with bounded work, and nothing is written.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use moorline_bundle::archive::limits;
use moorline_bundle::{Bundle, BundleFault};
use tar::EntryType;

use crate::sample::{Entry, archive, archive_of, entries, gzip, tar_of};

fn fault_of(archive: &[u8]) -> BundleFault {
    Bundle::from_archive(archive).unwrap_err()
}

/// Of a bundle with one more entry, at its beginning and at its end.
fn fault_with(entry: &Entry) -> BundleFault {
    let mut first = entries();
    first.insert(0, entry.clone());
    let mut last = entries();
    last.push(entry.clone());
    let [first, last] = [first, last].map(|entries| fault_of(&archive_of(&entries)));
    assert_eq!(first, last);
    first
}

#[test]
fn links_and_devices() {
    for (kind, link) in [(EntryType::Symlink, "/etc/passwd"), (EntryType::Link, "moorline"), (EntryType::Symlink, ".")]
    {
        let fault = fault_with(&Entry::special("gateway.yaml", kind, link));
        assert_eq!(fault, BundleFault::Link { path: "\"gateway.yaml\"".to_owned() });
    }
    for kind in [
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Continuous,
        EntryType::GNUSparse,
        EntryType::new(b'Z'),
    ] {
        let fault = fault_with(&Entry::special("moorline", kind, ""));
        assert!(matches!(fault, BundleFault::Special { .. } | BundleFault::Damaged { .. }), "{kind:?}: {fault}");
    }
}

#[test]
fn paths_that_lead_elsewhere() {
    for path in [
        "/gateway.yaml",
        "//gateway.yaml",
        "../gateway.yaml",
        "config/../../gateway.yaml",
        "config/..",
        "./gateway.yaml",
        "config//skrouterd.json",
        "config/./skrouterd.json",
        "gateway.yaml/",
        "config\\skrouterd.json",
        "gateway.yaml\n",
        "\x1b[31mred",
    ] {
        let fault = fault_with(&Entry::file(path, "x"));
        assert!(matches!(fault, BundleFault::Path { .. }), "{path:?}: {fault:?}");
        let said = fault.to_string();
        assert!(!said.contains(char::is_control), "{said:?}");
    }
    for path in ["/", "../", "config/../", "./"] {
        let fault = fault_with(&Entry::special(path, EntryType::Directory, ""));
        assert!(matches!(fault, BundleFault::Path { .. }), "{path:?}: {fault:?}");
    }
}

#[test]
fn everything_that_no_bundle_has_is_listed() {
    let mut more = entries();
    for path in [".bashrc", "etc/passwd", "config/other.json", "moorline2", "service/.service", "Gateway.yaml"] {
        more.push(Entry::file(path, "x"));
    }
    more.push(Entry::special("bin/", EntryType::Directory, ""));
    more.push(Entry::file("skupper-router-certs/x/other.key", "x"));
    more.push(Entry::file("skupper-router-certs/a b/tls.key", "x"));
    let BundleFault::Unknown { names } = fault_of(&archive_of(&more)) else { panic!() };
    let expected = [
        ".bashrc",
        "etc/passwd",
        "config/other.json",
        "moorline2",
        "service/.service",
        "Gateway.yaml",
        "bin/",
        "skupper-router-certs/x/other.key",
        "skupper-router-certs/a b/tls.key",
    ];
    assert_eq!(names, expected.map(|name| format!("\"{name}\"")));
}

#[test]
fn a_path_twice() {
    let fault = fault_with(&Entry::file("moorline", "another program"));
    assert_eq!(fault, BundleFault::Duplicate { path: "\"moorline\"".to_owned() });
}

#[test]
fn too_many_entries() {
    let many = vec![Entry::special("config/", EntryType::Directory, ""); limits::ENTRIES + 1];
    assert_eq!(fault_of(&archive_of(&many)), BundleFault::TooMany { most: limits::ENTRIES });
    let unknown: Vec<_> = (0..limits::ENTRIES).map(|n| Entry::file(&format!("{n}"), "")).collect();
    let BundleFault::Unknown { names } = fault_of(&archive_of(&unknown)) else { panic!() };
    assert_eq!(names.len(), 10, "a message has an end");
}

#[test]
fn a_file_larger_than_its_kind() {
    for (path, largest) in [("gateway.yaml", limits::TEXT), ("launch.sh", limits::SMALL), ("moorline", limits::PROGRAM)]
    {
        let mut entries = entries();
        entries.iter_mut().find(|entry| entry.path == path).unwrap().content =
            vec![0; usize::try_from(largest).unwrap() + 1];
        assert_eq!(fault_of(&archive_of(&entries)), BundleFault::TooLarge { what: format!("\"{path}\""), largest });
    }
}

/// Gzip of `head`, then of zeros without an end, as far as a bound of ours could be missed.
fn bomb(head: &[u8], zeros: u64) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(head).unwrap();
    let block = vec![0; 1 << 20];
    for _ in 0..zeros.div_ceil(1 << 20) {
        gzip.write_all(&block).unwrap();
    }
    gzip.finish().unwrap()
}

fn the_bundle() -> BundleFault {
    BundleFault::TooLarge { what: "the bundle".to_owned(), largest: limits::SUM }
}

#[test]
fn bombs_go_off_nowhere() {
    // Padding that does not end.
    let endless = bomb(&tar_of(&entries()), 2 * limits::SUM);
    assert!(endless.len() < 1 << 20, "{}", endless.len());
    assert_eq!(fault_of(&endless), the_bundle());

    // Files that are each small enough.
    let file = vec![0; usize::try_from(limits::TEXT).unwrap()];
    let paths = (0..40).map(|n| Entry::file(&format!("unknown{n}"), file.clone()));
    assert_eq!(fault_of(&archive_of(&paths.collect::<Vec<_>>())), the_bundle());

    // Names and attributes, which an archive may have of any length, and which readers keep in memory.
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader, EntryType::XGlobalHeader] {
        let mut long = Entry::special("long", kind, "");
        long.content = vec![b'x'; 1];
        let mut tar = tar_of(&[long]);
        tar.truncate(512);
        // A length of some gigabytes, with the sum of the header made right again.
        tar[124..136].copy_from_slice(b"77777777777\0");
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes().copy_from_slice(&tar);
        header.set_cksum();
        let fault = fault_of(&bomb(header.as_bytes(), 2 * limits::SUM));
        assert!(fault == the_bundle() || matches!(fault, BundleFault::Special { .. }), "{kind:?}: {fault}");
    }
}

#[test]
fn archives_that_are_too_large_are_not_even_unpacked() {
    let mut large = archive().to_vec();
    large.resize(usize::try_from(limits::ARCHIVE).unwrap() + 1, 0);
    assert_eq!(fault_of(&large), the_bundle());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.tar.gz");
    std::fs::write(&path, large).unwrap();
    assert!(Bundle::open(&path).unwrap_err().to_string().contains("larger than"));
}

#[test]
fn something_behind_the_end() {
    let mut second = archive().to_vec();
    second.extend(gzip(&tar_of(&[Entry::file("gateway.yaml", "name: other")])));
    assert_eq!(fault_of(&second), BundleFault::TrailingData);
    let mut tar = tar_of(&entries());
    tar.extend(tar_of(&[Entry::file("gateway.yaml", "name: other")]));
    assert_eq!(fault_of(&gzip(&tar)), BundleFault::TrailingData);
    // As tools fill up an archive.
    let mut tar = tar_of(&entries());
    tar.resize(tar.len().next_multiple_of(10_240), 0);
    Bundle::from_archive(&gzip(&tar)).unwrap();
}
