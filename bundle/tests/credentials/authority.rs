//! The certificate authority and what it issues.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use moorline_bundle::{Authority, AuthorityError, Credentials, CredentialsFault, FileError, Origin, Purpose, Validity};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::X509Certificate;

use crate::site::{DAY, KeyForm, Leaf, Site, now};

fn open(dir: &Path) -> Result<(Authority, Origin), AuthorityError> {
    Authority::open_or_create(dir, "moorline-site-ca", now())
}

fn authority() -> Authority {
    Authority::generate("moorline-site-ca", Validity::starting(now())).unwrap()
}

fn standard() -> Validity {
    Validity::starting(now())
}

/// Runs `examine` on the first certificate of a PEM text.
fn with_certificate<T>(pem: &str, examine: impl FnOnce(&X509Certificate<'_>) -> T) -> T {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
    examine(&certificate)
}

fn key_ids(certificate: &X509Certificate<'_>) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let (mut authority, mut subject) = (None, None);
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                authority = id.key_identifier.as_ref().map(|id| id.0.to_vec());
            }
            ParsedExtension::SubjectKeyIdentifier(id) => subject = Some(id.0.to_vec()),
            _ => {}
        }
    }
    (authority, subject)
}

#[test]
fn it_is_made_once_and_found_again() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("state/ca");
    let (made, origin) = open(&dir).unwrap();
    assert_eq!(origin, Origin::Created);
    let (found, origin) = Authority::open_or_create(&dir, "another name", now()).unwrap();
    assert_eq!(origin, Origin::Existing);
    assert_eq!(found.cert_pem(), made.cert_pem());
    assert_eq!(found.name(), "moorline-site-ca");
    assert_eq!(found.not_after(), made.not_after());
    assert_eq!(fs::read_to_string(dir.join("ca.crt")).unwrap(), made.cert_pem());

    for (path, bits) in [(dir.clone(), 0o700), (dir.join("ca.crt"), 0o600), (dir.join("ca.key"), 0o600)] {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, bits, "{path:?}");
    }
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);

    // What the second issues answers to the first.
    let client = found.issue_client("db1", standard()).unwrap();
    let mixed =
        Credentials::from_pem(made.cert_pem().as_bytes(), client.cert_pem().as_bytes(), client.key_pem().as_bytes());
    assert_eq!(mixed.unwrap().check(Purpose::Client, now()), Ok(()));
}

#[test]
fn its_certificate_is_an_authoritys() {
    with_certificate(authority().cert_pem(), |certificate| {
        assert_eq!(certificate.subject().to_string(), "CN=moorline-site-ca");
        assert_eq!(certificate.subject(), certificate.issuer());
        let constraints = certificate.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca);
        assert_eq!(constraints.value.path_len_constraint, Some(0));
        let usage = certificate.key_usage().unwrap().unwrap();
        assert!(usage.critical && usage.value.key_cert_sign());
        assert!(key_ids(certificate).1.is_some());
        let days = certificate.validity().not_after.timestamp()
            - i64::try_from(now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()).unwrap();
        assert_eq!(days, 5 * 365 * 24 * 60 * 60);
        assert_eq!(certificate.public_key().algorithm.algorithm.to_id_string(), "1.2.840.10045.2.1");
        certificate.verify_signature(None).unwrap();
    });
    let key = authority().issue_client("c", standard()).unwrap();
    assert!(key.key_pem().starts_with("-----BEGIN PRIVATE KEY-----"));
}

#[test]
fn a_server_certificate_has_its_names_and_purpose() {
    let authority = authority();
    let names = ["hub.example.com", "10.0.0.5", "fd00::5"].map(String::from);
    let server = authority.issue_server(&names, standard()).unwrap();
    assert_eq!(server.ca_pem(), authority.cert_pem());
    assert_eq!(server.common_name(), "hub.example.com");
    assert_eq!(server.check(Purpose::Server, now()), Ok(()));
    assert_eq!(server.check(Purpose::Client, now()), Err(CredentialsFault::WrongPurpose { side: "client" }));
    let authority_key = with_certificate(authority.cert_pem(), |ca| key_ids(ca).1);
    with_certificate(server.cert_pem(), |certificate| {
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        let address = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
        assert_eq!(
            names.value.general_names,
            [
                GeneralName::DNSName("hub.example.com"),
                GeneralName::IPAddress(&[10, 0, 0, 5]),
                GeneralName::IPAddress(&address),
            ]
        );
        let usage = certificate.extended_key_usage().unwrap().unwrap();
        assert!(usage.value.server_auth && !usage.value.client_auth);
        assert!(!certificate.is_ca());
        let (authority_id, subject_id) = key_ids(certificate);
        assert!(authority_id.is_some() && subject_id.is_some());
        assert_eq!(authority_id, authority_key);
        let begins = certificate.validity().not_before.timestamp();
        let now = now().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(begins, i64::try_from(now.as_secs()).unwrap() - 300);
    });
}

#[test]
fn a_client_certificate_has_its_name_and_purpose() {
    let client = authority().issue_client("db1", standard()).unwrap();
    assert_eq!(client.common_name(), "db1");
    assert_eq!(client.check(Purpose::Client, now()), Ok(()));
    assert_eq!(client.check(Purpose::Server, now()), Err(CredentialsFault::WrongPurpose { side: "server" }));
    with_certificate(client.cert_pem(), |certificate| {
        let usage = certificate.extended_key_usage().unwrap().unwrap();
        assert!(usage.value.client_auth && !usage.value.server_auth);
        let (authority_id, subject_id) = key_ids(certificate);
        assert!(authority_id.is_some() && subject_id.is_some());
    });
}

#[test]
fn serial_numbers_are_long_and_differ() {
    let authority = authority();
    let serials: HashSet<Vec<u8>> = (0..20)
        .map(|_| authority.issue_client("c", standard()).unwrap())
        .map(|client| with_certificate(client.cert_pem(), |found| found.raw_serial().to_vec()))
        .collect();
    assert_eq!(serials.len(), 20);
    // A leading zero byte keeps the number positive; leading zeros of the number are not written.
    assert!(serials.iter().all(|serial| (14..=17).contains(&serial.len())));
    assert!(serials.iter().any(|serial| serial.len() >= 16));
}

#[test]
fn other_dates_can_be_asked_for_within_the_authoritys() {
    let authority = authority();
    let issue = |from, until| {
        let validity = Validity::between(from, until);
        authority.issue_client("c", validity).unwrap()
    };
    let expired = issue(now() - 9 * DAY, now() - DAY).check(Purpose::Client, now());
    assert!(matches!(expired, Err(CredentialsFault::Expired { .. })), "{expired:?}");
    let early = issue(now() + DAY, now() + 9 * DAY).check(Purpose::Client, now());
    assert!(matches!(early, Err(CredentialsFault::NotYetValid { .. })), "{early:?}");
    assert_eq!(issue(now(), now() + 9999 * DAY).not_after(), authority.not_after());
}

#[test]
fn names_that_cannot_be_are_refused() {
    let authority = authority();
    assert!(matches!(authority.issue_server(&[], standard()), Err(AuthorityError::NoNames)));
    for name in ["", "https://hub", "hub:443", "[fd00::5]", "a b", "\u{e9}"] {
        let result = authority.issue_server(&[String::from("hub"), name.to_owned()], standard());
        assert!(matches!(result, Err(AuthorityError::BadName { .. })), "{name:?}");
    }
    for name in [String::new(), "x".repeat(65)] {
        let result = authority.issue_client(&name, standard());
        assert!(matches!(result, Err(AuthorityError::BadCommonName { .. })), "{name:?}");
    }
    let long = format!("{}.example.com", ["abcdefghij"; 7].join("."));
    let server = authority.issue_server(&[long], standard()).unwrap();
    assert_eq!(server.common_name(), "moorline");
}

#[test]
fn an_interrupted_creation_is_completed() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("ca");
    let (first, _) = open(&dir).unwrap();
    // Before the certificate was in place: its key, and half a temporary file.
    fs::remove_file(dir.join("ca.crt")).unwrap();
    fs::write(dir.join(".ca.crt.4000000000.3.tmp"), "-----BEGIN").unwrap();
    let key = fs::read(dir.join("ca.key")).unwrap();
    let (second, origin) = open(&dir).unwrap();
    assert_eq!(origin, Origin::Created);
    assert_ne!(first.cert_pem(), second.cert_pem());
    assert_eq!(fs::read(dir.join("ca.key")).unwrap(), key);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
    assert_eq!(open(&dir).unwrap().1, Origin::Existing);

    // Before the key was in place.
    let dir = place.path().join("early");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(dir.join(".ca.key.4000000000.3.tmp"), "-----BEGIN").unwrap();
    assert_eq!(open(&dir).unwrap().1, Origin::Created);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
}

#[test]
fn a_lost_or_foreign_key_is_told_and_nothing_is_overwritten() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("ca");
    let (made, _) = open(&dir).unwrap();
    let (cert, key) = (dir.join("ca.crt"), dir.join("ca.key"));
    let good_key = fs::read(&key).unwrap();

    fs::remove_file(&key).unwrap();
    let error = open(&dir).unwrap_err();
    assert!(matches!(error, AuthorityError::KeyLost { .. }), "{error:?}");
    assert!(error.to_string().contains("backup"), "{error}");
    assert!(!key.exists());

    let foreign = authority().issue_client("x", standard()).unwrap();
    for (content, reason) in [
        (foreign.key_pem(), "not the private key of the certificate"),
        ("garbage", "no such section"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not a private key"),
    ] {
        moorline_bundle::files::write_secret(&key, content.as_bytes()).unwrap();
        let error = open(&dir).unwrap_err();
        assert!(matches!(error, AuthorityError::Damaged { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(reason) && text.contains("ca.key"), "{text}");
        assert_eq!(fs::read_to_string(&key).unwrap(), content);
    }
    assert_eq!(fs::read_to_string(&cert).unwrap(), made.cert_pem());

    fs::remove_file(&cert).unwrap();
    assert!(matches!(open(&dir), Err(AuthorityError::Damaged { .. })));
    assert!(!cert.exists());

    moorline_bundle::files::write_secret(&key, &good_key).unwrap();
    for (content, reason) in
        [("", "no such section"), ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ca.crt")]
    {
        fs::write(&cert, content).unwrap();
        let error = open(&dir).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(fs::read_to_string(&cert).unwrap(), content);
    }
}

#[test]
fn a_certificate_that_may_not_sign_is_no_authority() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("ca");
    moorline_bundle::files::private_dir(&dir).unwrap();
    let leaf = Site::new("ca", KeyForm::Pkcs8).issue(&Leaf::default());
    moorline_bundle::files::write_secret(&dir.join("ca.crt"), leaf.cert.as_bytes()).unwrap();
    moorline_bundle::files::write_secret(&dir.join("ca.key"), leaf.key.as_bytes()).unwrap();
    let error = open(&dir).unwrap_err();
    assert!(error.to_string().contains("may not sign"), "{error}");
}

#[test]
fn an_authority_out_of_date_or_open_to_others_is_told() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("ca");
    open(&dir).unwrap();
    let later = now() + 1826 * DAY;
    let error = Authority::open_or_create(&dir, "x", later).unwrap_err();
    assert!(matches!(error, AuthorityError::Expired { .. }), "{error:?}");
    assert!(error.to_string().contains("2031-01-14T00:00:00Z"), "{error}");
    let earlier = now() - Duration::from_secs(301);
    let error = Authority::open_or_create(&dir, "x", earlier).unwrap_err();
    assert!(matches!(error, AuthorityError::NotYetValid { .. }), "{error:?}");

    let key = dir.join("ca.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let error = open(&dir).unwrap_err();
    assert!(matches!(error, AuthorityError::File(FileError::OpenToOthers { .. })), "{error:?}");
    assert!(error.to_string().contains("chmod 600"), "{error}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(open(&dir).unwrap_err().to_string().contains("chmod 700"));
}

#[test]
fn of_many_at_once_one_creates_and_the_others_find() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("ca");
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&dir).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let created = outcomes.iter().filter(|(_, origin)| *origin == Origin::Created);
    assert_eq!(created.count(), 1);
    let certificates: HashSet<_> = outcomes.iter().map(|(found, _)| found.cert_pem()).collect();
    assert_eq!(certificates.len(), 1);
}

#[test]
fn the_key_is_never_in_debug_output() {
    let place = tempfile::tempdir().unwrap();
    let (authority, _) = open(&place.path().join("ca")).unwrap();
    let client = authority.issue_client("c", standard()).unwrap();
    let shown = format!("{authority:?} {authority:#?} {client:?}");
    let key = fs::read_to_string(place.path().join("ca/ca.key")).unwrap();
    for line in key.lines().chain(client.key_pem().lines()) {
        assert!(!shown.contains(line), "{line}");
    }
    assert!(shown.contains("moorline-site-ca") && shown.contains("[hidden]"));
}
