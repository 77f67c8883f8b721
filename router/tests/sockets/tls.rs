//! TLS of the driver: who is accepted, who is refused, and in which words.

use std::sync::Arc;

use crate::pki::{Ca, Leaf, VALID, dns, ip, write};
use moorline_router::io::tls::{Clients, Expected, Refusal, TlsError, TlsFiles, TlsIdentity, provider, refusal_words};
use rustls::{ClientConnection, Connection, ServerConnection};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// What each side says of a handshake: `Ok`, or its words.
struct Outcome {
    client: Result<(), String>,
    server: Result<(), String>,
}

fn identity(ca: &Ca, leaf: Option<&Leaf>) -> TlsIdentity {
    let own = leaf.map(|leaf| (leaf.certificate.as_bytes(), leaf.key.as_bytes()));
    TlsIdentity::from_pem("test", ca.pem().as_bytes(), own).unwrap()
}

/// A handshake in memory, and one byte each way behind it.
fn shake_hands(client: &TlsIdentity, server: &TlsIdentity, host: &str, verify_hostname: bool) -> Outcome {
    let expected = Expected::host(host, verify_hostname).unwrap();
    let client = ClientConnection::new(client.client(verify_hostname).unwrap(), expected.name).unwrap();
    let server = ServerConnection::new(server.server(Clients::Proven).unwrap()).unwrap();
    let mut client = Connection::Client(client);
    let mut server = Connection::Server(server);
    let mut outcome = Outcome { client: Ok(()), server: Ok(()) };
    for _ in 0..6 {
        pump(&mut client, &mut server, &mut outcome.server, Refusal::OfClient);
        pump(&mut server, &mut client, &mut outcome.client, Refusal::OfServer);
    }
    let both = outcome.client.is_ok() && outcome.server.is_ok();
    assert!(!both || !client.is_handshaking() && !server.is_handshaking());
    outcome
}

fn pump(from: &mut Connection, to: &mut Connection, verdict: &mut Result<(), String>, refusal: Refusal) {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut wire = wire.as_slice();
    while !wire.is_empty() && verdict.is_ok() {
        to.read_tls(&mut wire).unwrap();
        if let Err(error) = to.process_new_packets() {
            *verdict = Err(refusal_words(&error, refusal));
        }
    }
}

struct World {
    ca: Ca,
    client: TlsIdentity,
}

impl World {
    fn new() -> World {
        let ca = Ca::new("skupper-internal-ca");
        let client = identity(&ca, Some(&ca.issue("edge", &[dns("")], VALID)));
        World { ca, client }
    }

    fn server(&self, leaf: &Leaf) -> TlsIdentity {
        identity(&self.ca, Some(leaf))
    }

    /// The client's words about a server.
    fn of_server(&self, leaf: &Leaf, host: &str, verify: bool) -> Result<(), String> {
        shake_hands(&self.client, &self.server(leaf), host, verify).client
    }

    /// Both sides' words about a client, with a server whom it trusts.
    fn of_client(&self, client: &TlsIdentity) -> Outcome {
        let server = self.ca.issue("router", &[dns("router.example")], VALID);
        shake_hands(client, &self.server(&server), "router.example", true)
    }
}

#[test]
fn both_sides_accept_what_one_ca_signed() {
    let world = World::new();
    let outcome = world.of_client(&world.client);
    assert_eq!((outcome.client, outcome.server), (Ok(()), Ok(())));
}

#[test]
fn a_server_name_is_a_dns_name_or_an_address() {
    let world = World::new();
    let leaf = world.ca.issue("router", &[dns("router.example"), ip("10.1.2.3"), ip("::1")], VALID);
    for host in ["router.example", "ROUTER.example", "10.1.2.3", "::1"] {
        assert_eq!(world.of_server(&leaf, host, true), Ok(()), "{host}");
    }
    for host in ["other.example", "10.1.2.4"] {
        let words = world.of_server(&leaf, host, true).unwrap_err();
        assert!(words.starts_with("the server's certificate is for another host name"), "{words}");
        assert!(words.contains("router.example") && words.contains(host), "{words}");
    }
}

#[test]
fn without_verify_hostname_the_name_is_free_and_the_chain_is_not() {
    let world = World::new();
    let leaf = world.ca.issue("router", &[dns("router.example")], VALID);
    assert_eq!(world.of_server(&leaf, "10.9.9.9", false), Ok(()));
    let stranger = Ca::new("another-ca").issue("router", &[dns("router.example")], VALID);
    assert_eq!(
        world.of_server(&stranger, "router.example", false),
        Err("the server's certificate is signed by another CA".to_owned())
    );
    let expired = world.ca.issue("router", &[dns("router.example")], (-9, -2));
    let words = world.of_server(&expired, "10.9.9.9", false).unwrap_err();
    assert!(words.starts_with("the server's certificate has expired since 20"), "{words}");
}

#[test]
fn shapes_that_skupper_issues_are_accepted() {
    let world = World::new();
    let address_as_name = world.ca.issue("router", &[dns("10.1.2.3"), dns("skupper-router")], VALID);
    assert_eq!(world.of_server(&address_as_name, "10.1.2.3", true), Ok(()));
    assert_eq!(world.of_server(&address_as_name, "skupper-router", true), Ok(()));
    assert!(world.of_server(&address_as_name, "10.1.2.4", true).is_err());
    let empty_name_first = world.ca.issue("router", &[dns(""), dns("router.example")], VALID);
    assert_eq!(world.of_server(&empty_name_first, "router.example", true), Ok(()));
    let only_empty = world.ca.issue("router", &[dns("")], VALID);
    assert!(world.of_server(&only_empty, "router.example", true).is_err());
}

#[test]
fn a_server_that_is_not_ours_is_refused_in_words() {
    let world = World::new();
    let names = [dns("router.example")];
    let stranger = Ca::new("another-ca").issue("router", &names, VALID);
    let namesake = Ca::new("skupper-internal-ca").issue("router", &names, VALID);
    let cases = [
        (stranger, "the server's certificate is signed by another CA"),
        (namesake, "the server's certificate is signed by another CA of the same name"),
        (world.ca.issue("router", &names, (-9, -2)), "the server's certificate has expired since 20"),
        (world.ca.issue("router", &names, (2, 9)), "the server's certificate is not yet valid, it begins at 20"),
    ];
    for (leaf, expected) in cases {
        let words = world.of_server(&leaf, "router.example", true).unwrap_err();
        assert!(words.starts_with(expected), "{words}");
    }
}

#[test]
fn a_client_that_is_not_ours_is_refused_in_words_on_both_sides() {
    let world = World::new();
    let stranger = Ca::new("another-ca").issue("edge", &[], VALID);
    let namesake = Ca::new("skupper-internal-ca").issue("edge", &[], VALID);
    let cases = [
        (None, "the client presented no certificate", "the other end asks for a certificate and we presented none"),
        (
            Some(stranger),
            "the client's certificate is signed by another CA",
            "the other end refuses our certificate: signed by a CA that it does not know",
        ),
        (
            Some(namesake),
            "the client's certificate is signed by another CA of the same name",
            "the other end refuses our certificate: signed by a CA that it does not know",
        ),
        (
            Some(world.ca.issue("edge", &[dns("")], (-9, -2))),
            "the client's certificate has expired since 20",
            "the other end refuses our certificate: it says expired",
        ),
        (
            Some(world.ca.issue("edge", &[dns("")], (2, 9))),
            "the client's certificate is not yet valid, it begins at 20",
            "the other end refuses our certificate",
        ),
    ];
    for (leaf, server_says, client_says) in cases {
        let outcome = world.of_client(&identity(&world.ca, leaf.as_ref()));
        let (server, client) = (outcome.server.unwrap_err(), outcome.client.unwrap_err());
        assert!(server.starts_with(server_says), "{server}");
        assert!(client.starts_with(client_says), "{client}");
    }
}

#[test]
fn what_is_not_tls_is_called_so() {
    let world = World::new();
    let server = world.server(&world.ca.issue("router", &[dns("router.example")], VALID));
    let mut server = ServerConnection::new(server.server(Clients::Proven).unwrap()).unwrap();
    server.read_tls(&mut &b"AMQP\x03\x01\x00\x00 and more of it"[..]).unwrap();
    let error = server.process_new_packets().unwrap_err();
    assert_eq!(refusal_words(&error, Refusal::OfClient), "the other end does not speak TLS");
}

#[test]
fn bad_files_are_named() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let leaf = world.ca.issue("edge", &[], (-1, 12));
    let [ca, certificate, key] = write(folder.path(), &world.ca, &leaf);
    let files =
        TlsFiles { profile: "conn1-profile".to_owned(), ca: Some(ca), own: Some((certificate.clone(), key.clone())) };
    let loaded = files.load().unwrap();
    let days = (loaded.not_after().unwrap().unix() - moorline_router::io::Timestamp::now().unix()) / 86_400;
    assert!((11..=12).contains(&days));
    assert!(!format!("{loaded:?}").contains("PRIVATE"));

    std::fs::write(&key, world.ca.issue("edge", &[], VALID).key).unwrap();
    let error = files.load().unwrap().client(true).unwrap_err();
    assert!(matches!(&error, TlsError::Pair { .. }), "{error}");
    assert!(error.to_string().contains("tls.key") && error.to_string().contains("does not belong"), "{error}");

    std::fs::write(&key, "nothing here").unwrap();
    let error = files.load().unwrap_err().to_string();
    assert!(error.contains("tls.key is not a PEM private key"), "{error}");

    std::fs::write(&certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
    let error = files.load().unwrap_err().to_string();
    assert!(error.contains("tls.crt is not a PEM certificate"), "{error}");

    std::fs::remove_file(&certificate).unwrap();
    let error = files.load().unwrap_err().to_string();
    assert!(error.starts_with("cannot read certificate ") && error.contains("tls.crt"), "{error}");
}

#[test]
fn tls_1_2_is_still_spoken() {
    let world = World::new();
    let server = world.server(&world.ca.issue("router", &[dns("router.example")], VALID));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(world.ca.pem().as_bytes()).unwrap()).unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.client_auth_cert_resolver = Arc::clone(&world.client.client(true).unwrap().client_auth_cert_resolver);
    let name = Expected::host("router.example", true).unwrap().name;
    let mut client = Connection::Client(ClientConnection::new(Arc::new(config), name).unwrap());
    let mut server = Connection::Server(ServerConnection::new(server.server(Clients::Proven).unwrap()).unwrap());
    let (mut of_client, mut of_server) = (Ok(()), Ok(()));
    for _ in 0..6 {
        pump(&mut client, &mut server, &mut of_server, Refusal::OfClient);
        pump(&mut server, &mut client, &mut of_client, Refusal::OfServer);
    }
    assert_eq!((of_client, of_server), (Ok(()), Ok(())));
    assert_eq!(server.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_2));
}
