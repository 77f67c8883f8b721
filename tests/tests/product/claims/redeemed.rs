//! Claims that are redeemed, once or more often, and what is left on disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use moorline_tests::claims::{Answer, Record, SITE, claim_token};
use moorline_tests::command::{moorline, stderr, stdout};
use moorline_tests::definition::Definition;
use moorline_tests::network::{Gateway, Hub};
use moorline_tests::ports::free_port;
use moorline_tests::process::Process;
use moorline_tests::scenario::{self, Ends};
use moorline_tests::scratch::Scratch;
use moorline_tests::tree::tree;
use nix::sys::signal::Signal;
use time::{Duration, OffsetDateTime};

use super::{CLAIM, PASSWORD, SITE_ID, Site, link_token, record, soon};

/// A site that takes claims for a hub of ours.
fn site_of(hub: &Hub) -> Site {
    let (issuer, port) = (hub.authority(), hub.port());
    Site::of(Arc::new(hub.authority()), move |subject| issuer.client(subject).token("localhost", port))
}

#[test]
fn row_89_an_expired_claim_is_told_with_its_date_and_a_new_one_links() {
    let hub = Hub::start();
    let site = site_of(&hub);
    let past = OffsetDateTime::now_utc() - Duration::minutes(1);
    site.claims.add(CLAIM, Record { expires: Some(past), ..record() });
    site.home.write("token.yaml", &site.token(Some(past)));
    let date = past.date().to_string();
    let words =
        ["by its own account it expired on", "No such claim", "it expired on", &date, "skupper token create FILE"];
    site.refused(&[], 2, &words);

    let (entry, target) = (free_port(), free_port());
    site.claims.add(CLAIM, record());
    site.home.write("token.yaml", &site.token(Some(soon())));
    let output = site.redeem(&[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), format!("Claim redeemed: connection token of site {SITE} written to token.yaml\n"));
    let _west = hub.gateway(&Definition::new("west").binding("service:1", target));
    let east = Definition::new("east").forward("service:1", entry);
    let mut east = Gateway::run(site.home, "east", &east.yaml(), &[]);
    east.process.wait_for(&["linked to"]);
    scenario::echo(Ends { entry, target }).unwrap();
}

#[test]
fn row_90_one_certificate_token_links_two_gateways() {
    let hub = Hub::start();
    let (entry, target) = (free_port(), free_port());
    let west = hub.gateway(&Definition::new("west").binding("service:1", target));
    let home = Scratch::new();
    fs::copy(west.home().join("token.yaml"), home.join("token.yaml")).unwrap();
    let mut east = Gateway::run(home, "east", &Definition::new("east").forward("service:1", entry).yaml(), &[]);
    east.process.wait_for(&["linked to"]);
    scenario::echo(Ends { entry, target }).unwrap();
}

#[test]
fn row_91_a_claim_is_redeemed_once_and_leaves_no_half_link() {
    let site = Site::new();
    let claim = fs::read_to_string(site.file()).unwrap();
    assert!(site.redeem(&[]).status.success());
    let token = link_token(&site.file());
    assert_eq!(token.ca, site.ca());
    assert_eq!(fs::metadata(site.file()).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_dir(site.home.path()).unwrap().count(), 1, "something else was left");
    let text = fs::read_to_string(site.file()).unwrap();
    for kept in [&format!("name: {CLAIM}"), "skupper.io/url: https://localhost:", "edge-host: localhost"] {
        assert!(text.contains(kept), "{kept}");
    }

    // What was asked, to the letter.
    let [request] = &site.server.asked()[..] else { panic!("{:?}", site.server.asked()) };
    let line = request.head.lines().next().unwrap();
    assert_eq!(line, format!("POST /{CLAIM}?site-version=1.8.7 HTTP/1.1"));
    assert_eq!(request.header("host"), Some(format!("localhost:{}", site.server.port()).as_str()));
    assert_eq!(request.header("skupper-site-name"), Some(SITE_ID));
    assert_eq!(request.header("content-type"), None);
    assert_eq!(request.body, PASSWORD.as_bytes());

    // A link token is left alone, and nobody is asked.
    let before = tree(site.home.path());
    let again = site.redeem(&[]);
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(stdout(&again), "token.yaml is a link token already: there is nothing to redeem\n");
    assert!(tree(site.home.path()) == before);
    assert_eq!(site.server.asked().len(), 1);

    // The claim is used up.
    site.home.write("token.yaml", &claim);
    site.refused(&[], 2, &["No such claim", "unknown, expired or used up", "skupper token create FILE"]);
    assert_eq!(site.server.asked().len(), 2, "a refusal is not asked for again");
}

#[test]
fn a_claim_for_several_uses_makes_several_links() {
    let site = Site::new();
    site.claims.add(CLAIM, Record { remaining: Some(2), ..record() });
    let before = tree(&site.file());
    assert!(site.redeem(&["--output", "a.yaml"]).status.success());
    assert!(site.redeem(&["--output", "b.yaml"]).status.success());
    assert!(tree(&site.file()) == before, "the claim stays");
    assert_ne!(link_token(&site.home.join("a.yaml")).key, link_token(&site.home.join("b.yaml")).key);
    site.refused(&["--output", "c.yaml"], 2, &["No such claim"]);
}

#[test]
fn a_place_that_cannot_be_written_is_told_before_the_site_is_asked() {
    let site = Site::new();
    site.home.write("mine.yaml", "mine");
    site.refused(&["--output", "mine.yaml"], 2, &["mine.yaml exists"]);
    site.refused(&["--output", "none/token.yaml"], 1, &["cannot create none/", "No such file"]);
    assert_eq!(site.server.asked().len(), 0);
    let pipe = moorline_tests::command::finish(&mut moorline(&site.home, ["token", "redeem", "/dev/null"]));
    assert_eq!(pipe.status.code(), Some(2), "{}", stderr(&pipe));
}

#[test]
fn a_token_that_cannot_be_put_in_its_place_is_saved_elsewhere() {
    let place = Arc::new(std::sync::OnceLock::<std::path::PathBuf>::new());
    let taken = Arc::clone(&place);
    let site = Site::answering(move |request, claims| {
        // Meanwhile somebody takes the name.
        fs::create_dir(taken.get().unwrap()).unwrap();
        claims.answer(request)
    });
    place.set(site.home.join("link.yaml")).unwrap();
    let claim = fs::read(site.file()).unwrap();
    let output = site.redeem(&["--output", "link.yaml"]);
    let said = stderr(&output);
    let saved = site.home.join("moorline/link.yaml");
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("it is saved as") && said.contains(saved.to_str().unwrap()), "{said}");
    link_token(&saved);
    assert_eq!(fs::read(site.file()).unwrap(), claim);
}

#[test]
fn a_crash_leaves_the_claim_or_the_link_and_nothing_between() {
    // The site has answered all but the end: the claim is as it was.
    let site = Site::answering(|request, claims| match claims.answer(request) {
        Answer::Status(200, text) => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
            Answer::Stall([head.as_bytes(), &text.as_bytes()[..text.len() - 1]].concat())
        }
        other => other,
    });
    let claim = fs::read(site.file()).unwrap();
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGINT] {
        site.claims.add(CLAIM, record());
        let asked = site.server.asked().len();
        let mut command = moorline(&site.home, ["token", "redeem", "token.yaml"]);
        let mut process = Process::start("redeem", command.env("SKUPPER_SITE_ID", SITE_ID));
        moorline_tests::process::eventually("the site is asked", || (site.server.asked().len() > asked).then_some(()));
        process.signal(signal);
        let status = process.wait();
        site.server.wait();
        assert_eq!(fs::read(site.file()).unwrap(), claim, "{signal}");
        if signal != Signal::SIGKILL {
            assert_eq!(status.code(), Some(1));
            assert!(process.said().contains(&format!("{signal}: nothing was written")), "{}", process.said());
            let names: Vec<_> =
                fs::read_dir(site.home.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
            assert_eq!(names, ["token.yaml"]);
        }
    }

    // Killed at some moment after the whole answer.
    let site = Site::new();
    let (claim, replaced) = (fs::read(site.file()).unwrap(), AtomicUsize::new(0));
    for round in 0..20_u32 {
        site.claims.add(CLAIM, record());
        site.home.write("token.yaml", std::str::from_utf8(&claim).unwrap());
        let mut command = moorline(&site.home, ["token", "redeem", "token.yaml"]);
        let mut process = Process::start("redeem", command.env("SKUPPER_SITE_ID", SITE_ID));
        site.server.wait();
        std::thread::sleep(std::time::Duration::from_millis(u64::from(round) * 2));
        process.crash();
        if fs::read(site.file()).unwrap() != claim {
            link_token(&site.file());
            replaced.fetch_add(1, Ordering::SeqCst);
        }
    }
    println!("{} of 20 were replaced before the end", replaced.into_inner());
    // What such ends left beside it goes with the next.
    site.claims.add(CLAIM, record());
    site.home.write("token.yaml", std::str::from_utf8(&claim).unwrap());
    assert!(site.redeem(&[]).status.success());
    assert_eq!(fs::read_dir(site.home.path()).unwrap().count(), 1);
}

#[test]
fn a_claim_where_a_link_token_is_needed_names_the_next_step() {
    let home = Scratch::new();
    home.write("token.yaml", &claim_token("https://localhost:1/a", None, PASSWORD, None));
    home.write("gateway.yaml", &Definition::new("west").binding("service:1", 1).yaml());
    let before = tree(home.path());
    for verb in ["run", "plan"] {
        let mut command = moorline(&home, ["gateway", verb, "gateway.yaml", "--token", "token.yaml"]);
        let output = moorline_tests::command::finish(&mut command);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("claim token") && said.contains("`moorline token redeem FILE`"), "{said}");
        assert!(!super::tells(&said), "{said}");
        assert!(tree(home.path()) == before);
    }
}
