//! Tokens to the text of their files.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use zeroize::{Zeroize, Zeroizing};

use super::claim::Metadata;
use super::{LinkToken, key};
use crate::credentials::{Credentials, Part};

/// The Secret as Kubernetes prints it: fields in alphabetical order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Secret<'a> {
    api_version: &'static str,
    data: BTreeMap<&'static str, String>,
    kind: &'static str,
    metadata: SecretMetadata<'a>,
    #[serde(rename = "type")]
    kubernetes_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SecretMetadata<'a> {
    annotations: &'a BTreeMap<String, String>,
    creation_timestamp: (),
    labels: &'a BTreeMap<String, String>,
    name: &'a str,
}

impl Drop for Secret<'_> {
    fn drop(&mut self) {
        for text in self.data.values_mut() {
            text.zeroize();
        }
    }
}

impl LinkToken {
    /// The token as YAML, keys in alphabetical order, as Skupper writes it and reads it.
    ///
    /// It contains the private key: write it with `files::write_secret`, and show it to nobody.
    pub fn to_yaml(&self) -> Zeroizing<String> {
        let mut annotations = BTreeMap::new();
        let mut note = |name: &str, value: String| annotations.insert(name.to_owned(), value);
        note(key::EDGE_HOST, self.edge.host().to_owned());
        note(key::EDGE_PORT, self.edge.port().to_string());
        if let Some(inter_router) = &self.inter_router {
            note(key::INTER_ROUTER_HOST, inter_router.host().to_owned());
            note(key::INTER_ROUTER_PORT, inter_router.port().to_string());
        }
        let optional = [
            (key::GENERATED_BY, self.generated_by.clone()),
            (key::SITE_VERSION, self.site_version.clone()),
            (key::COST, self.cost.map(|cost| cost.to_string())),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                note(name, value);
            }
        }
        yaml(&self.name, Metadata { annotations, labels: BTreeMap::new() }, &self.credentials)
    }
}

/// The link token that a claim becomes: what the claim says, unless the answer says otherwise.
pub(super) fn merged(name: &str, claim: &Metadata, answer: Metadata, credentials: &Credentials) -> Zeroizing<String> {
    let mut metadata = claim.clone();
    metadata.annotations.extend(answer.annotations);
    metadata.labels.extend(answer.labels);
    yaml(name, metadata, credentials)
}

fn yaml(name: &str, mut metadata: Metadata, credentials: &Credentials) -> Zeroizing<String> {
    metadata.labels.insert(key::TYPE.to_owned(), key::CONNECTION_TOKEN.to_owned());
    let secret = Secret {
        api_version: "v1",
        data: BTreeMap::from([
            (Part::Authority.name(), STANDARD.encode(credentials.ca_pem())),
            (Part::Certificate.name(), STANDARD.encode(credentials.cert_pem())),
            (Part::Key.name(), STANDARD.encode(credentials.key_pem())),
        ]),
        kind: "Secret",
        metadata: SecretMetadata {
            annotations: &metadata.annotations,
            creation_timestamp: (),
            labels: &metadata.labels,
            name,
        },
        kubernetes_type: "kubernetes.io/tls",
    };
    // Texts, maps of texts and a null: there is nothing here that YAML cannot write.
    Zeroizing::new(serde_yaml::to_string(&secret).unwrap_or_default())
}
