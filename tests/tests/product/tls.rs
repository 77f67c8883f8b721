//! Who may not link, and what is said about it at both ends.

use std::path::Path;

use moorline_tests::authority::Authority;
use moorline_tests::definition::Definition;
use moorline_tests::network::{Gateway, Hub};
use moorline_tests::peer::tls_speaks_amqp;
use moorline_tests::ports::free_port;
use moorline_tests::scratch::Scratch;

/// Whether the hub speaks AMQP with a TLS client that is not ours, with the certificate in `dir` or none.
fn openssl(hub: &Hub, dir: Option<&Path>) -> bool {
    tls_speaks_amqp(hub.port(), dir)
}

#[test]
fn a_client_with_a_good_certificate_is_let_in() {
    let hub = Hub::start();
    let home = Scratch::new();
    assert!(openssl(&hub, Some(&hub.authority().client("good").write(&home.join("good")))));
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let mut hub = Hub::start();
    assert!(!openssl(&hub, None));
    hub.process.wait_for(&["WARN", "the client presented no certificate"]);
}

#[test]
fn a_client_with_an_expired_certificate_is_refused() {
    let mut hub = Hub::start();
    let home = Scratch::new();
    let expired = hub.authority().expired_client("late").write(&home.join("late"));
    assert!(!openssl(&hub, Some(&expired)));
    hub.process.wait_for(&["WARN", "the client's certificate has expired since "]);
}

#[test]
fn a_client_of_another_authority_is_refused() {
    let mut hub = Hub::start();
    let home = Scratch::new();
    let foreign = Authority::new("somebody-else").client("stranger").write(&home.join("foreign"));
    assert!(!openssl(&hub, Some(&foreign)));
    hub.process.wait_for(&["WARN", "the client's certificate is signed by another CA"]);
}

#[test]
fn a_client_of_another_authority_with_the_same_name_is_refused() {
    let mut hub = Hub::start();
    let home = Scratch::new();
    let other = Hub::start();
    let foreign = other.authority().client("stranger").write(&home.join("foreign"));
    assert!(!openssl(&hub, Some(&foreign)));
    hub.process.wait_for(&["WARN", "the client's certificate is signed by another CA"]);
}

#[test]
fn a_gateway_with_the_token_of_another_network_says_why_it_cannot_link() {
    let mut hub = Hub::start();
    let home = Scratch::new();
    let stranger = Authority::new("somebody-else").client("stranger");
    home.write("token.yaml", &stranger.token("localhost", hub.port()));
    let text = Definition::new("stranger").forward("service:1", free_port()).yaml();
    let mut gateway = Gateway::run(home, "stranger", &text, &[]);
    gateway.process.wait_for(&["WARN", "the server's certificate is signed by another CA"]);
    hub.process.wait_for(&["WARN", "a CA that it does not know"]);
    assert!(gateway.process.is_running(), "it tries again for ever");
    assert!(!hub.process.said().contains("gateway linked"));
}

#[test]
fn a_gateway_that_reaches_the_hub_by_another_name_says_so() {
    let mut hub = Hub::start();
    let home = Scratch::new();
    // Loopback too, and not in the certificate.
    let client = hub.authority().client("lost");
    home.write("token.yaml", &client.token("127.0.0.2", hub.port()));
    let text = Definition::new("lost").forward("service:1", free_port()).yaml();
    let mut gateway = Gateway::run(home, "lost", &text, &[]);
    gateway.process.wait_for(&["WARN", "127.0.0.2"]);
    assert!(hub.process.is_running());
}
