//! Answers that are no link token: each is told with its cause and the next step, and nothing is changed.

use moorline_tests::authority::Authority;
use moorline_tests::claims::{Answer, SITE};
use moorline_tests::command::stderr;

use super::{PASSWORD, SITE_ID, Site, link_token, record};

#[test]
fn what_the_site_says_is_told_with_the_next_step() {
    let unused = "The claim is not used up by this";
    for (status, text, code, words) in [
        (400, "minimum version required 0.8.0", 1, vec!["(400: minimum version required 0.8.0)", unused]),
        (403, "Claim refused", 2, vec!["(403: Claim refused)", "copy the file again", unused]),
        (404, "", 2, vec!["(404)", "unknown, expired or used up", "skupper token create FILE"]),
        (405, "Only POST is supported", 1, vec!["(405: Only POST is supported)", "the URL leads", unused]),
        (500, "Corrupted claim", 1, vec!["(500: Corrupted claim)", "controller's log", "used up"]),
        (302, "", 1, vec!["this is 302", "past no login"]),
        (204, "", 1, vec!["this is 204"]),
        (502, "<html><body>Bad Gateway</body></html>", 1, vec!["(502: a web page)"]),
        (418, "\u{1b}[31m tea\u{7} \r\n and more", 1, vec!["this is 418: [31m tea"]),
    ] {
        let site = Site::answering(move |_, _| Answer::Status(status, text.to_owned()));
        site.refused(&[], code, &words);
        assert_eq!(site.server.asked().len(), 1, "{status} is not asked for again");
    }
    // Whoever says the password back: it is not shown.
    let site = Site::answering(|request, _| Answer::Status(500, String::from_utf8(request.body.clone()).unwrap()));
    site.refused(&[], 1, &["(500: [hidden])"]);
}

#[test]
fn the_wrong_password_takes_no_use_away() {
    let site = Site::new();
    let good = std::fs::read_to_string(site.file()).unwrap();
    let wrong = moorline_tests::claims::claim_token(&site.server.url(super::CLAIM), Some(&site.ca()), "other", None);
    site.home.write("token.yaml", &wrong);
    site.refused(&[], 2, &["Claim refused"]);
    site.home.write("token.yaml", &good);
    assert!(site.redeem(&[]).status.success());
}

#[test]
fn a_site_that_is_busy_is_asked_again() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let times = AtomicUsize::new(0);
    let site = Site::answering(move |request, claims| match times.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Answer::Status(503, "Internal error".to_owned()),
        _ => claims.answer(request),
    });
    let output = site.redeem(&[]);
    assert!(output.status.success(), "{}", stderr(&output));
    link_token(&site.file());
    assert_eq!(site.server.asked().len(), 3);

    let site = Site::answering(|_, _| Answer::Status(503, "Internal error".to_owned()));
    site.refused(&["--timeout", "1"], 1, &["(503: Internal error)", "several attempts", "not used up"]);
    assert!(site.server.asked().len() > 1);
}

#[test]
fn answers_that_break_off_or_never_end() {
    let lost = ["there is no answer that can be used", "token.yaml is as it was", "it was used up"];
    let endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("400\r\n{}\r\n", "a".repeat(1024));
    for (answer, words) in [
        (Answer::Bytes(Vec::new()), "connection closed before"),
        (Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\nkind: Secret".to_vec()), "before"),
        (Answer::Bytes(b"SSH-2.0-OpenSSH_9.6\r\n\r\n\r\n".to_vec()), "does not answer in HTTP"),
        (Answer::Endless([endless, &chunk.repeat(100)].concat().into_bytes()), "longer than 65536 bytes"),
        (Answer::Endless(b"HTTP/1.1 200 OK\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".to_vec()), "HTTP"),
        (Answer::Endless(b"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy".to_vec()), "HTTP"),
    ] {
        let site = Site::answering(move |_, _| answer.clone());
        site.refused(&[], 1, &[&lost[..], &[words]].concat());
        assert_eq!(site.server.asked().len(), 1, "a claim that may be used up is not sent again: {words}");
    }
    for begun in ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nkind"] {
        let site = Site::answering(move |_, _| Answer::Stall(begun.as_bytes().to_vec()));
        site.refused(&["--timeout", "1"], 1, &[&lost[..], &["it did not answer within 1 s"]].concat());
        assert_eq!(site.server.asked().len(), 1);
    }
    // A long refusal is a refusal.
    let site = Site::answering(|_, _| Answer::Status(403, "no ".repeat(50_000)));
    site.refused(&[], 2, &["(403: no no no"]);
}

/// Redeems a claim whose site answers `text`.
fn answered(text: String, words: &[&str]) {
    let site = Site::answering(move |_, _| Answer::Status(200, text.clone()));
    site.refused(&[], 1, &[&["no link token that can be used", "token.yaml is as it was"], words].concat());
}

#[test]
fn answers_that_cannot_be_used() {
    let authority = Authority::new("skupper-site-ca");
    let good = authority.client(SITE_ID).token("localhost", 45671);
    answered(String::new(), &["the file is empty"]);
    answered("<html>Welcome</html>".to_owned(), &["not Secret"]);
    answered(good[..good.len() / 2].to_owned(), &[]);
    answered(good.replace("edge-host", "host"), &["Expected edge-host annotation"]);
    answered(authority.expired_client(SITE_ID).token("localhost", 1), &["expired on"]);
    answered(authority.server(&[SITE_ID]).token("localhost", 1), &["not meant for TLS clients"]);
    let foreign = Authority::new("skupper-site-ca").client(SITE_ID);
    let mixed = moorline_tests::authority::Credentials { ca: authority.client("x").ca, ..foreign };
    answered(mixed.token("localhost", 1), &["not signed by the authority"]);
    let mixed = moorline_tests::authority::Credentials { key: authority.client("x").key, ..authority.client(SITE_ID) };
    answered(mixed.token("localhost", 1), &["not the private key"]);
    let claim = moorline_tests::claims::claim_token("https://localhost:1/a", None, PASSWORD, None);
    answered(claim, &["this is a claim token"]);
    answered(good.replace(SITE, SITE_ID), &["it comes from the site", SITE_ID, SITE]);
    answered(authority.client("somebody").token("localhost", 1), &["somebody", SITE_ID]);
}

#[test]
fn a_site_that_overlooks_who_asks_certifies_the_claim() {
    let site = Site::answering(|request, claims| {
        let mut nameless = request.clone();
        nameless.head = nameless.head.replace("skupper-site-name", "other");
        claims.answer(&nameless)
    });
    site.claims.add(super::CLAIM, record());
    assert!(site.redeem(&[]).status.success());
    link_token(&site.file());
}
