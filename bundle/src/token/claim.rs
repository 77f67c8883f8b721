//! The claim token, and what it becomes by the site's answer.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::time::SystemTime;

use zeroize::Zeroizing;

use super::{ClaimUrl, LinkToken, TokenFault, key, parse, write};
use crate::expiry::rfc3339;

/// A token that carries a password, which its site exchanges for a [`LinkToken`].
///
/// Until when and how often is the site's to know: [`ClaimToken::expiration`] is only what the file says. `Debug` hides
/// the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimToken {
    /// The name of the Secret.
    pub name: String,
    /// Where it is redeemed.
    pub url: ClaimUrl,
    /// The authorities that the site's certificate must answer to, as PEM; `None`: those that this host trusts.
    pub ca_pem: Option<String>,
    /// What is exchanged.
    pub password: Zeroizing<Vec<u8>>,
    /// When it expires, as far as the file says.
    pub expiration: Option<SystemTime>,
    /// The id of the site that made the token.
    pub generated_by: Option<String>,
    /// The version of the site that made the token.
    pub site_version: Option<String>,
    /// The cost of the link, as in [`LinkToken::cost`].
    pub cost: Option<NonZeroU32>,
    pub(super) kept: Metadata,
}

/// Annotations and labels, which a link token takes over from its claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) labels: BTreeMap<String, String>,
}

/// Why an answer is not what a claim is exchanged for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    /// It is no link token that can be used.
    #[error(transparent)]
    Token(#[from] TokenFault),
    /// It is of another site than the claim.
    #[error("it comes from the site {found:?}, and the claim from {claimed:?}")]
    OtherSite {
        /// Who made the answer.
        found: String,
        /// Who made the claim.
        claimed: String,
    },
    /// It is for somebody else.
    #[error("its certificate is for {found:?}, and {asked:?} asked for one")]
    OtherSubject {
        /// The certificate's common name.
        found: String,
        /// Who asked.
        asked: String,
    },
}

impl ClaimToken {
    /// The link token that `answer` makes of this claim, and the text of its file, which has the private key.
    ///
    /// `subject` is who asked for it; a site that overlooks that certifies the claim's own name. As in Skupper, the
    /// claim keeps its name, and its annotations and labels where the answer does not say otherwise.
    pub fn redeemed(
        &self,
        subject: &str,
        answer: &[u8],
        now: SystemTime,
    ) -> Result<(LinkToken, Zeroizing<String>), AnswerFault> {
        let (token, metadata) = parse::link_with_metadata(answer, now)?;
        if let (Some(found), Some(claimed)) = (&token.generated_by, &self.generated_by)
            && found != claimed
        {
            return Err(AnswerFault::OtherSite { found: found.clone(), claimed: claimed.clone() });
        }
        let found = token.credentials.common_name();
        if found != subject && found != self.url.claim() {
            return Err(AnswerFault::OtherSubject { found: found.to_owned(), asked: subject.to_owned() });
        }
        let text = write::merged(&self.name, &self.kept, metadata, &token.credentials);
        // As whoever links with the file will read it.
        let (token, _) = parse::link_with_metadata(text.as_bytes(), now)?;
        Ok((token, text))
    }
}

impl Metadata {
    /// The most entries that a link token takes over, and the most bytes of one: a token stays within its bound.
    const MOST: usize = 64;
    const LONGEST: usize = 1024;

    /// What of a claim is true of its link token too: not where to link, nor what others noted of the claim.
    pub(super) fn of_claim(mut self) -> Self {
        let endpoints = [key::EDGE_HOST, key::EDGE_PORT, key::INTER_ROUTER_HOST, key::INTER_ROUTER_PORT];
        let noted = ["internal.skupper.io/", "kubectl.kubernetes.io/"];
        for entries in [&mut self.annotations, &mut self.labels] {
            let mut room = Self::MOST;
            entries.retain(|name, value| {
                let stays = name.len() + value.len() <= Self::LONGEST
                    && !endpoints.contains(&name.as_str())
                    && !noted.iter().any(|prefix| name.starts_with(prefix))
                    && room > 0;
                room -= usize::from(stays);
                stays
            });
        }
        self
    }
}

impl fmt::Debug for ClaimToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimToken")
            .field("name", &self.name)
            .field("url", &self.url)
            .field("expiration", &self.expiration.map(rfc3339))
            .field("generated_by", &self.generated_by)
            .field("password", &"[hidden]")
            .finish_non_exhaustive()
    }
}
