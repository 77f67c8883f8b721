//! The certificate that a hub shows: for the names by which gateways reach it.

use std::time::SystemTime;

use moorline_bundle::{Authority, Credentials, Purpose, Validity};

use super::site::{Site, StateDirectory, parse_host};
use crate::failure::{Blame, Failure};
use crate::host;
use crate::token_file::EXPIRES_SOON;

/// Names that a hub of this host is reached by: its own, those of the loopback, where it listens, what the user gave.
pub(super) fn names(site: &Site) -> Vec<String> {
    let mut names = vec![host::name(), "localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !site.listen.is_wildcard() {
        names.push(site.listen.host.clone());
    }
    names.extend(site.hosts.iter().cloned());
    let mut unique: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        // The host's own name may be none that a certificate can carry; nobody could link to it by that.
        if !unique.contains(&name) && parse_host(&name).is_ok() {
            unique.push(name);
        }
    }
    unique
}

/// Makes sure that the certificate is there and good for `names`; issues a new one when it is not, or ends soon.
pub(super) fn ensure(
    directory: &StateDirectory,
    site: &Site,
    authority: &Authority,
    names: &[String],
) -> Result<(), Failure> {
    let now = SystemTime::now();
    let place = directory.certificates();
    let good = Credentials::read_from(&place).is_ok_and(|credentials| {
        site.certified == names
            && credentials.ca_pem() == authority.cert_pem()
            && credentials.check(Purpose::Server, now).is_ok()
            && credentials.not_after() > now + EXPIRES_SOON
    });
    if good {
        return Ok(());
    }
    let credentials = authority.issue_server(names, Validity::starting(now)).or_runtime()?;
    credentials.write_to(&place).or_runtime()
}
