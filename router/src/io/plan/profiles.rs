//! Certificates: `sslProfile`.

use std::sync::Arc;

use rustls::ServerConfig;

use super::{Check, StartProblem};
use crate::io::Timestamp;
use crate::io::target::TargetTls;
use crate::io::tls::{Clients, Live, Profile, Profiles, TlsError};

/// Seconds before its end from which a certificate is warned of.
const EXPIRES_SOON: i64 = 14 * 86_400;

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

impl Check<'_> {
    /// Said early: a certificate that ends takes its connections with it.
    pub(super) fn expiry(&mut self) {
        for profile in self.profiles.in_use() {
            self.warnings.extend(expiry_warning(&profile));
        }
    }
}

fn expiry_warning(profile: &Profile) -> Option<String> {
    let not_after = profile.identity().not_after()?;
    let name = profile.name();
    match not_after.unix() - Timestamp::now().unix() {
        left if left <= 0 => Some(format!("the certificate of sslProfile {name} has expired since {not_after}")),
        left if left < EXPIRES_SOON => Some(format!("the certificate of sslProfile {name} expires at {not_after}")),
        _ => None,
    }
}
