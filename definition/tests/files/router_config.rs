//! Reading and writing `skrouterd.json`.

use std::path::Path;

use moorline_definition::router_config::{
    Aggregation, ConfigProblem, Encapsulation, Metadata, Role, RouterConfig, RouterMode, parse,
};

fn none(name: &str) -> Option<String> {
    let _ = name;
    None
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Without what only the form of a file is: kinds keep their order, names decide inside them.
fn semantic(text: &str) -> Vec<serde_json::Value> {
    let mut pairs: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    pairs.sort_by_key(identity);
    pairs
}

/// What makes an entity the one that it is.
fn identity(pair: &serde_json::Value) -> String {
    let name = ["name", "prefix", "module"].iter().find_map(|key| pair[1][key].as_str());
    format!("{} {}", pair[0], name.unwrap_or_default())
}

#[test]
fn the_files_of_podman_sites_come_back_as_they_were() {
    for name in ["skupper-podman-site.json", "skupper-podman-service.json"] {
        let text = read(name);
        let config = parse(&text, &none).unwrap();
        let mut expected = semantic(&text);
        for pair in &mut expected {
            // The default role of a listener is not written.
            if pair[0] == "listener" && pair[1]["role"] == "normal" {
                pair[1].as_object_mut().unwrap().remove("role");
            }
        }
        assert_eq!(semantic(&config.to_json()), expected, "{name}");
        assert_eq!(parse(&config.to_json(), &none).unwrap().to_json(), config.to_json(), "{name}");
    }
    let site = parse(&read("skupper-podman-site.json"), &none).unwrap();
    assert_eq!(site.router.mode, RouterMode::Interior);
    assert_eq!(site.router.site().platform, "podman");
    let edge = site.listeners.iter().find(|listener| listener.name == "edge-listener").unwrap();
    assert_eq!((edge.role, edge.port, edge.max_session_frames), (Role::Edge, 45671, Some(640)));
    assert_eq!(edge.sasl_mechanisms.as_deref(), Some("EXTERNAL"));
}

const MESSY: &str = r#"
# written by hand
[
    ["router", {"mode": "edge", "id": "gw-${HOST}", "data-connection-count": "4"}],
  # a comment between
    ["ssl-profile", {"name": "p", "ca-cert-file": "$DIR/ca.crt"}],
    ["connector", {"name": "up", "role": "edge", "host": "h", "port": 443, "ssl-profile": "p",
        "max-frame-size": "16384", "verify-hostname": "yes", "idleTimeoutSeconds": 16}],
    ["listener", {"port": "5672", "host": "localhost"}],
    ["tcpListener", {"port": 0, "address": "cache:6379", "encapsulation": "lite", "authenticatePeer": true}],
    ["httpConnector", {"name": "q", "host": "a", "port": "80", "address": "q:80", "aggregation": "json"}],
    ["autoLink", {"direction": "in", "address": "a&b"}]
]
"#;

#[test]
fn every_spelling_of_the_router_is_read() {
    let vars = |name: &str| match name {
        "HOST" => Some("vm \"1\"".to_owned()),
        "DIR" => Some("/etc/x".to_owned()),
        _ => None,
    };
    let config = parse(MESSY, &vars).unwrap();
    assert_eq!(config.router.id, "gw-vm \"1\"");
    assert_eq!(config.router.extra["dataConnectionCount"], "4");
    assert_eq!(config.ssl_profiles[0].ca_cert_file.as_deref(), Some("/etc/x/ca.crt"));
    let up = &config.connectors[0];
    assert_eq!((up.role, up.port.as_str(), up.verify_hostname), (Role::Edge, "443", Some(true)));
    assert_eq!((up.max_frame_size, up.idle_timeout_seconds), (Some(16384), Some(16)));
    assert_eq!((config.listeners[0].name.as_str(), config.listeners[0].port), ("localhost@5672", 5672));
    let listener = &config.tcp_listeners[0];
    assert_eq!((listener.name.as_str(), listener.port.as_str()), ("@0", "0"));
    assert_eq!(listener.encapsulation, Some(Encapsulation::Lite));
    assert_eq!(listener.authenticate_peer, Some(true));
    assert_eq!(config.http_connectors[0].aggregation, Some(Aggregation::Json));
    assert_eq!(config.unknown[0].kind, "autoLink");
    assert!(config.to_json().contains(r#""address": "a\u0026b""#), "{}", config.to_json());
}

#[test]
fn the_text_is_deterministic_and_formed_as_go_does() {
    let text = r#"[["tcpListener",{"name":"b","port":"2","address":"b:2"}],["router",{"mode":"edge","id":"<a>"}],
        ["tcpListener",{"name":"a","port":"1","address":"a:1"}]]"#;
    let expected = r#"[
    [
        "router",
        {
            "id": "\u003ca\u003e",
            "mode": "edge"
        }
    ],
    [
        "tcpListener",
        {
            "address": "a:1",
            "name": "a",
            "port": "1"
        }
    ],
    [
        "tcpListener",
        {
            "address": "b:2",
            "name": "b",
            "port": "2"
        }
    ]
]
"#;
    assert_eq!(parse(text, &none).unwrap().to_json(), expected);
}

fn problems(text: &str) -> Vec<String> {
    parse(text, &none).unwrap_err().problems.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let router = r#"["router", {"id": "r", "mode": "edge"}]"#;
    let cases: Vec<(String, Vec<&str>)> = vec![
        (
            format!("[\n{router},\n[\"listener\" {{}}]\n]"),
            vec!["line 3, column 13: invalid JSON for router configuration: expected `,` or `]`"],
        ),
        (
            "# c\n[[\"router\", {\"id\": \"${HOSTNAME}\",\n\"metadata\": \"$ROUTER_ID\"}]]".to_owned(),
            vec!["line 2, column 21: variable HOSTNAME is not set", "line 3, column 14: variable ROUTER_ID is not set"],
        ),
        (
            "[[\"router\", {\"id\": \"skupper-gateway-{{.RouterID}}\", \"x\": \"{{ .WorkingDir }}\"}]]".to_owned(),
            vec![
                "line 1, column 37: {{.RouterID}} was left in: this is the template that Skupper keeps in the cluster, not a router configuration",
                "line 1, column 59: {{ .WorkingDir }} was left in: this is the template that Skupper keeps in the cluster, not a router configuration",
            ],
        ),
        ("{}".to_owned(), vec!["line 1: Invalid JSON for router configuration, expected array at top level got {}"]),
        (
            format!("[{router},\n7,\n[1, {{}}],\n[\"x\", 1],\n[\"x\"]]"),
            vec![
                "line 2: Invalid JSON for router configuration, expected array with type and value got 7",
                "line 3: Invalid JSON for router configuration, expected entity type as string got 1",
                "line 4: Invalid JSON for router configuration, expected entity as map got 1",
                "line 5: Invalid JSON for router configuration, expected array with type and value got [\"x\"]",
            ],
        ),
        ("[]".to_owned(), vec!["no router entity"]),
        (format!("[{router},\n{router}]"), vec!["line 2: a second router entity"]),
        (
            "[[\"router\", {\"mode\": \"standalone\"}]]".to_owned(),
            vec![
                "line 1: router: id: required",
                "line 1: router: mode: expected edge or interior, found \"standalone\"",
            ],
        ),
        (
            format!(
                "[{router},\n[\"connector\", {{\"name\": \"c\", \"host\": \"h\", \"port\": \"amqp\", \"role\": \"x\", \"sslProfile\": \"p\"}}],\n\
                 [\"tcpConnector\", {{\"name\": \"t\", \"port\": 0}}],\n\
                 [\"tcpListener\", {{\"name\": \"l\", \"port\": 70000, \"address\": \"a:1\"}}],\n\
                 [\"tcpListener\", {{\"name\": \"l\", \"address\": \"a:1\", \"verifyHostname\": 3}}]]"
            ),
            vec![
                "line 2: connector \"c\": role: expected edge, inter-router, normal or route-container, found \"x\"",
                "line 2: connector \"c\": port: expected a port from 1 to 65535, found \"amqp\"",
                "line 2: connector \"c\": sslProfile: there is no sslProfile \"p\"",
                "line 3: tcpConnector \"t\": port: expected a port from 1 to 65535, found 0",
                "line 3: tcpConnector \"t\": address: required",
                "line 4: tcpListener \"l\": port: expected a port from 0 to 65535, found 70000",
                "line 5: tcpListener \"l\": port: required",
                "line 5: tcpListener \"l\": verifyHostname: expected true or false, found 3",
                "line 5: tcpListener \"l\": name: another tcpListener has this name",
            ],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(problems(&text), expected, "{text}");
    }
}

#[test]
fn a_column_after_a_variable_is_the_column_in_the_file() {
    let text = "[[\"router\", {\"id\": \"${A}\" 5}]]";
    let error = parse(text, &|_| Some("long enough to move what follows".to_owned())).unwrap_err();
    let [ConfigProblem::Syntax { line, column, .. }] = error.problems.as_slice() else { panic!("{error}") };
    assert_eq!((*line, *column), (1, text.find('5').unwrap() + 1));
}

#[test]
fn metadata_of_every_age_is_read() {
    let metadata = Metadata { id: "a".to_owned(), version: String::new(), platform: "podman".to_owned() };
    assert_eq!(metadata.to_json(), r#"{"id":"a","platform":"podman"}"#);
    assert_eq!(Metadata::parse(&metadata.to_json()), metadata);
    assert_eq!(Metadata::parse("just-an-id").id, "just-an-id");
}

#[test]
fn a_configuration_made_in_memory_can_be_validated() {
    let mut config = RouterConfig::default();
    assert_eq!(config.validate(), Ok(()));
    config.connectors.push(moorline_definition::router_config::Connector {
        name: "c".to_owned(),
        ssl_profile: Some("p".to_owned()),
        ..Default::default()
    });
    assert_eq!(config.validate().unwrap_err().to_string(), "connector \"c\": sslProfile: there is no sslProfile \"p\"");
}
