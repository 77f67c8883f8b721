//! Certificates: `sslProfile`.

use std::sync::Arc;

use rustls::ServerConfig;

use super::StartProblem;
use crate::io::target::TargetTls;
use crate::io::tls::{Clients, Live, Profile, Profiles, TlsError};

/// The profile that an entity names. What is wrong with its files is said of the profile, whoever uses it.
pub(super) fn profile(profiles: &Profiles, entity: &str, name: &str) -> Result<Arc<Profile>, StartProblem> {
    profiles.get(name).map_err(|source| {
        let entity = match source {
            TlsError::Unknown { .. } => entity.to_owned(),
            _ => format!("sslProfile {name}"),
        };
        StartProblem::Tls { entity, source }
    })
}

/// TLS to the server of a connector, when it names a profile.
pub(super) fn target_tls(
    profiles: &Profiles,
    entity: &str,
    name: Option<&str>,
    host: &str,
    verify_hostname: Option<bool>,
) -> Result<Option<TargetTls>, StartProblem> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    TargetTls::new(profile(profiles, entity, name)?, host, verify_hostname.unwrap_or(true))
        .map(Some)
        .map_err(|source| StartProblem::Tls { entity: entity.to_owned(), source })
}

/// TLS with the clients of a listener.
pub(super) fn server_tls(
    profiles: &Profiles,
    entity: &str,
    name: &str,
    clients: Clients,
    alpn: &'static [&'static str],
) -> Result<Arc<Live<ServerConfig>>, StartProblem> {
    Live::server(profile(profiles, entity, name)?, clients, alpn)
        .map_err(|source| StartProblem::Tls { entity: entity.to_owned(), source })
}
