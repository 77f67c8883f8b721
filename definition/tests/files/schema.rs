//! The published JSON Schema is the one of the types, and accepts every good definition.

use std::path::{Path, PathBuf};

use moorline_definition::{CheckOptions, check, json_schema};
use serde_json::Value;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn the_published_schema_is_current() {
    let path = here().join("schema/gateway.schema.json");
    let current = json_schema();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, format!("{current:#}\n")).unwrap();
    }
    let published: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_default()).unwrap_or_default();
    assert!(published == current, "UPDATE_SCHEMA=1 cargo test -p moorline-definition --test schema rewrites it");
}

#[test]
fn good_definitions_fit_the_schema() {
    let schema = json_schema();
    let mut seen = 0;
    for folder in ["tests/definitions", "../examples"] {
        for entry in std::fs::read_dir(here().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let value: Value = serde_yaml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
                assert_eq!(misfits(&schema, &schema, &value, ""), Vec::<String>::new(), "{}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen >= 11, "{seen} definitions seen");
}

#[test]
fn bad_definitions_do_not_fit_it() {
    let service = |service: &str| format!("name: db\nbindings: [{{service: {{{service}}}}}]\n");
    let cases = [
        ("bindings: []\n".to_owned(), ": name is required"),
        ("name: db\nbinding: []\n".to_owned(), ": unknown key binding"),
        (service("address: a:1"), ".bindings.0.service: protocol is required"),
        (service("address: a:1, protocol: TCP"), ".bindings.0.service.protocol: not one of the words"),
        (service("address: a:1, protocol: tcp, ports: 5"), ".bindings.0.service.ports: wrong type"),
        (service("address: a:1, protocol: tcp, ports: [1, 2]"), ".bindings.0.service.ports: too many"),
        (service("address: a:1, protocol: tcp, ports: [70000]"), ".bindings.0.service.ports.0: out of range"),
    ];
    let schema = json_schema();
    for (text, expected) in cases {
        let value: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(misfits(&schema, &schema, &value, ""), [expected], "{text}");
        assert!(!check("f", &text, CheckOptions::default()).problems.is_empty(), "{text}");
    }
}

/// The keys that the schema knows are the keys that the checks know.
#[test]
fn schema_and_checks_know_the_same_keys() {
    let schema = json_schema();
    let strict = CheckOptions { strict: true, ..CheckOptions::default() };
    let cases = [
        (schema["properties"].clone(), "name: db\nKEY: ~\n"),
        (schema["$defs"]["Endpoint"]["properties"].clone(), "name: db\nbindings: [{KEY: ~}]\n"),
        (schema["$defs"]["Service"]["properties"].clone(), "name: db\nbindings: [{service: {KEY: ~}}]\n"),
        (schema["$defs"]["QdrListener"]["properties"].clone(), "name: db\nqdr-listeners: [{KEY: ~}]\n"),
    ];
    for (properties, template) in cases {
        let known: Vec<&String> = properties.as_object().unwrap().keys().collect();
        let unknown = |key: &str| {
            check("f", &template.replace("KEY", key), strict).problems.into_iter().find(|p| p.code == "unknown-key")
        };
        for key in &known {
            assert_eq!(unknown(key), None, "{key}");
        }
        let listed = unknown("zzzzzzzz").unwrap().help.unwrap();
        let mut listed: Vec<&str> = listed.trim_start_matches("known here: ").split(", ").collect();
        let mut known: Vec<&str> = known.into_iter().map(String::as_str).collect();
        listed.sort_unstable();
        known.sort_unstable();
        assert_eq!(listed, known);
    }
}

/// The part of JSON Schema that our schema uses, patterns left out.
fn misfits(root: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).expect("a definition for every $ref");
        return misfits(root, target, value, path);
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let found: Vec<_> = choices.iter().map(|choice| misfits(root, choice, value, path)).collect();
            let words = choices.iter().all(|choice| choice.get("const").is_some());
            return match found.iter().find(|misfits| misfits.is_empty()) {
                Some(_) => Vec::new(),
                None if words => vec![format!("{path}: not one of the words")],
                None => found.into_iter().next().unwrap_or_default(),
            };
        }
    }
    let mut found = Vec::new();
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("type {other} is not known here"),
    };
    let fits = match &schema["type"] {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    };
    if !fits {
        return vec![format!("{path}: wrong type")];
    }
    if schema.get("const").is_some_and(|only| only != value)
        || schema["enum"].as_array().is_some_and(|words| !words.contains(value))
    {
        found.push(format!("{path}: not one of the words"));
    }
    if let Some(number) = value.as_i64() {
        let low = schema["minimum"].as_i64().is_some_and(|least| number < least);
        let high = schema["maximum"].as_i64().is_some_and(|most| number > most);
        if low || high {
            found.push(format!("{path}: out of range"));
        }
    }
    if let Some(items) = value.as_array() {
        if schema["maxItems"].as_u64().is_some_and(|most| items.len() as u64 > most) {
            found.push(format!("{path}: too many"));
        }
        for (index, item) in items.iter().enumerate() {
            found.extend(misfits(root, &schema["items"], item, &format!("{path}.{index}")));
        }
    }
    if let Some(fields) = value.as_object() {
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(key) {
                found.push(format!("{path}: {key} is required"));
            }
        }
        for (key, field) in fields {
            match schema["properties"].get(key) {
                Some(property) => found.extend(misfits(root, property, field, &format!("{path}.{key}"))),
                None if schema["additionalProperties"] == false => found.push(format!("{path}: unknown key {key}")),
                None => {}
            }
        }
    }
    found
}
