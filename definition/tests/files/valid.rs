//! Definitions that are good, and the router configuration that each of them means.

use std::path::{Path, PathBuf};

use moorline_definition::router_config::{
    self, AddressEntity, GatewayOptions, RouterConfig, Uplink, from_definition, parse,
};
use moorline_definition::{CheckOptions, Definition, Severity, check};

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn uplink() -> Uplink {
    Uplink { host: "skupper-edge-west.apps.example.com".to_owned(), port: "443".to_owned() }
}

/// The template that a bundle carries.
fn template() -> GatewayOptions {
    GatewayOptions {
        hostname: "${HOSTNAME}".to_owned(),
        site_id: "${ROUTER_ID}".to_owned(),
        version: "1.8.7".to_owned(),
        platform: "kubernetes".to_owned(),
        config_dir: "${QDR_CONF_DIR}".to_owned(),
    }
}

fn variables(name: &str) -> Option<String> {
    let value = match name {
        "HOSTNAME" => "vm1",
        "ROUTER_ID" => "6a2d6f9c-5f35-4d43-9d0a-2f7d3f8c7b10",
        "QDR_CONF_DIR" => "/home/jdoe/.local/share/skupper/bundle/database",
        _ => return None,
    };
    Some(value.to_owned())
}

fn good(text: &str, options: CheckOptions) -> Definition {
    let checked = check("gateway.yaml", text, options);
    assert!(!checked.has_errors(), "{:#?}", checked.problems);
    checked.definition.expect("no errors, so a definition")
}

fn definition(name: &str) -> Definition {
    let text = std::fs::read_to_string(here().join(format!("tests/definitions/{name}.yaml"))).unwrap();
    let checked = check(name, &text, CheckOptions::default());
    assert_eq!(checked.problems, [], "{name}");
    checked.definition.unwrap()
}

/// What a definition means in a bundle.
pub(crate) fn meaning(definition: &Definition) -> RouterConfig {
    from_definition(definition, &uplink(), &template())
}

/// The same configuration, in the order of the file that this crate writes.
fn ordered(config: &RouterConfig) -> RouterConfig {
    parse(&config.to_json(), &|name| panic!("{name}")).unwrap()
}

const NAMES: [&str; 7] =
    ["v1-database", "v2-local-port", "v3-two-ports", "v4-forwards", "v5-web-mixed", "v6-exported", "section-2-5"];

#[test]
fn row_34_definitions_mean_the_golden_configurations() {
    for name in NAMES {
        let config = from_definition(&definition(name), &uplink(), &template());
        config.validate().unwrap();
        let path = here().join(format!("tests/golden/{name}.json"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, config.to_json()).unwrap();
        }
        assert_eq!(config.to_json(), std::fs::read_to_string(&path).unwrap(), "{name}; UPDATE_GOLDEN=1 rewrites it");
    }
}

#[test]
fn a_whole_gateway_is_what_skupper_writes() {
    let skuppers = std::fs::read_to_string(here().join("tests/golden/skupper-section-2-5.json")).unwrap();
    let theirs = parse(&skuppers, &variables).unwrap();
    let template = from_definition(&definition("section-2-5"), &uplink(), &template()).to_json();
    let ours = parse(&template, &variables).unwrap();
    assert_eq!(ours, with_multicast(ordered(&theirs)));
    assert_eq!(ours.router.id, "skupper-gateway-vm1");
    let site = ours.router.site();
    assert_eq!(
        (site.id.as_str(), site.version.as_str(), site.platform.as_str()),
        ("6a2d6f9c-5f35-4d43-9d0a-2f7d3f8c7b10", "1.8.7", "kubernetes")
    );
}

/// Skupper's tools forget the multicast addresses of its own sites.
fn with_multicast(mut theirs: RouterConfig) -> RouterConfig {
    let bridges = theirs.http_connectors.iter_mut().chain(&mut theirs.http_listeners);
    for bridge in bridges.filter(|bridge| bridge.aggregation.is_some() || bridge.event_channel == Some(true)) {
        bridge.address.insert_str(0, "mc/");
    }
    let address = AddressEntity { prefix: "mc".into(), distribution: "multicast".into(), ..AddressEntity::default() };
    theirs.addresses.push(address);
    theirs
}

#[test]
fn every_example_is_free_of_problems() {
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(here().join("../examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut lines = text.lines();
        let schema = "# yaml-language-server: $schema=../definition/schema/gateway.schema.json";
        assert_eq!(lines.next(), Some(schema), "{name}");
        assert!(lines.next().is_some_and(|line| line.starts_with("# ")), "{name} says what it is for");
        let checked = check(&name, &text, CheckOptions { strict: true, ..CheckOptions::default() });
        assert_eq!(checked.problems, [], "{name}");
        assert!(checked.definition.is_some(), "{name}");
        seen.push(name);
    }
    seen.sort();
    for name in ["broker-host.yaml", "database.yaml", "forward.yaml", "web-mixed.yaml"] {
        assert!(seen.iter().any(|seen| seen == name), "{name} is missing in {seen:?}");
    }
}

#[test]
fn scalars_are_converted_as_yaml_v3_does() {
    // A number for a name is text, words of YAML 1.1 are booleans where a boolean is wanted, null is nothing.
    let text = "name: db\nbindings:\n- name: 5432\n  host: 10.0.0.1\n  local_port: 7\n  target_ports: ~\n  \
                service: {address: \"q:1\", protocol: \"http\", ports: [0x50], eventchannel: yes, labels: {a: 1}}\n";
    let definition = good(text, CheckOptions::default());
    let binding = &definition.bindings[0];
    assert_eq!(binding.entity_name(), "5432");
    assert_eq!(binding.port.get(), 80);
    assert_eq!(binding.local_port.as_deref(), Some("7"));
    assert!(binding.service.event_channel);
    assert_eq!(binding.service.labels["a"], "1");

    let quoted = text.replace("yes", "\"on\"");
    assert!(good(&quoted, CheckOptions::default()).bindings[0].service.event_channel);
    let capital = text.replace("yes", "Yes");
    let problem = check("f", &capital, CheckOptions::default()).problems.remove(0);
    assert_eq!(problem.message, "expected true or false, found string \"Yes\"");
    let address = text.replace("\"q:1\"", "5432");
    let problem = check("f", &address, CheckOptions::default()).problems.remove(0);
    assert_eq!(problem.message, "address must be <name>:<port>");
}

#[test]
fn the_local_port_is_the_target_port() {
    let text = "name: db\nbindings:\n- host: localhost\n  service: {address: \"d:5432\", protocol: tcp, ports: [5432]}\n  target_ports: [15432]\n";
    let checked = check("f", text, CheckOptions::default());
    assert_eq!(checked.problems.len(), 1);
    let problem = &checked.problems[0];
    assert_eq!((problem.severity, problem.code, problem.span.line), (Severity::Warning, "port-meaning", 5));
    assert_eq!(
        problem.to_string(),
        "bindings[0].target_ports: the gateway will connect to local port 15432; Skupper 1.8's gateway \
         generate-bundle would connect to 5432"
    );
    assert_eq!(checked.definition.unwrap().bindings[0].port.get(), 15432);

    let compat = CheckOptions { compat_1_8: true, ..CheckOptions::default() };
    assert_eq!(good(text, compat).bindings[0].port.get(), 5432);
    let no_ports = text.replace(", ports: [5432]", "");
    assert_eq!(good(&no_ports, CheckOptions::default()).bindings[0].port.get(), 15432);
    let problem = check("f", &no_ports, compat).problems.remove(0);
    assert_eq!(problem.to_string(), "bindings[0]: a local port is required (service.ports)");

    let alias = text.replace("target_ports", "targetPorts");
    assert_eq!(good(&alias, CheckOptions::default()).bindings[0].port.get(), 15432);
    assert_eq!(good(&alias, compat).bindings[0].port.get(), 5432);
}

#[test]
fn row_43_tls_of_services_is_written_as_sites_write_it() {
    let text = "name: db\n\
        bindings:\n\
        - {name: secure-db, host: localhost, service: {address: \"secure-db:5432\", protocol: tcp, ports: [5432], tlscertauthority: skupper-service-client, tlscredentials: skupper-tls-secure-db}}\n\
        - {name: grpc, host: localhost, service: {address: \"grpc:443\", protocol: http2, ports: [8443], tlscertauthority: skupper-service-client}}\n\
        forwards:\n\
        - {name: secure-db-local, host: 127.0.0.1, service: {address: \"secure-db:5432\", protocol: tcp, ports: [5432], tlscredentials: skupper-tls-secure-db}}\n\
        - {name: grpc-local, host: 127.0.0.1, service: {address: \"grpc:443\", protocol: http2, ports: [8443], tlscredentials: skupper-tls-grpc}}\n";
    let checked = check("f", text, CheckOptions::default());
    assert_eq!(checked.problems, []);
    let needed: Vec<_> = checked.credentials.iter().map(|c| (c.name.as_str(), c.files.len())).collect();
    assert_eq!(
        needed,
        [
            ("skupper-service-client", 1),
            ("skupper-service-client", 1),
            ("skupper-tls-secure-db", 3),
            ("skupper-tls-grpc", 3)
        ]
    );
    let config = ordered(&from_definition(&checked.definition.unwrap(), &uplink(), &plain()));
    let profiles: Vec<_> = config
        .ssl_profiles
        .iter()
        .map(|p| (p.name.as_str(), p.ca_cert_file.as_deref().unwrap(), p.cert_file.is_some()))
        .collect();
    assert_eq!(
        profiles,
        [
            ("conn1-profile", "/c/skupper-router-certs/conn1-profile/ca.crt", true),
            ("skupper-service-client", "/c/skupper-router-certs/skupper-service-client/ca.crt", false),
            ("skupper-tls-grpc", "/c/skupper-router-certs/skupper-tls-grpc/ca.crt", true),
            ("skupper-tls-secure-db", "/c/skupper-router-certs/skupper-tls-secure-db/ca.crt", true),
        ]
    );
    let connector = &config.tcp_connectors[0];
    assert_eq!(connector.ssl_profile.as_deref(), Some("skupper-service-client"));
    assert_eq!(connector.verify_hostname, Some(false));
    let listener = &config.tcp_listeners[0];
    assert_eq!((listener.ssl_profile.as_deref(), listener.verify_hostname), (Some("skupper-tls-secure-db"), None));
    assert_eq!(config.http_connectors[0].verify_hostname, Some(false));
    assert_eq!(config.http_listeners[0].ssl_profile.as_deref(), Some("skupper-tls-grpc"));
}

fn plain() -> GatewayOptions {
    GatewayOptions { config_dir: "/c".to_owned(), site_id: "id".to_owned(), hostname: "h".to_owned(), ..template() }
}

#[test]
fn row_45_qdr_listeners_keep_every_attribute() {
    let text = "name: db\nqdr-listeners:\n- extrafieldsimpl: {}\n  host: 0.0.0.0\n  port: 5671\n  role: normal\n  \
                ssl-profile: amqps\n  sasl-mechanisms: EXTERNAL\n  authenticate-peer: true\n  max-frame-size: 16384\n  \
                max-session-frames: 640\n  link-capacity: 250\n  cost: 2\n  route-container: true\n- name: health\n  \
                host: 127.0.0.1\n  port: 9090\n  http: true\n  http-rootdir: disabled\n  healthz: true\n  metrics: true\n  \
                web-sockets: false\n";
    let checked = check("f", text, CheckOptions::default());
    assert_eq!(checked.problems, []);
    let config = from_definition(&checked.definition.unwrap(), &uplink(), &plain());
    config.validate().unwrap();
    let json: serde_json::Value = serde_json::from_str(&config.to_json()).unwrap();
    let listeners: Vec<_> =
        json.as_array().unwrap().iter().filter(|pair| pair[0] == "listener").map(|pair| &pair[1]).collect();
    assert_eq!(
        *listeners[0],
        serde_json::json!({
            "authenticatePeer": true, "cost": 2, "host": "0.0.0.0", "linkCapacity": 250, "maxFrameSize": 16384,
            "maxSessionFrames": 640, "name": "0.0.0.0@5671", "port": 5671, "role": "route-container",
            "saslMechanisms": "EXTERNAL", "sslProfile": "amqps"
        })
    );
    assert_eq!(
        *listeners[1],
        serde_json::json!({
            "healthz": true, "host": "127.0.0.1", "http": true, "httpRootDir": "disabled", "metrics": true,
            "name": "health", "port": 9090, "websockets": false
        })
    );
    assert_eq!(router_config::UPLINK_NAME, config.connectors[0].name);
}
