//! Tokens: the files that let one site link to another.
//!
//! Each is a Kubernetes Secret as YAML. A [`LinkToken`] carries the uplink's host, port and certificates; it is
//! written by a Skupper site (`skupper token create -t cert`), by a Podman site, or by a Moorline hub. A
//! [`ClaimToken`], Skupper's usual kind, carries a password for which its site gives out a link token.

mod claim;
mod document;
mod fault;
mod parse;
mod url;
mod write;

use std::num::NonZeroU32;

use crate::credentials::Credentials;
use crate::endpoint::Endpoint;

pub use claim::{AnswerFault, ClaimToken};
pub(crate) use fault::shown;
pub use fault::{Place, TokenError, TokenFault};
pub use url::{ClaimUrl, ClaimUrlFault};

/// The most bytes that a token may have. A real one has about 6 KiB.
pub const LARGEST: usize = 256 * 1024;

/// The name of a token whose file gives none, as Skupper's is by default.
pub const DEFAULT_NAME: &str = "skupper";

/// A token of either kind, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// It carries certificates.
    Link(LinkToken),
    /// It carries a password that is exchanged for certificates.
    Claim(ClaimToken),
}

/// A token that carries certificates, checked.
///
/// One that came out of [`LinkToken::parse`] had, at the `now` given there, certificates in date,
/// the right key and the right authority. `Debug` hides the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkToken {
    /// The name of the Secret.
    pub name: String,
    /// Where an edge router connects: what a gateway uses.
    pub edge: Endpoint,
    /// Where an interior router connects.
    pub inter_router: Option<Endpoint>,
    /// The id of the site that made the token.
    pub generated_by: Option<String>,
    /// The version of the site that made the token.
    pub site_version: Option<String>,
    /// The cost of the link, 1 to 2147483647. `None` if the token gives none; as in Skupper, one that
    /// is not such a number counts as none, and a link without a cost costs 1.
    pub cost: Option<NonZeroU32>,
    /// The client certificate, its key, and the authority that the other side answers to.
    pub credentials: Credentials,
}

/// The names that Skupper gives to annotations, labels and data.
pub(crate) mod key {
    pub(crate) const TYPE: &str = "skupper.io/type";
    pub(crate) const CONNECTION_TOKEN: &str = "connection-token";
    pub(crate) const GATEWAY_CONNECTION_TOKEN: &str = "gateway-connection-token";
    pub(crate) const TOKEN_CLAIM: &str = "token-claim";
    pub(crate) const CLAIM_URL: &str = "skupper.io/url";
    pub(crate) const CLAIM_EXPIRATION: &str = "skupper.io/claim-expiration";
    pub(crate) const PASSWORD: &str = "password";
    pub(crate) const COST: &str = "skupper.io/cost";
    pub(crate) const GENERATED_BY: &str = "skupper.io/generated-by";
    pub(crate) const SITE_VERSION: &str = "skupper.io/site-version";
    pub(crate) const EDGE_HOST: &str = "edge-host";
    pub(crate) const EDGE_PORT: &str = "edge-port";
    pub(crate) const INTER_ROUTER_HOST: &str = "inter-router-host";
    pub(crate) const INTER_ROUTER_PORT: &str = "inter-router-port";
}
