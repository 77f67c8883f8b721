//! Claim tokens: read, refused, and turned into link tokens by a site's answer.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moorline_bundle::token::{AnswerFault, ClaimUrl, ClaimUrlFault};
use moorline_bundle::{Certificate, ClaimToken, LinkToken, Token, TokenError, TokenFault};

use crate::site::{DAY, KeyForm, Leaf, Site, now, token_yaml, west};

const SITE: &str = "7ed6c4e8-35c5-4a3d-9b2e-3c3d1c5ce0a1";
const PASSWORD: &str = "p9X2kQ7vFds3JhZ1MnbRtYwA";

/// A claim token as a Skupper 1.8 site writes it.
pub(crate) fn claim_yaml(ca: Option<&str>) -> String {
    let ca = ca.map(|pem| format!("  ca.crt: {}\n", STANDARD.encode(pem))).unwrap_or_default();
    format!(
        r#"apiVersion: v1
data:
{ca}  password: {password}
kind: Secret
metadata:
  annotations:
    skupper.io/claim-expiration: "2026-01-15T01:15:00+01:00"
    skupper.io/generated-by: a960b766-20bd-42c8-886d-741f3a9f6aa2
    skupper.io/site-version: 1.8.7
    skupper.io/url: https://claims-west.apps.example.com:443/efe3a241
  creationTimestamp: null
  labels:
    skupper.io/type: token-claim
  name: efe3a241
  ownerReferences:
  - apiVersion: v1
    kind: ConfigMap
    name: skupper-site
    uid: a960b766-20bd-42c8-886d-741f3a9f6aa2
"#,
        password = STANDARD.encode(PASSWORD),
    )
}

fn parse(yaml: &str) -> ClaimToken {
    match Token::parse("claim.yaml", yaml.as_bytes(), now()).unwrap() {
        Token::Claim(claim) => claim,
        Token::Link(token) => panic!("{token:?}"),
    }
}

fn whole() -> ClaimToken {
    parse(&claim_yaml(Some(&west().1.ca)))
}

#[track_caller]
fn refused(from: &str, to: &str) -> TokenError {
    let yaml = claim_yaml(None);
    assert!(yaml.contains(from), "{from}");
    Token::parse("claim.yaml", yaml.replace(from, to).as_bytes(), now()).unwrap_err()
}

#[test]
fn a_skupper_claim_is_read_whole() {
    let claim = whole();
    assert_eq!(claim.name, "efe3a241");
    assert_eq!(claim.url.to_string(), "https://claims-west.apps.example.com:443/efe3a241");
    assert_eq!(claim.url.endpoint().to_string(), "claims-west.apps.example.com:443");
    assert_eq!((claim.url.path(), claim.url.claim().as_str()), ("/efe3a241", "efe3a241"));
    assert_eq!(claim.ca_pem.as_deref(), Some(west().1.ca.as_str()));
    assert_eq!(claim.password.as_slice(), PASSWORD.as_bytes());
    assert_eq!(claim.expiration, Some(now() + Duration::from_secs(15 * 60)));
    assert_eq!(claim.generated_by.as_deref(), Some("a960b766-20bd-42c8-886d-741f3a9f6aa2"));
    assert_eq!((claim.site_version.as_deref(), claim.cost), (Some("1.8.7"), None));
}

#[test]
fn what_a_claim_may_lack() {
    let claim = parse(&claim_yaml(None).replace("skupper.io/claim-expiration", "x").replace("skupper.io/type", "x"));
    assert_eq!((claim.ca_pem, claim.expiration), (None, None));
    for expiration in ["soon", "2026-13-01T00:00:00Z", "2026-01-15"] {
        let claim = parse(&claim_yaml(None).replace("2026-01-15T01:15:00+01:00", expiration));
        assert_eq!(claim.expiration, None, "{expiration}");
    }
    // Any bytes are a password.
    let claim = parse(&claim_yaml(None).replace(&STANDARD.encode(PASSWORD), "AP8KIA=="));
    assert_eq!(claim.password.as_slice(), b"\0\xff\n ");
}

#[test]
fn a_link_token_is_told_apart() {
    let yaml = token_yaml(&west().1);
    let token = LinkToken::parse("t", yaml.as_bytes(), now()).unwrap();
    assert_eq!(Token::parse("t", yaml.as_bytes(), now()), Ok(Token::Link(token)));
    // As Skupper deduces it: certificates before a URL.
    let both =
        yaml.replace("edge-host:", "skupper.io/url: https://c/1\n    edge-host:").replace("skupper.io/type", "x");
    assert!(matches!(Token::parse("t", both.as_bytes(), now()), Ok(Token::Link(_))));
}

#[test]
fn what_a_claim_needs_is_named() {
    let password = format!("password: {}", STANDARD.encode(PASSWORD));
    for without in ["other: eA==", "password:", "password: \"\"", "password: \" \""] {
        let error = refused(&password, without);
        assert_eq!(error.fault, TokenFault::MissingData { key: "password" }, "{without}");
        assert!(error.to_string().starts_with("claim.yaml: Expected password field in secret data"), "{error}");
    }
    let error = refused(&password, "password: \"%%\"");
    assert_eq!(error.fault, TokenFault::NotBase64 { key: "password", detail: "a character that is not of base64" });
    let error = refused("skupper.io/url", "other");
    assert_eq!(error.fault, TokenFault::MissingAnnotation { annotation: "skupper.io/url" });
    assert!(error.to_string().contains("Expected skupper.io/url annotation"), "{error}");
    let error = refused("skupper.io/type: token-claim", "skupper.io/type: token-claim-record");
    assert!(error.to_string().contains("\"token-claim\""), "{error}");
    let error = refused(&password, &format!("{password}\n  ca.crt: aGVsbG8="));
    assert!(error.to_string().contains("`ca.crt` is not a PEM"), "{error}");
    let error = Token::parse("x", b"kind: Secret", now()).unwrap_err();
    assert!(error.to_string().contains("Secret is not a valid skupper token"), "{error}");
}

#[test]
fn a_damaged_claim_never_panics_and_a_cut_one_is_refused_or_whole() {
    let yaml = claim_yaml(Some(&west().1.ca));
    let whole = whole();
    for end in (0..yaml.len()).step_by(7) {
        match Token::parse("t", &yaml.as_bytes()[..end], now()) {
            Ok(Token::Claim(claim)) => {
                // What stands behind may be lost: the site then knows no such claim.
                assert_eq!((&claim.password, &claim.ca_pem), (&whole.password, &whole.ca_pem), "{end}");
            }
            Ok(Token::Link(token)) => panic!("{end}: {token:?}"),
            Err(error) => assert!(!error.to_string().contains(PASSWORD), "{error}"),
        }
    }
    let yaml = claim_yaml(None);
    for at in 0..yaml.len() {
        for bit in [0x01, 0x10, 0x80] {
            let mut damaged = yaml.clone().into_bytes();
            damaged[at] ^= bit;
            let _ = Token::parse("t", &damaged, now());
        }
    }
}

#[test]
fn urls_of_claims() {
    for (text, endpoint, claim) in [
        ("https://h/a", "h:443", "a"),
        ("HTTPS://h:8081/a/b/", "h:8081", "ab"),
        ("https://[fd00::5]:8081/a", "[fd00::5]:8081", "a"),
        ("https://[fd00::5]/a%20b", "[fd00::5]:443", "a%20b"),
        ("https://10.0.0.1:1//x", "10.0.0.1:1", "x"),
    ] {
        let url = ClaimUrl::parse(text).unwrap();
        assert_eq!((url.endpoint().to_string().as_str(), url.claim().as_str()), (endpoint, claim), "{text}");
    }
    for (text, words) in [
        ("http://h/a", "https://"),
        ("h:443/a", "https://"),
        ("", "https://"),
        ("\u{20ac}\u{20ac}\u{20ac}", "https://"),
        ("https://h", "claim's name"),
        ("https://h//", "claim's name"),
        ("https:///a", "its host"),
        ("https://:1/a", "its host"),
        ("https://a_b c/a", "its host"),
        ("https://fd00::5/a", "its port"),
        ("https://h:0/a", "its port"),
        ("https://h:/a", "its port"),
        ("https://[::1]x/a", "its port"),
        ("https://me@h/a", "nothing else"),
        ("https://h/a?b", "nothing else"),
        ("https://h/a#b", "nothing else"),
        ("https://h/a b", "nothing else"),
        ("https://h/a\r\nX: y", "nothing else"),
        (&format!("https://h/{}", "a".repeat(2048)), "nothing else"),
    ] {
        let fault = ClaimUrl::parse(text).unwrap_err();
        assert!(fault.to_string().contains(words), "{text}: {fault}");
    }
    let error = refused("https://claims-west", "http://claims-west");
    let value = "http://claims-west.apps.example.com:443/efe3a241".to_owned();
    assert_eq!(error.fault, TokenFault::BadClaimUrl { value, fault: ClaimUrlFault::NotHttps });
}

#[test]
fn a_claim_hides_its_password() {
    let shown = format!("{:?} {:#?}", whole(), Token::Claim(whole()));
    assert!(!shown.contains(PASSWORD) && !shown.contains(&STANDARD.encode(PASSWORD)));
    assert!(!shown.contains(&format!("{:?}", &PASSWORD.as_bytes()[..4])), "{shown}");
    assert!(shown.contains("[hidden]") && shown.contains("efe3a241"));
}

/// An answer of the site for somebody.
fn answer(subject: &str) -> String {
    token_yaml(&west().0.issue(&Leaf { common_name: subject, ..Leaf::default() }))
}

#[test]
fn an_answer_makes_a_link_token_of_a_claim() {
    let noted = "    skupper.io/cost: \"3\"\n    team: shop\n    edge-port: \"7\"\n    internal.skupper.io/status: No such \
                 claim\n    kubectl.kubernetes.io/last-applied-configuration: cDlYMmtRN3ZGZHMz\n  creationTimestamp";
    let claim =
        parse(&claim_yaml(None).replace("  creationTimestamp", noted).replace("  labels:", "  labels:\n    a: b"));
    let answer = answer(SITE);
    let (token, text) = claim.redeemed(SITE, answer.as_bytes(), now()).unwrap();
    let sent = LinkToken::parse("answer", answer.as_bytes(), now()).unwrap();
    assert_eq!(token.name, "efe3a241");
    assert_eq!((&token.edge, &token.inter_router), (&sent.edge, &sent.inter_router));
    assert_eq!(token.credentials, sent.credentials);
    assert_eq!(token.cost.map(|cost| cost.get()), Some(3));
    assert_eq!(LinkToken::parse("t", text.as_bytes(), now()), Ok(token));
    let lines = |words: &str| text.lines().filter(|line| line.contains(words)).count();
    for once in
        ["team: shop", "a: b", "skupper.io/url: https://claims-west", "type: connection-token", "claim-expiration"]
    {
        assert_eq!(lines(once), 1, "{once}");
    }
    for never in ["password", "cDlYMmtRN3ZGZHMz", "No such claim", "token-claim", "ownerReferences"] {
        assert_eq!(lines(never), 0, "{never}");
    }
    // A site that overlooks who asks.
    let (token, _) = claim.redeemed(SITE, self::answer("efe3a241").as_bytes(), now()).unwrap();
    assert_eq!(token.credentials.common_name(), "efe3a241");
}

#[test]
fn an_answer_without_a_label_makes_one_too() {
    let answer = answer(SITE).replace("  labels:\n    skupper.io/type: connection-token\n", "");
    let (_, text) = whole().redeemed(SITE, answer.as_bytes(), now()).unwrap();
    assert!(text.contains("skupper.io/type: connection-token"));
}

#[test]
fn answers_that_are_none_are_refused() {
    let claim = whole();
    let fault = |answer: &str| claim.redeemed(SITE, answer.as_bytes(), now()).unwrap_err();
    let good = answer(SITE);
    assert_eq!(fault(""), AnswerFault::Token(TokenFault::Empty));
    assert!(matches!(fault("<html>"), AnswerFault::Token(TokenFault::NotASecret { .. })));
    assert!(matches!(fault(&claim_yaml(None)), AnswerFault::Token(TokenFault::Claim { .. })));
    assert!(matches!(fault(&good[..good.len() / 2]), AnswerFault::Token(_)));
    let expired = Leaf { common_name: SITE, not_after: now() - DAY, not_before: now() - 2 * DAY, ..Leaf::default() };
    assert!(matches!(fault(&token_yaml(&west().0.issue(&expired))), AnswerFault::Token(TokenFault::Credentials(_))));
    let other_site = fault(&good.replace("a960b766", "b960b766"));
    assert!(other_site.to_string().contains("b960b766-20bd-42c8-886d-741f3a9f6aa2"), "{other_site}");
    let subject = fault(&answer("skupper"));
    assert_eq!(subject, AnswerFault::OtherSubject { found: "skupper".to_owned(), asked: SITE.to_owned() });
}

#[test]
fn what_a_claim_brings_along_is_bounded() {
    let many: String = (0..1500).map(|n| format!("    a{n}: {}\n", "x".repeat(60))).collect();
    let long = format!("    long: {}\n", "y".repeat(40_000));
    let yaml = claim_yaml(None).replace("  creationTimestamp", &format!("{many}{long}  creationTimestamp"));
    let (_, text) = parse(&yaml).redeemed(SITE, answer(SITE).as_bytes(), now()).unwrap();
    assert!(text.len() < 32 * 1024, "{}", text.len());
}

#[test]
fn certificates_tell_of_themselves() {
    let parts =
        Site::new("skupper-site-ca", KeyForm::Pkcs8).issue(&Leaf { hosts: "h.example,10.0.0.1", ..Leaf::default() });
    let found = Certificate::all_of(&format!("{}{}", parts.cert, west().1.cert));
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].subject.as_str(), found[0].issuer.as_str()), ("CN=skupper", "CN=skupper-site-ca"));
    assert_eq!(found[0].names, ["h.example", "10.0.0.1"]);
    assert_eq!(found[1].names, Vec::<String>::new());
    assert_eq!((found[0].validity.not_before, found[0].validity.not_after), (now() - DAY, now() + 1824 * DAY));
    let fingerprint = &found[0].fingerprint;
    assert_eq!(fingerprint.split(':').filter(|pair| pair.len() == 2).count(), 32, "{fingerprint}");
    assert_ne!(fingerprint, &found[1].fingerprint);
    assert_eq!(Certificate::all_of("nothing"), []);
}
