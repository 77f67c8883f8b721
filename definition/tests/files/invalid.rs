//! Every definition that Skupper 1.8 swallows or stumbles over, and what is said about it here.

use moorline_definition::{CheckOptions, Problem, Severity, check};

/// One definition, and the problems that it must have: severity, line, column, text as displayed.
struct Case {
    id: &'static str,
    text: String,
    problems: &'static [(Severity, usize, usize, &'static str)],
}

const E: Severity = Severity::Error;
const W: Severity = Severity::Warning;

fn top(id: &'static str, text: &str, problems: &'static [(Severity, usize, usize, &'static str)]) -> Case {
    Case { id, text: text.to_owned(), problems }
}

/// One binding (or other list) after a good name; the first line of `rest` is line 2.
fn named(id: &'static str, rest: &str, problems: &'static [(Severity, usize, usize, &'static str)]) -> Case {
    Case { id, text: format!("name: db\n{rest}"), problems }
}

/// A good binding whose service is `service`; `service` stands on line 4 from column 14.
fn service(id: &'static str, service: &str, problems: &'static [(Severity, usize, usize, &'static str)]) -> Case {
    let text = format!("name: db\nbindings:\n  - host: localhost\n    service: {service}\n");
    Case { id, text, problems }
}

fn cases() -> Vec<Case> {
    let mut cases = vec![
        top("I1", "name: db\nbindings:\n\t- name: x\n", &[(E, 3, 1, "line 3: tabs are not allowed for indentation")]),
        top(
            "I1 later",
            "name: db\nbindings:\n  - name: x\n\thost: y\n",
            &[(E, 4, 1, "line 4: tabs are not allowed for indentation")],
        ),
        top(
            "I2",
            "- name: db\n- name: x\n",
            &[(E, 1, 1, "line 1: top level must be a mapping with name, bindings, forwards, qdr-listeners")],
        ),
        top("I3", "bindings: []\n", &[(E, 1, 1, "name: required")]),
        top("I3 empty", "bindings: []\nname: \"\"\n", &[(E, 2, 7, "name: required")]),
        top(
            "I5",
            "name: \"db; rm -rf ~\"\n",
            &[(E, 1, 7, "name: must match [a-z]([a-z0-9.-]*[a-z0-9])?, at most 128 characters")],
        ),
        top(
            "I6",
            "name: ../../etc/x\n",
            &[(E, 1, 7, "name: must match [a-z]([a-z0-9.-]*[a-z0-9])?, at most 128 characters")],
        ),
        named("I7", "bindings:\n  - host: localhost\n", &[(E, 3, 5, "bindings[0].service: required")]),
        service("I8", "{protocol: tcp, ports: [5432]}", &[(E, 4, 15, "bindings[0].service.address: required")]),
        service(
            "I9",
            "{address: database, protocol: tcp, ports: [5432]}",
            &[(E, 4, 24, "bindings[0].service.address: address must be <name>:<port>")],
        ),
        service(
            "I10",
            "{address: \"database:99999\", protocol: tcp, ports: [5432]}",
            &[(E, 4, 24, "bindings[0].service.address: address port must be 1-65535")],
        ),
        service(
            "I10 word",
            "{address: \"database:pg\", protocol: tcp, ports: [5432]}",
            &[(E, 4, 24, "bindings[0].service.address: address port must be 1-65535")],
        ),
        service(
            "I11",
            "{address: \"Data_Base:5432\", protocol: tcp, ports: [5432]}",
            &[(
                E,
                4,
                24,
                "bindings[0].service.address: service name must be a DNS-1035 label (≤63 chars, [a-z]([-a-z0-9]*[a-z0-9])?)",
            )],
        ),
        service(
            "I12",
            "{address: \"database:5432\", ports: [5432]}",
            &[(E, 4, 15, "bindings[0].service.protocol: required, one of tcp, http, http2")],
        ),
        service(
            "I13",
            "{address: \"database:5432\", protocol: TCP, ports: [5432]}",
            &[(E, 4, 51, "bindings[0].service.protocol: unknown protocol \"TCP\"; did you mean tcp?")],
        ),
        service(
            "I13 udp",
            "{address: \"database:5432\", protocol: udp, ports: [5432]}",
            &[(E, 4, 51, "bindings[0].service.protocol: unknown protocol \"udp\"; use tcp, http or http2")],
        ),
        service(
            "I13 http1",
            "{address: \"database:5432\", protocol: http1, ports: [5432]}",
            &[(E, 4, 51, "bindings[0].service.protocol: unknown protocol \"http1\"; did you mean http?")],
        ),
        service(
            "I14",
            "{address: \"database:5432\", protocol: tcp}",
            &[(E, 3, 5, "bindings[0]: a local port is required (target_ports or service.ports)")],
        ),
        service(
            "I15",
            "{address: \"database:5432\", protocol: tcp, ports: [\"5432\"]}",
            &[(E, 4, 64, "bindings[0].service.ports[0]: expected integer, found string \"5432\"")],
        ),
        service(
            "I16",
            "{address: \"database:5432\", protocol: tcp, ports: 5432}",
            &[(E, 4, 63, "bindings[0].service.ports: expected a list; write [5432]")],
        ),
    ];
    for port in ["70000", "0", "-1"] {
        let mut case = service(
            "I17",
            "{address: \"database:5432\", protocol: tcp, ports: [PORT]}",
            &[(E, 4, 64, "bindings[0].service.ports[0]: port out of range 1-65535")],
        );
        case.text = case.text.replace("PORT", port);
        cases.push(case);
    }
    for name in ["MyGateway", "9db", "a_b", "db-"] {
        cases.push(top(
            "I4",
            &format!("name: {name}\n"),
            &[(E, 1, 7, "name: must match [a-z]([a-z0-9.-]*[a-z0-9])?, at most 128 characters")],
        ));
    }
    cases.extend(later_cases());
    cases
}

fn later_cases() -> Vec<Case> {
    let ok = "service: {address: \"database:5432\", protocol: tcp, ports: [5432]}";
    let tcp = |rest: &str| format!("{{address: \"database:5432\", protocol: tcp, ports: [5432], {rest}}}");
    let http = |rest: &str| format!("{{address: \"quotes:80\", protocol: http, ports: [80], {rest}}}");
    vec![
        service(
            "I18",
            "{address: \"web:80\", protocol: tcp, ports: [80, 443]}",
            &[(E, 4, 61, "bindings[0].service.ports: only one port per binding/forward; create separate entries")],
        ),
        named(
            "I19",
            &format!("bindings:\n  - name: db\n    host: a\n    {ok}\n  - name: db\n    host: b\n    {ok}\n"),
            &[(E, 6, 11, "bindings[1].name: duplicate binding name \"db\" (also at line 3)")],
        ),
        named(
            "I20",
            "qdr-listeners:\n  - {name: amqp, host: 127.0.0.1, port: 5672}\nforwards:\n  \
             - {name: a, host: 127.0.0.1, service: {address: \"a:1\", protocol: tcp, ports: [9000]}}\n  \
             - {name: b, host: 127.0.0.1, service: {address: \"b:1\", protocol: tcp, ports: [5672]}}\n",
            &[(E, 6, 81, "forwards[1] listens on 127.0.0.1:5672 already used by qdr-listeners[0]")],
        ),
        named(
            "I20 two forwards, one on every interface",
            "forwards:\n  \
             - {name: a, host: 127.0.0.1, service: {address: \"a:1\", protocol: tcp, ports: [9000]}}\n  \
             - {name: b, service: {address: \"b:1\", protocol: tcp, ports: [9000]}}\n",
            &[(E, 4, 64, "forwards[1] listens on 0.0.0.0:9000 already used by forwards[0]")],
        ),
        named(
            "I21 targetPorts",
            &format!("bindings:\n  - host: localhost\n    {ok}\n    targetPorts: [5432]\n"),
            &[(W, 5, 5, "bindings[0].targetPorts: unknown key \"targetPorts\"; did you mean \"target_ports\"?")],
        ),
        named(
            "I21 target-ports",
            &format!("bindings:\n  - host: localhost\n    {ok}\n    target-ports: [5432]\n"),
            &[(W, 5, 5, "bindings[0].target-ports: unknown key \"target-ports\"; did you mean \"target_ports\"?")],
        ),
        service(
            "I21 tlsCredentials",
            &tcp("tlsCredentials: \"\""),
            &[(
                W,
                4,
                71,
                "bindings[0].service.tlsCredentials: unknown key \"tlsCredentials\"; did you mean \"tlscredentials\"?",
            )],
        ),
        service(
            "I22 xml",
            &http("aggregate: xml"),
            &[(
                E,
                4,
                77,
                "bindings[0].service.aggregate: xml is not a valid aggregation strategy. Choose 'json' or 'multipart'.",
            )],
        ),
        service(
            "I22 tcp",
            &tcp("aggregate: json"),
            &[(E, 4, 82, "bindings[0].service.aggregate: The aggregate option is currently only valid for http")],
        ),
        service(
            "I22 both",
            &http("aggregate: json, eventchannel: true"),
            &[(
                E,
                4,
                77,
                "bindings[0].service.aggregate: Only one of aggregate and event-channel can be specified for a given service.",
            )],
        ),
        service(
            "I23 http",
            &http("tlscertauthority: x"),
            &[(E, 4, 84, "bindings[0].service.tlscertauthority: TLS is supported for tcp and http2 only")],
        ),
        named(
            "I23 forward",
            "forwards:\n  - {host: a, service: {address: \"a:1\", protocol: tcp, ports: [1], tlscertauthority: x}}\n",
            &[(E, 3, 86, "forwards[0].service.tlscertauthority: tlscertauthority alone does nothing on a forward")],
        ),
        named(
            "I24",
            "qdr-listeners: [{name: amqp, host: 0.0.0.0, port: 5672}]\n",
            &[(E, 2, 36, "qdr-listeners[0].host: unauthenticated management port on all interfaces")],
        ),
        service(
            "I25",
            &tcp("exposeIngress: egress"),
            &[(W, 4, 86, "bindings[0].service.exposeIngress: exposeIngress has no effect on a gateway")],
        ),
        named(
            "I26",
            &format!("bindings:\n  - host: localhost\n    {ok}\n    host: other\n"),
            &[(E, 5, 5, "bindings[0].host: mapping key \"host\" already defined at line 3")],
        ),
    ]
}

fn summary(problems: &[Problem]) -> Vec<(Severity, usize, usize, String)> {
    problems.iter().map(|p| (p.severity, p.span.line, p.span.column, p.to_string())).collect()
}

#[test]
fn row_34_42_44_every_invalid_definition_is_reported_where_it_is_wrong() {
    let mut failures = Vec::new();
    for case in cases() {
        let checked = check("gateway.yaml", &case.text, CheckOptions::default());
        let expected: Vec<_> =
            case.problems.iter().map(|(s, line, column, text)| (*s, *line, *column, (*text).to_owned())).collect();
        let found = summary(&checked.problems);
        if found != expected {
            failures.push(format!("{}:\n{}\nexpected {expected:#?}\nfound {found:#?}", case.id, case.text));
        }
        let errors = case.problems.iter().any(|(severity, ..)| *severity == E);
        assert_eq!(checked.definition.is_none(), errors, "{}", case.id);
        assert_eq!(checked.has_errors(), errors, "{}", case.id);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn the_rule_for_names_is_said_in_skuppers_words() {
    let checked = check("gateway.yaml", "name: MyGateway\n", CheckOptions::default());
    assert_eq!(
        checked.problems[0].help.as_deref(),
        Some("Gateway name must consist of lower case letters, numerals and '-'. Must start with a letter.")
    );
}

#[test]
fn both_places_of_a_repetition_are_named() {
    let text = "name: db\nname: db\n";
    let problem = check("gateway.yaml", text, CheckOptions::default()).problems.remove(0);
    assert_eq!(problem.to_string(), "name: mapping key \"name\" already defined at line 1");
    assert_eq!((problem.span.line, problem.span.column), (2, 1));
    let (first, label) = &problem.related[0];
    assert_eq!((first.line, first.column, label.as_str()), (1, 1, "first defined here"));
}

#[test]
fn credentials_are_for_the_caller_to_look_for() {
    let text = "name: db\nforwards:\n  - {service: {address: \"a:1\", protocol: tcp, ports: [1], tlscredentials: x}}\n";
    let checked = check("gateway.yaml", text, CheckOptions::default());
    assert!(!checked.has_errors(), "{:?}", checked.problems);
    let credential = &checked.credentials[0];
    assert_eq!(credential.files, ["tls.crt", "tls.key", "ca.crt"]);
    let problem = credential.not_found(credential.files);
    assert_eq!(
        problem.to_string(),
        "forwards[0].service.tlscredentials: tlscredentials \"x\": tls.crt, tls.key, ca.crt not found"
    );
    assert_eq!((problem.severity, problem.span.line, problem.span.column), (E, 3, 75));
}

#[test]
fn options_change_how_much_a_problem_matters() {
    let key = "name: db\nbindigns: []\n";
    assert_eq!(check("f", key, CheckOptions::default()).problems[0].severity, W);
    let strict = CheckOptions { strict: true, ..CheckOptions::default() };
    let problem = check("f", key, strict).problems.remove(0);
    assert_eq!(problem.severity, E);
    assert_eq!(problem.message, "unknown key \"bindigns\"; did you mean \"bindings\"?");

    let listener = "name: db\nqdr-listeners: [{host: 0.0.0.0, port: 5672}]\n";
    let allowed = CheckOptions { allow_insecure_management: true, ..CheckOptions::default() };
    let checked = check("f", listener, allowed);
    assert_eq!(checked.problems[0].severity, W);
    assert!(checked.definition.is_some());
}

#[test]
fn all_problems_of_a_file_come_in_its_order() {
    let text = "bindings:\n  - host: \"a b\"\n    service: {protocol: udp, ports: [0]}\nname: 9\nforwards: 7\n";
    let found: Vec<String> =
        check("f", text, CheckOptions::default()).problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "bindings[0].host: must be a host name or an IP address",
            "bindings[0].service.address: required",
            "bindings[0].service.protocol: unknown protocol \"udp\"; use tcp, http or http2",
            "bindings[0].service.ports[0]: port out of range 1-65535",
            "name: must match [a-z]([a-z0-9.-]*[a-z0-9])?, at most 128 characters",
            "forwards: expected a list, found integer 7",
        ]
    );
}

#[test]
fn nothing_in_a_definition_can_be_taken_for_a_variable() {
    let text = "name: db\nqdr-listeners:\n- {name: \"$A\", host: \"${B}\", port: 1, sasl-mechanisms: \"{{.C}}\", \
                http-rootdir: $D, ssl-profile: $E}\nbindings:\n- {name: \"${F}\", host: \"{{.G}}\", service: {}}\n";
    let paths: Vec<String> = check("f", text, CheckOptions::default())
        .problems
        .into_iter()
        .filter(|problem| problem.message.starts_with("must "))
        .map(|problem| problem.path)
        .collect();
    assert_eq!(
        paths,
        [
            "qdr-listeners[0].name",
            "qdr-listeners[0].host",
            "qdr-listeners[0].sasl-mechanisms",
            "qdr-listeners[0].http-rootdir",
            "qdr-listeners[0].ssl-profile",
            "bindings[0].name",
            "bindings[0].host",
        ]
    );
}
