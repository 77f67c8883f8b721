//! TLS identities from PEM, and the configurations that connectors and listeners use.
//!
//! Only what the profile's CA signed is trusted: the system's roots play no part. TLS 1.3 and 1.2.

mod error;
mod live;
mod load;
mod verify;
mod words;

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::ServerName;

pub use error::TlsError;
pub(in crate::io) use live::{Live, Profile, Profiles, Renewal};
pub use load::{TlsFiles, TlsIdentity};
pub use words::{Refusal, refusal_words};

use verify::NetworkServerVerifier;

use super::resolve::bare;

static VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// The cryptography that every connection uses, whatever the process default is.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Who a client expects the server to be.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The name that goes into the handshake and that the certificate must carry.
    pub name: ServerName<'static>,
    /// False: the chain is checked, the name is not.
    pub verify_hostname: bool,
}

impl Expected {
    /// From a connector's host, a DNS name or an address.
    ///
    /// # Errors
    /// When `host` is neither.
    pub fn host(host: &str, verify_hostname: bool) -> Result<Expected, TlsError> {
        // The scope of a link-local address is this host's matter.
        let name = bare(host).split('%').next().unwrap_or_default().to_owned();
        let name = ServerName::try_from(name).map_err(|_| TlsError::Host { host: host.to_owned() })?;
        Ok(Expected { name, verify_hostname })
    }
}

/// What a server wants of its clients' certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// None is asked for.
    Anonymous,
    /// One is asked for, and checked when given.
    Known,
    /// Who has none of the profile's CA is refused.
    Proven,
}

impl TlsIdentity {
    /// A client that trusts this profile's CA and presents its certificate when it has one.
    ///
    /// # Errors
    /// When the CA cannot be used, or certificate and key do not belong together.
    pub fn client(&self, verify_hostname: bool) -> Result<Arc<ClientConfig>, TlsError> {
        let provider = provider();
        let roots = self.roots()?;
        let chain = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|source| self.unusable_ca(source))?;
        let verifier = NetworkServerVerifier::new(chain, self.ca.clone(), verify_hostname);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(VERSIONS)
            .map_err(TlsError::Setup)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.own {
            Some(own) => builder
                .with_client_auth_cert(own.chain.clone(), own.key.clone_key())
                .map_err(|source| self.unusable_pair(source))?,
            None => builder.with_no_client_auth(),
        };
        // Uplinks live for days, and servers are near: little is gained by tickets, and none stays in memory.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }

    /// A server with this profile's certificate.
    ///
    /// # Errors
    /// When the profile has no certificate, the CA cannot be used, or certificate and key do not belong together.
    pub fn server(&self, clients: Clients) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = provider();
        let own = self.own.as_ref().ok_or_else(|| TlsError::NoCertificate { profile: self.profile.clone() })?;
        let verifier = match clients {
            Clients::Anonymous => WebPkiClientVerifier::no_client_auth(),
            Clients::Known | Clients::Proven => {
                let builder = WebPkiClientVerifier::builder_with_provider(self.roots()?, Arc::clone(&provider));
                let builder = if clients == Clients::Known { builder.allow_unauthenticated() } else { builder };
                builder.build().map_err(|source| self.unusable_ca(source))?
            }
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(VERSIONS)
            .map_err(TlsError::Setup)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(own.chain.clone(), own.key.clone_key())
            .map_err(|source| self.unusable_pair(source))?;
        // Who resumes a session is not verified again.
        if clients != Clients::Anonymous {
            config.send_tls13_tickets = 0;
        }
        Ok(Arc::new(config))
    }

    /// Whether all that there is can be used.
    ///
    /// # Errors
    /// What cannot be used, and why.
    pub fn check(&self) -> Result<(), TlsError> {
        if !self.ca.is_empty() {
            self.client(true)?;
        }
        if self.own.is_some() {
            self.server(Clients::Anonymous)?;
        }
        Ok(())
    }
}
