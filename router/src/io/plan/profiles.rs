//! Certificates: `sslProfile`.

use std::path::PathBuf;
use std::rc::Rc;

use moorline_definition::router_config::SslProfile;

use super::{Check, StartProblem};
use crate::io::Timestamp;
use crate::io::tls::{Expected, TlsError, TlsFiles, TlsIdentity};
use crate::io::uplink::UplinkTls;

/// Seconds before its end from which a certificate is warned of.
const EXPIRES_SOON: i64 = 14 * 86_400;

impl<'a> Check<'a> {
    /// Loads a profile once; what is wrong with it is said once.
    pub(super) fn identity(&mut self, entity: &str, name: &'a str) -> Option<Rc<(TlsFiles, TlsIdentity)>> {
        if let Some(known) = self.identities.get(name) {
            return known.clone();
        }
        let profile = self.config.ssl_profiles.iter().find(|p| p.name == name);
        let loaded = match profile {
            None => Err(StartProblem::UnknownProfile { entity: entity.to_owned(), profile: name.to_owned() }),
            Some(profile) => {
                load(profile).map_err(|source| StartProblem::Tls { entity: format!("sslProfile {name}"), source })
            }
        };
        let loaded = match loaded {
            Ok(loaded) => {
                self.warnings.extend(expiry_warning(name, &loaded.1));
                Some(Rc::new(loaded))
            }
            Err(problem) => self.fail(problem),
        };
        self.identities.insert(name, loaded.clone());
        loaded
    }
}

/// Said early: a certificate that ends takes the link with it.
fn expiry_warning(profile: &str, identity: &TlsIdentity) -> Option<String> {
    let not_after = identity.not_after()?;
    match not_after.unix() - Timestamp::now().unix() {
        left if left <= 0 => Some(format!("the certificate of sslProfile {profile} has expired since {not_after}")),
        left if left < EXPIRES_SOON => Some(format!("the certificate of sslProfile {profile} expires at {not_after}")),
        _ => None,
    }
}

fn load(profile: &SslProfile) -> Result<(TlsFiles, TlsIdentity), TlsError> {
    let path = |text: &Option<String>| {
        let text = text.as_deref().filter(|text| !text.is_empty());
        text.map(PathBuf::from)
    };
    let name = &profile.name;
    let half = |present, absent| TlsError::Half { profile: name.clone(), present, absent };
    let files = TlsFiles {
        profile: name.clone(),
        ca: path(&profile.ca_cert_file).ok_or_else(|| TlsError::NoCa { profile: name.clone() })?,
        own: match (path(&profile.cert_file), path(&profile.private_key_file)) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(half("certificate", "private key")),
            (None, Some(_)) => return Err(half("private key", "certificate")),
        },
    };
    let identity = files.load()?;
    Ok((files, identity))
}

pub(super) fn uplink_tls(
    loaded: &(TlsFiles, TlsIdentity),
    host: &str,
    verify_hostname: bool,
) -> Result<UplinkTls, TlsError> {
    let (files, identity) = loaded;
    Ok(UplinkTls {
        files: files.clone(),
        expected: Expected::host(host, verify_hostname)?,
        config: identity.client(verify_hostname)?,
        not_after: identity.not_after(),
    })
}
