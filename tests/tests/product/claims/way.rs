//! The way to the site: its certificate, its name, the proxy before it.

use std::net::TcpListener;

use moorline_tests::authority::{Authority, Credentials};
use moorline_tests::claims::{Answer, ClaimServer, claim_token};
use moorline_tests::command::{finish, moorline, stderr};
use moorline_tests::peer::Server;
use moorline_tests::ports::free_port;
use moorline_tests::proxy::Proxy;
use moorline_tests::scratch::Scratch;

use super::{CLAIM, PASSWORD, SITE_ID, Site, link_token, redeem, refused};

const UNUSED: &str = "The claim is not used up by this";

/// A site that shows `identity`, and is asked by a claim that trusts `ca`; it must not be told anything.
fn distrusted(identity: &Credentials, ca: Option<&str>, words: &[&str]) {
    let server = ClaimServer::start(identity, |_| Answer::Status(500, String::new()));
    let home = Scratch::new();
    home.write("token.yaml", &claim_token(&server.url(CLAIM), ca, PASSWORD, None));
    refused(&home, &[], 1, &[&["was not asked", "no TLS with", UNUSED], words].concat());
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn a_site_that_does_not_prove_itself_is_told_nothing() {
    let (site, other) = (Authority::new("skupper-site-ca"), Authority::new("skupper-site-ca"));
    let (ours, theirs) = (site.client("x").ca, other.client("x").ca);
    distrusted(&site.server(&["localhost"]), Some(&theirs), &["another CA of the same name"]);
    distrusted(&Authority::new("ca").server(&["localhost"]), Some(&ours), &["signed by another CA"]);
    distrusted(&site.server(&["other.example.com"]), Some(&ours), &["another host name", "other.example.com"]);
    distrusted(&site.expired_client("localhost"), Some(&ours), &["expired"]);
    distrusted(&site.client("localhost"), Some(&ours), &["server's certificate"]);
}

#[test]
fn without_authorities_in_the_token_those_of_the_host_count() {
    let site = Site::new();
    site.home.write("token.yaml", &claim_token(&site.server.url(CLAIM), None, PASSWORD, None));
    site.home.write("authorities.pem", &[Authority::new("other").client("x").ca, site.ca()].concat());
    let redeem = |list: &str| {
        let mut command = moorline(&site.home, ["token", "redeem", "token.yaml"]);
        finish(command.env("SSL_CERT_FILE", list).env("SKUPPER_SITE_ID", SITE_ID))
    };
    let missing = redeem("none.pem");
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("none.pem"), "{}", stderr(&missing));
    assert!(redeem("authorities.pem").status.success());
    link_token(&site.file());
    // This machine knows no authority of a test.
    let server = Authority::new("stranger").server(&["localhost"]);
    if std::path::Path::new("/etc/ssl/certs/ca-certificates.crt").exists() {
        distrusted(&server, None, &["signed by another CA"]);
    }
}

#[test]
fn older_sites_speak_tls_1_2() {
    let authority = Authority::new("skupper-site-ca");
    let answer = authority.client(SITE_ID).token("localhost", 1);
    let identity = authority.server(&["localhost"]);
    let server = ClaimServer::of_tls12(&identity, move |_| Answer::Status(200, answer.clone()));
    let home = Scratch::new();
    home.write("token.yaml", &claim_token(&server.url(CLAIM), Some(&identity.ca), PASSWORD, None));
    let output = redeem(&home, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_site_that_is_not_there_is_told() {
    let home = Scratch::new();
    let to = |place: &str| home.write("token.yaml", &claim_token(&format!("https://{place}/a"), None, PASSWORD, None));
    to("no-such-site.invalid:443");
    refused(
        &home,
        &["--timeout", "8"],
        1,
        &["was not asked", "no-such-site.invalid", "see that the name is right", UNUSED],
    );
    to(&format!("localhost:{}", free_port()));
    refused(&home, &["--timeout", "1"], 1, &["connection refused", "see that the name is right", UNUSED]);
    // Somebody else has the port.
    let plain = Server::start(free_port(), |mut stream| std::io::Write::write_all(&mut stream, b"220 mail\r\n"));
    to(&format!("localhost:{}", plain.port()));
    refused(&home, &[], 1, &["the other end does not speak TLS", UNUSED]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    to(&format!("127.0.0.1:{}", silent.local_addr().unwrap().port()));
    refused(&home, &["--timeout", "1"], 1, &["it did not answer within 1 s", UNUSED]);
}

#[test]
fn a_site_that_comes_up_is_reached() {
    let port = free_port();
    let authority = Authority::new("skupper-site-ca");
    let ca = authority.client("x").ca;
    let home = Scratch::new();
    home.write("token.yaml", &claim_token(&format!("https://localhost:{port}/{CLAIM}"), Some(&ca), PASSWORD, None));
    let mut command = moorline(&home, ["token", "redeem", "token.yaml", "--timeout", "60"]);
    let mut process = moorline_tests::process::Process::start("redeem", command.env("SKUPPER_SITE_ID", SITE_ID));
    // Its place is taken before the first attempt.
    moorline_tests::process::eventually("it begins", || {
        (std::fs::read_dir(home.path()).unwrap().count() > 1 || !process.is_running()).then_some(())
    });
    let answer = authority.client(SITE_ID).token("localhost", 1);
    let identity = authority.server(&["localhost"]);
    let _server = ClaimServer::at(port, &identity, move |_| Answer::Status(200, answer.clone()));
    let status = process.wait();
    assert!(status.success(), "{}", process.said());
    link_token(&home.join("token.yaml"));
}

#[test]
fn a_proxy_leads_to_the_site() {
    let site = Site::new();
    let proxy = Proxy::start(Some("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"));
    let url = format!("http://me@localhost:{}", proxy.port());
    site.home.write("password", "wrong\n");
    let options = ["--proxy", &url, "--proxy-password-file", "password"];
    site.refused(&options, 1, &["asks for other credentials (407)", "see that the proxy is right", UNUSED]);
    assert_eq!((proxy.asked(), site.server.asked().len()), (1, 0), "a proxy that refuses is not asked again");
    site.home.write("password", "secret\n");
    let output = site.redeem(&options);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(proxy.tunnels(), 1);
    link_token(&site.file());

    let site = Site::new();
    let gone = format!("http://localhost:{}", free_port());
    site.refused(&["--proxy", &gone, "--timeout", "1"], 1, &["no proxy: connection refused", UNUSED]);
    site.refused(&["--proxy", &gone, "--proxy-password-file", "x"], 2, &["--proxy-password-file needs a user"]);
    let proxy = Proxy::start(None);
    site.home.write("token.yaml", &claim_token("https://127.0.0.1:1/a", None, PASSWORD, None));
    let url = format!("http://localhost:{}", proxy.port());
    site.refused(&["--proxy", &url, "--timeout", "1"], 1, &["cannot reach the other end: 502", UNUSED]);
}
