//! Tokens that are good, in all the forms that they come in.

use moorline_bundle::{Authority, Endpoint, LinkToken, Purpose, Validity};

use crate::site::{DAY, KeyForm, Leaf, Parts, Site, now, token_yaml, west};

fn parse(yaml: &str) -> LinkToken {
    LinkToken::parse("west.yaml", yaml.as_bytes(), now()).unwrap()
}

fn west_yaml() -> String {
    token_yaml(&west().1)
}

#[test]
fn a_skupper_token_is_read_whole() {
    let token = parse(&west_yaml());
    assert_eq!(token.name, "skupper");
    assert_eq!(token.edge.host(), "skupper-edge-west.apps.example.com");
    assert_eq!(token.edge.port(), 443);
    let inter_router = token.inter_router.as_ref().unwrap();
    assert_eq!(inter_router.to_string(), "skupper-inter-router-west.apps.example.com:55671");
    assert_eq!(token.generated_by.as_deref(), Some("a960b766-20bd-42c8-886d-741f3a9f6aa2"));
    assert_eq!(token.site_version.as_deref(), Some("1.8.7"));
    assert_eq!(token.cost, None);
    let parts = &west().1;
    assert!(parts.key.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    assert_eq!(token.credentials.ca_pem(), parts.ca);
    assert_eq!(token.credentials.cert_pem(), parts.cert);
    assert_eq!(token.credentials.key_pem(), parts.key);
    assert_eq!(token.credentials.common_name(), "skupper");
}

#[test]
fn keys_in_pkcs8_and_sec1_are_read() {
    for (form, label) in
        [(KeyForm::Pkcs8, "-----BEGIN PRIVATE KEY-----"), (KeyForm::Sec1, "-----BEGIN EC PRIVATE KEY-----")]
    {
        let parts = Site::new("skupper-site-ca", form).issue(&Leaf::default());
        let token = parse(&token_yaml(&parts));
        assert!(token.credentials.key_pem().starts_with(label), "{form:?}");
    }
}

#[test]
fn a_gateway_token_is_a_token() {
    let yaml = west_yaml().replace("connection-token", "gateway-connection-token");
    assert_eq!(parse(&yaml), parse(&west_yaml()));
}

#[test]
fn a_missing_label_is_deduced() {
    let yaml = west_yaml();
    let unlabelled = yaml.replace("  labels:\n    skupper.io/type: connection-token\n", "");
    assert_ne!(unlabelled, yaml);
    assert_eq!(parse(&unlabelled), parse(&yaml));
    let other_labels = yaml.replace("skupper.io/type: connection-token", "app: shop");
    assert_eq!(parse(&other_labels), parse(&yaml));
}

#[test]
fn what_kubectl_adds_is_ignored() {
    let yaml = west_yaml().replace(
        "  creationTimestamp: null\n",
        r#"  creationTimestamp: "2026-01-14T10:00:00Z"
  managedFields:
  - apiVersion: v1
    fieldsType: FieldsV1
    fieldsV1:
      f:data:
        .: {}
        f:ca.crt: {}
  namespace: west
  ownerReferences:
  - apiVersion: v1
    kind: ConfigMap
    name: skupper-site
    uid: a960b766-20bd-42c8-886d-741f3a9f6aa2
  resourceVersion: "4711"
"#,
    );
    let yaml = format!("---\n{yaml}immutable: false\n");
    assert_eq!(parse(&yaml), parse(&west_yaml()));
}

#[test]
fn json_windows_line_ends_and_wrapped_base64_are_read() {
    let yaml = west_yaml();
    assert_eq!(parse(&yaml.replace('\n', "\r\n")), parse(&yaml));

    let document: serde_yaml::Value = serde_yaml::from_str(&yaml).unwrap();
    assert_eq!(parse(&json(&document)), parse(&yaml));

    let key = document["data"]["tls.key"].as_str().unwrap();
    let lines: Vec<_> = key.as_bytes().chunks(76).collect();
    let mut wrapped = String::from("|");
    for line in lines {
        wrapped.push_str("\n    ");
        wrapped.push_str(std::str::from_utf8(line).unwrap());
    }
    assert_eq!(parse(&yaml.replace(key, &wrapped)), parse(&yaml));
}

/// Enough of JSON for what a token holds.
fn json(value: &serde_yaml::Value) -> String {
    match value {
        serde_yaml::Value::Mapping(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("{}: {}", json(key), json(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        serde_yaml::Value::String(text) => format!("{text:?}"),
        _ => String::from("null"),
    }
}

#[test]
fn string_data_is_accepted_and_wins() {
    let Parts { ca, cert, key } = &west().1;
    let indented = |pem: &str| pem.trim_end().replace('\n', "\n    ");
    let plain = format!(
        "stringData:\n  ca.crt: |\n    {}\n  tls.crt: |\n    {}\n  tls.key: |\n    {}\n",
        indented(ca),
        indented(cert),
        indented(key)
    );
    let yaml = west_yaml();
    let data = &yaml[yaml.find("data:").unwrap()..yaml.find("kind:").unwrap()];
    assert_eq!(parse(&yaml.replace(data, &plain)), parse(&yaml));

    let both = format!("{plain}data:\n  tls.key: bm90IGEga2V5\n");
    assert_eq!(parse(&yaml.replace(data, &both)), parse(&yaml));
}

#[test]
fn a_port_without_quotes_and_addresses_are_read() {
    let yaml = west_yaml().replace("\"443\"", "443");
    assert_eq!(parse(&yaml), parse(&west_yaml()));
    for host in ["10.0.0.5", "fd00::5", "vm1"] {
        let yaml = yaml.replace("skupper-edge-west.apps.example.com", host);
        assert_eq!(parse(&yaml).edge.host(), host);
    }
    let yaml = yaml.replace("skupper-edge-west.apps.example.com", "fd00::5");
    assert_eq!(parse(&yaml).edge.to_string(), "[fd00::5]:443");
}

#[test]
fn the_other_host_is_optional() {
    let yaml: String =
        west_yaml().lines().filter(|line| !line.contains("inter-router")).map(|line| format!("{line}\n")).collect();
    assert_eq!(parse(&yaml).inter_router, None);
}

#[test]
fn a_cost_that_is_no_cost_counts_as_none() {
    for (text, cost) in [
        ("\"5\"", Some(5)),
        ("7", Some(7)),
        ("\"2147483647\"", Some(2_147_483_647)),
        ("\"2147483648\"", None),
        ("\"0\"", None),
        ("\"-1\"", None),
        ("cheap", None),
        ("", None),
    ] {
        let yaml = west_yaml().replace(
            "    skupper.io/generated-by",
            &format!("    skupper.io/cost: {text}\n    skupper.io/generated-by"),
        );
        assert_eq!(parse(&yaml).cost.map(|cost| cost.get()), cost, "{text}");
    }
}

#[test]
fn a_token_is_written_as_skupper_writes_it() {
    let yaml = west_yaml();
    let written = parse(&yaml).to_yaml();
    // Both kinds of quotes say the same in YAML.
    assert_eq!(written.replace('\'', "\""), yaml);
    assert_eq!(parse(&written), parse(&yaml));
}

#[test]
fn a_hubs_token_is_written_and_read_back() {
    let authority = Authority::generate("moorline-ca", Validity::starting(now())).unwrap();
    let credentials = authority.issue_client("db1", Validity::starting(now())).unwrap();
    let token = LinkToken {
        name: String::from("db1: \"yes\" # no"),
        edge: Endpoint::new("10.0.0.5", 45671.try_into().unwrap()).unwrap(),
        inter_router: None,
        generated_by: Some(String::from("true")),
        site_version: Some(String::from("1.10")),
        cost: Some(3.try_into().unwrap()),
        credentials,
    };
    let written = token.to_yaml();
    assert_eq!(parse(&written), token);
    let keys: Vec<_> = written.lines().filter_map(|line| line.split_once(':').map(|(key, _)| key)).collect();
    assert_eq!(
        keys,
        [
            "apiVersion",
            "data",
            "  ca.crt",
            "  tls.crt",
            "  tls.key",
            "kind",
            "metadata",
            "  annotations",
            "    edge-host",
            "    edge-port",
            "    skupper.io/cost",
            "    skupper.io/generated-by",
            "    skupper.io/site-version",
            "  creationTimestamp",
            "  labels",
            "    skupper.io/type",
            "  name",
            "type",
        ]
    );
}

#[test]
fn an_old_authority_beside_the_current_one_does_no_harm() {
    let (_, parts) = west();
    let old = Site::dated("skupper-site-ca", KeyForm::Pkcs8, now() - 9 * DAY, now() - DAY);
    let both = Parts { ca: format!("{}{}", old.ca_pem, parts.ca), ..parts.clone() };
    let token = parse(&token_yaml(&both));
    assert_eq!(token.credentials.check(Purpose::Server, now()), Ok(()));
    assert_eq!(token.credentials.not_after(), now() - DAY);
}

#[test]
fn the_key_is_never_in_debug_output() {
    let token = parse(&west_yaml());
    let shown = format!("{token:?} {token:#?} {:?}", token.credentials);
    for line in token.credentials.key_pem().lines() {
        assert!(!shown.contains(line), "{line}");
    }
    assert!(shown.contains("[hidden]"));
    assert!(shown.contains("skupper-edge-west"));
}
