//! Definitions out of router configurations: what is said, and what cannot be.

use std::fs;
use std::path::Path;

use moorline_definition::router_config::{RouterConfig, parse, to_definition};
use moorline_definition::{CheckOptions, Section, check, edit};

use crate::edit_writer::Writer;
use crate::valid;

fn golden(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)).unwrap()
}

/// As a tool writes it for a host, with `change` in its text.
fn config(name: &str, change: impl Fn(String) -> String) -> RouterConfig {
    let variable = |name: &str| Some(format!("the-{}", name.to_lowercase()));
    parse(&change(golden(name)), &variable).unwrap()
}

fn derived(config: &RouterConfig) -> Result<String, String> {
    to_definition(config, &"gate".parse().unwrap()).map_err(|unsayable| unsayable.to_string())
}

#[test]
fn every_golden_configuration_is_said_and_means_itself() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut said = 0;
    for file in fs::read_dir(golden).unwrap().flatten() {
        let name = file.file_name().into_string().unwrap();
        if name.starts_with("skupper-podman") {
            continue;
        }
        let config = config(&name, |text| text);
        let text = match derived(&config) {
            Ok(text) => text,
            // Skupper's own tools forget the address without which the ends of such services do not meet.
            Err(unsaid) if name == "skupper-section-2-5.json" => {
                let expected = "httpConnector \"quotes\": address; httpListener \"alerts\": address; \
                    that there is no address \"mc\"";
                assert_eq!(unsaid, expected);
                continue;
            }
            Err(unsaid) => panic!("{name}: {unsaid}"),
        };
        let options = CheckOptions { allow_insecure_management: true, ..CheckOptions::default() };
        let checked = check("the text", &text, options);
        let definition = checked.definition.unwrap_or_else(|| panic!("{text}: {:?}", checked.problems));
        let again = valid::meaning(&definition);
        assert_eq!(again.tcp_connectors.len(), config.tcp_connectors.len(), "{text}");
        assert_eq!(again.http_listeners.len(), config.http_listeners.len(), "{text}");
        // The words edit it.
        let endpoint = crate::edit::endpoint("new new:1 localhost 1");
        edit::put(&text, Section::Bindings, &endpoint).unwrap();
        said += 1;
    }
    assert!(said > 5, "{said}");
}

#[test]
fn what_definitions_cannot_say_is_named() {
    let with = |from: &'static str, to: &'static str| {
        let changed = config("v4-forwards.json", |text| {
            assert!(text.contains(from), "{text}");
            text.replacen(from, to, 1)
        });
        derived(&changed).unwrap_err()
    };
    let first = "\"tcpListener\",\n        {\n";
    for (added, expected) in [
        ("\"encapsulation\": \"lite\",", "encapsulation"),
        ("\"authenticatePeer\": true,", "authenticatePeer"),
        ("\"cost\": 4,", "cost"),
        ("\"x\": 1,", "x"),
    ] {
        let to: &'static str = Box::leak(format!("{first}{added}").into_boxed_str());
        let unsaid = with(first, to);
        assert!(unsaid.starts_with("tcpListener \"") && unsaid.ends_with(expected), "{unsaid}");
    }
    assert_eq!(
        with("\"role\": \"edge\",", "\"role\": \"edge\", \"verifyHostname\": false,"),
        "connector \"conn1\": verifyHostname"
    );
    assert_eq!(with("\"mode\": \"edge\"", "\"mode\": \"edge\", \"workerThreads\": 2"), "router: workerThreads");
    let end = "\n]\n";
    assert_eq!(with(end, ",[\"log\", {\"module\": \"DEFAULT\", \"enable\": \"info+\"}]]"), "log \"DEFAULT\"");
    assert_eq!(with(end, ",[\"autoLink\", {\"direction\": \"in\"}]]"), "autoLink \"\"");
    let several = with(
        end,
        ",[\"tcpConnector\", {\"name\": \"a\", \"port\": \"1\", \"address\": \"plain\"}],\
          [\"tcpListener\", {\"name\": \"b\", \"port\": \"0\", \"address\": \"b:1\"}]]",
    );
    assert_eq!(
        several,
        "tcpConnector \"a\": address address must be <name>:<port>; tcpListener \"b\": port port out of range 1-65535"
    );
}

/// Definitions in any style: what they mean is said again, and means the same.
#[test]
fn random_definitions_come_back() {
    for seed in 0..60 {
        let mut writer = Writer::new(seed);
        let mut text = edit::new_definition(&"gate".parse().unwrap());
        for section in [Section::Bindings, Section::Forwards] {
            for _ in 0..writer.numbers.below(8) {
                text = edit::put(&text, section, &writer.endpoint()).unwrap();
            }
        }
        let definition = check("the text", &text, CheckOptions::default()).definition.unwrap();
        let config = valid::meaning(&definition);
        let again = derived(&config).unwrap_or_else(|unsaid| panic!("{text}: {unsaid}"));
        let again = check("the text", &again, CheckOptions::default()).definition.unwrap();
        // The listener that every gateway has is said.
        let sorted = |config: RouterConfig| config.to_json();
        assert_eq!(sorted(valid::meaning(&again)), sorted(config), "{text}");
    }
}
