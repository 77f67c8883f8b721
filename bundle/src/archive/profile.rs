//! The certificates of a service.

use std::fmt;

use zeroize::Zeroizing;

/// The files of an `sslProfile` that a service names: `skupper-router-certs/NAME/`.
///
/// They are carried as they are; the router that reads them checks them. `Debug` hides the key.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceProfile {
    /// The name of the profile and of its folder: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// `ca.crt`
    pub ca_crt: Vec<u8>,
    /// `tls.crt` and `tls.key`; none where only the other side shows a certificate.
    pub pair: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
}

impl fmt::Debug for ServiceProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceProfile")
            .field("name", &self.name)
            .field("pair", &self.pair.as_ref().map(|_| "[hidden]"))
            .finish_non_exhaustive()
    }
}
