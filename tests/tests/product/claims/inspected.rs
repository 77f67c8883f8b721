//! `token inspect`: what is in a token, and none of its secrets.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use moorline_tests::authority::{Authority, Credentials};
use moorline_tests::claims::{SITE, claim_token};
use moorline_tests::command::{run, stderr, stdout};
use moorline_tests::scratch::Scratch;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{PASSWORD, soon, tells};

fn inspect(token: &str, more: &[&str]) -> String {
    let home = Scratch::new();
    home.write("token.yaml", token);
    let output = run(&home, [&["token", "inspect", "token.yaml"], more].concat());
    assert!(output.status.success() && output.stderr.is_empty(), "{}", stderr(&output));
    stdout(&output)
}

fn facts(token: &str) -> Value {
    serde_json::from_str(&inspect(token, &["--output", "json"])).unwrap()
}

/// As another program sees the certificate.
fn fingerprint(pem: &str) -> String {
    let home = Scratch::new();
    let file = home.write("c.pem", pem);
    let mut openssl = std::process::Command::new("openssl");
    let output = openssl.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(file).output().unwrap();
    stdout(&output).trim().rsplit('=').next().unwrap().to_owned()
}

#[test]
fn a_link_token_is_told_as_skupper_tells_it_and_more() {
    let authority = Authority::new("skupper-site-ca");
    let Credentials { ca, certificate, key } = authority.client("skupper");
    let token = Credentials { ca: ca.clone(), certificate, key: key.clone() }.token("edge.example.com", 443);
    let token = token.replacen("inter-router-host: edge", "inter-router-host: router", 1);
    let told = inspect(&token, &[]);
    assert!(told.starts_with("Token Name: skupper\n  path: token.yaml\n  type: cert\n  version: 1.8.7\n"), "{told}");
    for line in [
        format!("site: {SITE}"),
        "edge: edge.example.com:443, where a gateway links".to_owned(),
        "inter-router: router.example.com:443".to_owned(),
        "cost: 1".to_owned(),
        "certificate: CN=skupper, issued by CN=skupper-site-ca".to_owned(),
        "names: none".to_owned(),
        "CA: CN=skupper-site-ca".to_owned(),
        format!("CA fingerprint: SHA256 {}", fingerprint(&ca)),
        "good for: 29 more days".to_owned(),
    ] {
        assert!(told.contains(&format!("  {line}")), "{line}: {told}");
    }
    let facts = facts(&token);
    assert_eq!(facts["kind"], "cert");
    assert_eq!(facts["edge"], json!({ "host": "edge.example.com", "port": 443 }));
    assert_eq!(facts["inter_router"]["host"], "router.example.com");
    assert_eq!((&facts["days_left"], &facts["cost"]), (&json!(29), &Value::Null));
    assert_eq!(facts["authorities"][0]["sha256"], fingerprint(&ca));
    assert_eq!(facts["certificate"]["subject"], "CN=skupper");
    // No line of the key, as it is or encoded.
    for said in [told, facts.to_string()] {
        let encoded = BASE64_STANDARD.encode(&key);
        assert!(key.lines().all(|line| !said.contains(line)) && !said.contains(&encoded[..40]), "{said}");
    }
}

#[test]
fn a_claim_is_told_without_its_password() {
    let ca = Authority::new("skupper-site-ca").client("x").ca;
    let claim = claim_token("https://claims.example.com:8081/abc", Some(&ca), PASSWORD, Some(soon()));
    let told = inspect(&claim, &[]);
    assert!(
        told.starts_with("Token Name: abc\n  path: token.yaml\n  type: claim\n  version: 1.8.7\n  expiry: 2"),
        "{told}"
    );
    for line in [
        "url: https://claims.example.com:8081/abc",
        "claim: abc",
        "uses: unknown",
        "CA: CN=skupper-site-ca",
        "next: moorline token redeem token.yaml",
    ] {
        assert!(told.contains(&format!("  {line}")), "{line}: {told}");
    }
    let facts = facts(&claim);
    assert_eq!((&facts["kind"], &facts["uses"], &facts["expired"]), (&json!("claim"), &Value::Null, &json!(false)));
    assert_eq!(facts["authorities"][0]["sha256"], fingerprint(&ca));
    assert!(!tells(&told) && !tells(&facts.to_string()));

    let past = OffsetDateTime::now_utc() - Duration::hours(1);
    let claim = claim_token("https://h/abc", None, PASSWORD, Some(past));
    assert!(inspect(&claim, &[]).contains("past, by this host's clock"));
    let facts = self::facts(&claim);
    assert_eq!((&facts["expired"], &facts["authorities"]), (&json!(true), &json!([])));
    assert_eq!(self::facts(&claim_token("https://h/abc", None, PASSWORD, None))["expired"], Value::Null);
}

#[test]
fn a_terminal_obeys_no_token() {
    let claim = claim_token("https://h/abc", None, PASSWORD, None).replace("name: abc", "name: \"a\\e[2Jb\\nc\"");
    let told = inspect(&claim, &[]);
    assert!(told.starts_with("Token Name: a\u{fffd}[2Jb\u{fffd}c\n"), "{told:?}");
}

#[test]
fn a_bad_token_is_told_by_its_fault() {
    let home = Scratch::new();
    let claim = claim_token("https://h/abc", None, PASSWORD, None);
    let password = BASE64_STANDARD.encode(PASSWORD);
    for (text, words) in [
        (claim.replace("password:", "other:"), "Expected password field in secret data"),
        (claim.replace("skupper.io/url:", "other:"), "Expected skupper.io/url annotation"),
        (claim.replace("https://", "http://"), "it must begin with https://"),
        (claim.replace(&password, &format!("{password}%")), "`data.password` is not base64"),
        ("kind: Secret".to_owned(), "Secret is not a valid skupper token"),
        (Authority::new("a").expired_client("x").token("localhost", 1), "expired on"),
    ] {
        home.write("token.yaml", &text);
        for verb in ["inspect", "redeem"] {
            let output = run(&home, ["token", verb, "token.yaml"]);
            let said = stderr(&output);
            assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{said}");
            assert!(said.contains(words) && !tells(&said), "{words}: {said}");
        }
    }
}
