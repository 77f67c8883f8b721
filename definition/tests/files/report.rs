//! How problems look, to people and to machines.

use moorline_definition::{CheckOptions, check, problems_json, render};
use serde_json::json;

const TEXT: &str = "\
name: db
bindings:
  - name: pg
    host: localhost
    service:
      address: database:5432
      protocol: TCP
      ports: [5432]
    targetPorts: [5432]
  - name: pg
    host: localhost
    service: {address: \"database:5432\", protocol: tcp, ports: [5432]}
";

#[test]
fn people_see_the_line() {
    let checked = check("gateway.yaml", TEXT, CheckOptions::default());
    let expected = "\
error[protocol]: bindings[0].service.protocol: unknown protocol \"TCP\"; did you mean tcp?
 --> gateway.yaml:7:17
  |
7 |       protocol: TCP
  |                 ^^^

warning[unknown-key]: bindings[0].targetPorts: unknown key \"targetPorts\"; did you mean \"target_ports\"?
 --> gateway.yaml:9:5
  |
9 |     targetPorts: [5432]
  |     ^^^^^^^^^^^
  |
  = help: read as \"target_ports\" here, ignored by Skupper

error[duplicate-name]: bindings[1].name: duplicate binding name \"pg\" (also at line 3)
  --> gateway.yaml:10:11
   |
10 |   - name: pg
   |           ^^
   |
  ::: gateway.yaml:3:11
   |
 3 |   - name: pg
   |           -- first used here
";
    let shown = render(&checked.problems, "gateway.yaml", TEXT, false);
    assert_eq!(shown, expected, "\n{shown}");
    let coloured = render(&checked.problems, "gateway.yaml", TEXT, true);
    assert!(coloured.contains("\u{1b}[") && !shown.contains('\u{1b}'));
    assert_eq!(render(&[], "gateway.yaml", TEXT, false), "");
}

#[test]
fn machines_read_a_stable_shape() {
    let checked = check("gateway.yaml", TEXT, CheckOptions::default());
    assert_eq!(
        problems_json(&checked.problems[..2], "gateway.yaml"),
        json!({
            "file": "gateway.yaml",
            "ok": false,
            "problems": [
                {
                    "severity": "error",
                    "code": "protocol",
                    "path": "bindings[0].service.protocol",
                    "message": "unknown protocol \"TCP\"; did you mean tcp?",
                    "help": null,
                    "line": 7, "column": 17, "end_line": 7, "end_column": 20
                },
                {
                    "severity": "warning",
                    "code": "unknown-key",
                    "path": "bindings[0].targetPorts",
                    "message": "unknown key \"targetPorts\"; did you mean \"target_ports\"?",
                    "help": "read as \"target_ports\" here, ignored by Skupper",
                    "line": 9, "column": 5, "end_line": 9, "end_column": 16
                }
            ]
        })
    );
    assert_eq!(problems_json(&checked.problems[1..2], "f")["ok"], true);
}

#[test]
fn nothing_of_a_file_reaches_the_terminal_as_an_escape() {
    let text = "name: \"\\e[31mred\\n\"\n? \"\\e[1m\"\n: 1\n";
    let checked = check("f", text, CheckOptions::default());
    assert_eq!(checked.problems.len(), 2);
    let shown = render(&checked.problems, "f", text, false);
    assert!(!shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn columns_count_characters() {
    let text = "name: db\nbindings: [{name: \"größe\", host: ü!, service: {}}]\n";
    let checked = check("f", text, CheckOptions::default());
    let host = checked.problems.iter().find(|problem| problem.code == "host").unwrap();
    assert_eq!((host.span.line, host.span.column, host.span.end_column), (2, 34, 36));
    assert_eq!(&text[host.span.start..host.span.end], "ü!");
}
