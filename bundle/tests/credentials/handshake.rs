//! The proof of credentials is a handshake: mutual TLS in memory, at the date of the tests.

use std::sync::Arc;

use moorline_bundle::{Authority, Credentials, LinkToken, Validity};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::site::{Leaf, now, token_yaml, west};

#[derive(Debug)]
struct TestDate;

impl TimeProvider for TestDate {
    fn current_time(&self) -> Option<UnixTime> {
        let since = now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Some(UnixTime::since_unix_epoch(since))
    }
}

fn roots(credentials: &Credentials) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for der in CertificateDer::pem_slice_iter(credentials.ca_pem().as_bytes()) {
        roots.add(der.unwrap()).unwrap();
    }
    Arc::new(roots)
}

fn chain(credentials: &Credentials) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_slice_iter(credentials.cert_pem().as_bytes()).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(credentials.key_pem().as_bytes()).unwrap();
    (chain, key)
}

/// A whole handshake in which each side verifies the other.
fn handshake(client: &Credentials, server: &Credentials, host: &str) -> Result<(), rustls::Error> {
    let provider = Arc::new(default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(server), provider.clone()).build().unwrap();
    let (certificates, key) = chain(server);
    let server = ServerConfig::builder_with_details(provider.clone(), Arc::new(TestDate))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates, key)?;
    let (certificates, key) = chain(client);
    let client = ClientConfig::builder_with_details(provider, Arc::new(TestDate))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(client))
        .with_client_auth_cert(certificates, key)?;

    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name)?;
    let mut server = ServerConnection::new(Arc::new(server))?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn a_skupper_token_completes_a_handshake_with_its_site() {
    let (site, parts) = west();
    let token = LinkToken::parse("west.yaml", token_yaml(parts).as_bytes(), now()).unwrap();
    let server = site
        .issue(&Leaf { common_name: "skupper-router", hosts: "skupper-router,vm1,10.0.0.5", ..Leaf::default() })
        .credentials();
    for host in ["skupper-router", "vm1", "10.0.0.5"] {
        assert_eq!(handshake(&token.credentials, &server, host), Ok(()), "{host}");
    }
    handshake(&token.credentials, &server, "other.host").unwrap_err();
}

#[test]
fn a_hubs_certificates_complete_a_handshake_and_a_foreign_ones_do_not() {
    let validity = Validity::starting(now());
    let hub = Authority::generate("moorline-site-ca", validity).unwrap();
    let names = ["hub.example.com", "10.0.0.5"].map(String::from);
    let server = hub.issue_server(&names, validity).unwrap();
    let client = hub.issue_client("db1", validity).unwrap();
    for host in ["hub.example.com", "10.0.0.5"] {
        assert_eq!(handshake(&client, &server, host), Ok(()), "{host}");
    }
    handshake(&client, &server, "10.0.0.6").unwrap_err();

    let other = Authority::generate("moorline-site-ca", validity).unwrap();
    let stranger = other.issue_client("db1", validity).unwrap();
    handshake(&stranger, &server, "hub.example.com").unwrap_err();
    let forged = Credentials::from_pem(
        client.ca_pem().as_bytes(),
        stranger.cert_pem().as_bytes(),
        stranger.key_pem().as_bytes(),
    )
    .unwrap();
    handshake(&forged, &server, "hub.example.com").unwrap_err();
}
