//! Every way in which a token is refused: one error, naming the file, the field and the next step.

use moorline_bundle::credentials::{CredentialsFault, Part, PemFault};
use moorline_bundle::endpoint::EndpointFault;
use moorline_bundle::{LinkToken, TokenError, TokenFault};
use rcgen::ExtendedKeyUsagePurpose;

use crate::claim::claim_yaml;
use crate::site::{DAY, KeyForm, Leaf, Parts, Site, now, token_yaml, west};

fn refused(yaml: &str) -> TokenError {
    LinkToken::parse("west.yaml", yaml.as_bytes(), now()).unwrap_err()
}

fn west_yaml() -> String {
    token_yaml(&west().1)
}

fn edited(from: &str, to: &str) -> TokenError {
    let yaml = west_yaml();
    assert!(yaml.contains(from), "{from}");
    refused(&yaml.replace(from, to))
}

/// The fault's message has all of `wanted`, and names the file.
#[track_caller]
fn says(error: &TokenError, wanted: &[&str]) {
    let text = error.to_string();
    assert!(text.starts_with("west.yaml: "), "{text}");
    for part in wanted {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[track_caller]
fn credentials_fault(parts: &Parts) -> (CredentialsFault, TokenError) {
    let error = refused(&token_yaml(parts));
    match error.fault.clone() {
        TokenFault::Credentials(fault) => (fault, error),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_claim_where_a_link_token_is_needed_is_refused_with_the_next_step() {
    let yaml = claim_yaml(None);
    let wanted = ["claim token", "https://claims-west.apps.example.com:443/efe3a241", "moorline token redeem FILE"];
    says(&refused(&yaml), &wanted);
    let unlabelled = yaml.replace("skupper.io/type: token-claim", "a: b");
    says(&refused(&unlabelled), &wanted);
    assert!(!refused(&yaml).to_string().contains("cDlYMmtRN3ZGZHMz"));
}

#[test]
fn yaml_that_is_cut_off_is_told_with_its_place() {
    let yaml = west_yaml();
    let end = yaml.find("\"443\"").unwrap() + 3;
    let error = refused(&yaml[..end]);
    let TokenFault::NotYaml { place, .. } = error.fault else {
        panic!("{error:?}");
    };
    assert_eq!(place.unwrap().line, 10);
    says(&error, &["line 10, column", "cut off", "copy it again"]);
}

#[test]
fn what_is_no_secret_is_refused() {
    assert_eq!(refused("").fault, TokenFault::Empty);
    assert_eq!(refused(" \n\n").fault, TokenFault::Empty);
    let error = edited("kind: Secret", "kind: ConfigMap");
    says(&error, &["`kind` is ConfigMap, not Secret", "skupper token create -t cert FILE"]);
    for other in ["just text", "[1, 2]", "{}", "kind: [Secret]", "42"] {
        let error = refused(other);
        assert_eq!(error.fault, TokenFault::NotASecret { found: None }, "{other}");
    }
}

#[test]
fn other_secrets_are_refused() {
    for label in ["connection-token-request", "token-claim-record", "Connection-Token"] {
        let error = edited("type: connection-token", &format!("type: {label}"));
        says(&error, &["the label `skupper.io/type`", label]);
        let label = label.to_owned();
        assert_eq!(error.fault, TokenFault::WrongLabel { label });
    }
    let error = refused("kind: Secret\nmetadata: {name: x}\ndata: {password: eA==}\n");
    assert_eq!(error.fault, TokenFault::NotAToken);
}

#[test]
fn missing_annotations_are_named() {
    for (line, annotation) in [
        ("    edge-host: skupper-edge-west.apps.example.com\n", "edge-host"),
        ("    edge-port: \"443\"\n", "edge-port"),
        ("    inter-router-host: skupper-inter-router-west.apps.example.com\n", "inter-router-host"),
        ("    inter-router-port: \"55671\"\n", "inter-router-port"),
    ] {
        for replacement in [String::new(), format!("    {annotation}:\n"), format!("    {annotation}: \"\"\n")] {
            let error = edited(line, &replacement);
            assert_eq!(error.fault, TokenFault::MissingAnnotation { annotation });
            says(&error, &[annotation, "copy it again"]);
        }
    }
    let error = edited("edge-port: \"443\"", "edge-port: [443]");
    says(&error, &["`metadata.annotations.edge-port` is not a text"]);
}

#[test]
fn hosts_and_ports_that_cannot_be_dialled_are_shown() {
    for port in ["0", "65536", "-1", "http", "443 ", "+443", "4e2", "99999999999999999999999"] {
        let error = edited("\"443\"", &format!("\"{port}\""));
        let expected =
            TokenFault::BadEndpoint { annotation: "edge-port", value: port.to_owned(), fault: EndpointFault::Port };
        assert_eq!(error.fault, expected);
        says(&error, &["edge-port", port, "from 1 to 65535"]);
    }
    for host in ["https://h", "h:443", "a b", "[fd00::5]", "-", "a..b", "\u{e9}.example"] {
        let error = edited("skupper-edge-west.apps.example.com", &format!("\"{host}\""));
        let expected =
            TokenFault::BadEndpoint { annotation: "edge-host", value: host.to_owned(), fault: EndpointFault::Host };
        assert_eq!(error.fault, expected);
    }
    let error = edited("\"55671\"", "\"0\"");
    says(&error, &["inter-router-port"]);
}

#[test]
fn missing_and_unreadable_data_is_named() {
    for key in ["ca.crt", "tls.crt", "tls.key"] {
        let yaml = west_yaml();
        let start = yaml.find(&format!("  {key}: ")).unwrap();
        let end = start + yaml[start..].find('\n').unwrap();
        let line = &yaml[start..end];

        let error = refused(&yaml.replace(line, &format!("  other: {key}")));
        assert_eq!(error.fault, TokenFault::MissingData { key });

        for (bad, detail) in [("\"%%%%\"", "not of base64"), ("YWJjZA", "padding"), ("YWJjZ", "middle")] {
            let error = refused(&yaml.replace(line, &format!("  {key}: {bad}")));
            says(&error, &[&format!("`data.{key}` is not base64"), detail]);
        }

        // "hello": base64, but no PEM.
        let error = refused(&yaml.replace(line, &format!("  {key}: aGVsbG8=")));
        says(&error, &[&format!("`{key}` is not a PEM"), "no such section"]);
    }
}

#[test]
fn pem_faults_are_told_without_the_content() {
    let parts = &west().1;
    let body = parts.key.lines().nth(5).unwrap();
    for (damaged, fault) in [
        (parts.key[..parts.key.len() / 2].to_owned(), PemFault::NoEnd),
        (parts.key.replace(body, &format!("%{body}")), PemFault::BadBody),
        (parts.key.replace('\n', ""), PemFault::NoEnd),
        (parts.key.replacen("KEY-----", "KEY", 1), PemFault::BadBegin),
        (parts.cert.clone(), PemFault::NoSection),
    ] {
        let (found, error) = credentials_fault(&Parts { key: damaged, ..parts.clone() });
        let part = Part::Key;
        assert_eq!(found, CredentialsFault::BadPem { part, fault });
        assert!(!error.to_string().contains(body));
        assert!(!format!("{error:?}").contains(body));
    }
    let (found, _) = credentials_fault(&Parts {
        key: String::from("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
        ..parts.clone()
    });
    assert_eq!(found, CredentialsFault::KeyEncrypted);
    let (found, _) = credentials_fault(&Parts {
        key: String::from("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ..parts.clone()
    });
    assert!(matches!(found, CredentialsFault::BadKey { .. }), "{found:?}");
    let (found, _) = credentials_fault(&Parts {
        cert: String::from("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ..parts.clone()
    });
    assert!(matches!(found, CredentialsFault::NotCertificate { .. }), "{found:?}");
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (site, parts) = west();
    let (fault, error) = credentials_fault(&Parts { key: site.issue(&Leaf::default()).key, ..parts.clone() });
    assert_eq!(fault, CredentialsFault::KeyMismatch);
    says(&error, &["`tls.key` is not the private key", "tls.crt"]);
}

#[test]
fn a_foreign_authority_is_refused_whatever_its_name() {
    let (_, parts) = west();
    for (name, form) in
        [("skupper-site-ca", KeyForm::Pkcs1), ("skupper-site-ca", KeyForm::Pkcs8), ("other-ca", KeyForm::Pkcs8)]
    {
        let (fault, error) = credentials_fault(&Parts { ca: Site::new(name, form).ca_pem, ..parts.clone() });
        let expected = CredentialsFault::ForeignAuthority {
            issuer: String::from("CN=skupper-site-ca"),
            authority: format!("CN={name}"),
        };
        assert_eq!(fault, expected, "{form:?}");
        says(&error, &["not signed by the authority in `ca.crt`", name]);
    }
}

#[test]
fn a_certificate_for_servers_only_is_refused() {
    let parts = west().0.issue(&Leaf { purposes: vec![ExtendedKeyUsagePurpose::ServerAuth], ..Leaf::default() });
    let (fault, error) = credentials_fault(&parts);
    assert_eq!(fault, CredentialsFault::WrongPurpose { side: "client" });
    says(&error, &["not meant for TLS clients", "clientAuth"]);
}

#[test]
fn an_expired_certificate_is_refused_with_both_dates() {
    let parts = west().0.issue(&Leaf { not_after: now() - DAY, not_before: now() - 9 * DAY, ..Leaf::default() });
    let (_, error) = credentials_fault(&parts);
    let wanted = ["`tls.crt` expired on 2026-01-14T00:00:00Z", "clock says 2026-01-15T00:00:00Z", "make a new token"];
    says(&error, &wanted);

    let yaml = token_yaml(&parts);
    let parsed = LinkToken::parse("west.yaml", yaml.as_bytes(), now() - 2 * DAY);
    assert!(parsed.is_err_and(|error| error.to_string().contains("ca.crt")));
    LinkToken::parse("west.yaml", yaml.as_bytes(), now() - DAY).unwrap();
}

#[test]
fn a_certificate_from_the_future_is_refused_with_a_hint_on_clocks() {
    let parts = west().0.issue(&Leaf { not_before: now() + DAY, ..Leaf::default() });
    let (_, error) = credentials_fault(&parts);
    let wanted =
        ["`tls.crt` is not valid before 2026-01-16T00:00:00Z", "clock says 2026-01-15T00:00:00Z", "clocks is wrong"];
    says(&error, &wanted);
}

#[test]
fn an_authority_out_of_date_is_refused() {
    for (from, until, text) in [
        (now() - 9 * DAY, now() - DAY, "`ca.crt` expired on 2026-01-14T00:00:00Z"),
        (now() + DAY, now() + 9 * DAY, "`ca.crt` is not valid before 2026-01-16T00:00:00Z"),
    ] {
        let site = Site::dated("skupper-site-ca", KeyForm::Pkcs8, from, until);
        let (_, error) = credentials_fault(&site.issue(&Leaf::default()));
        says(&error, &[text]);
    }
}
