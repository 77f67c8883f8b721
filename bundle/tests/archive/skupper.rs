//! Bundles that `skupper gateway generate-bundle` made: no manifest, eight files, each 0600, dated when they were made.

use std::fs;

use moorline_bundle::{Bundle, BundleFault, Maker};

use crate::sample::{CONFIG, Entry, archive_of, credentials};

const IMAGE: &str = "quay.io/skupper/skupper-router:2.7.6";
const UNIT: &str = "\n[Service]\nExecStart=${QDR_BIN_PATH} -c ${QDR_CONF_DIR}/config/skrouterd.json\n";

fn entries(name: &str, launch: &str) -> Vec<Entry> {
    let certificates = "skupper-router-certs/conn1-profile";
    vec![
        Entry::file(&format!("{certificates}/tls.crt"), credentials().cert_pem()),
        Entry::file(&format!("{certificates}/tls.key"), credentials().key_pem()),
        Entry::file(&format!("{certificates}/ca.crt"), credentials().ca_pem()),
        Entry::file("config/skrouterd.json", CONFIG),
        Entry::file(&format!("service/{name}.service"), UNIT),
        Entry::file("launch.sh", launch),
        Entry::file("remove.sh", "\n#!/bin/bash\n"),
        Entry::file("expandvars.py", "import os\n"),
    ]
}

fn launch(image: &str) -> String {
    format!("\n#!/bin/bash\ngateway_name=x\ngateway_image=${{QDROUTERD_IMAGE:-{image}}}\nshare_dir=/tmp\n")
}

#[test]
fn they_are_recognised() {
    let bundle = Bundle::from_archive(&archive_of(&entries("mylaptop-jdoe", &launch(IMAGE)))).unwrap();
    assert_eq!(bundle.name, "mylaptop-jdoe");
    assert_eq!(bundle.maker, Maker::Skupper { image: Some(IMAGE.to_owned()) });
    assert_eq!((bundle.router_config.as_str(), bundle.unit.as_str()), (CONFIG, UNIT));
    assert_eq!(&bundle.credentials, credentials());
    assert_eq!((bundle.program, bundle.service_profiles), (None, Vec::new()));
}

#[test]
fn names_that_definitions_do_not_allow_are_told_as_they_are() {
    for name in ["MyGateway", "a_b", "9db"] {
        let bundle = Bundle::from_archive(&archive_of(&entries(name, &launch(IMAGE)))).unwrap();
        assert_eq!(bundle.name, name);
    }
}

#[test]
fn an_image_that_cannot_be_one_is_none() {
    for image in ["$(touch /tmp/x)", "a b", "", "a;b", &"a".repeat(300)] {
        let bundle = Bundle::from_archive(&archive_of(&entries("db", &launch(image)))).unwrap();
        assert_eq!(bundle.maker, Maker::Skupper { image: None }, "{image}");
    }
    let bundle = Bundle::from_archive(&archive_of(&entries("db", "#!/bin/sh\n"))).unwrap();
    assert_eq!(bundle.maker, Maker::Skupper { image: None });
}

#[test]
fn a_directory_of_one_too() {
    let dir = tempfile::tempdir().unwrap();
    for entry in entries("db", &launch(IMAGE)) {
        let path = dir.path().join(&entry.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, entry.content).unwrap();
    }
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    assert_eq!(
        Bundle::open(dir.path()).unwrap(),
        Bundle::from_archive(&archive_of(&entries("db", &launch(IMAGE)))).unwrap()
    );
    assert_eq!(Bundle::name_in(dir.path()).unwrap(), "db");
}

#[test]
fn half_of_one_is_none() {
    let whole = entries("db", &launch(IMAGE));
    let without = |at: usize| {
        let mut entries = whole.clone();
        entries.remove(at);
        Bundle::from_archive(&archive_of(&entries)).unwrap_err()
    };
    for certificate in 0..3 {
        assert!(matches!(without(certificate), BundleFault::Missing { .. }));
    }
    for (at, path) in [(3, "config/skrouterd.json"), (5, "launch.sh"), (6, "remove.sh"), (7, "expandvars.py")] {
        assert_eq!(without(at), BundleFault::NotABundle { missing: vec![path.to_owned()] });
    }
    assert_eq!(without(4), BundleFault::Units { count: 0 });
    let mut two = whole.clone();
    two.push(Entry::file("service/other.service", UNIT));
    assert_eq!(Bundle::from_archive(&archive_of(&two)).unwrap_err(), BundleFault::Units { count: 2 });
}
