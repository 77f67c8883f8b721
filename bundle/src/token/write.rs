//! A [`LinkToken`] to the text of its file.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use zeroize::{Zeroize, Zeroizing};

use super::{LinkToken, key};
use crate::credentials::Part;

/// The Secret as Kubernetes prints it: fields in alphabetical order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Secret<'a> {
    api_version: &'static str,
    data: BTreeMap<&'static str, String>,
    kind: &'static str,
    metadata: Metadata<'a>,
    #[serde(rename = "type")]
    kubernetes_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    annotations: BTreeMap<&'static str, String>,
    creation_timestamp: (),
    labels: BTreeMap<&'static str, &'static str>,
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
        let mut annotations = BTreeMap::from([
            (key::EDGE_HOST, self.edge.host().to_owned()),
            (key::EDGE_PORT, self.edge.port().to_string()),
        ]);
        if let Some(inter_router) = &self.inter_router {
            annotations.insert(key::INTER_ROUTER_HOST, inter_router.host().to_owned());
            annotations.insert(key::INTER_ROUTER_PORT, inter_router.port().to_string());
        }
        let optional = [
            (key::GENERATED_BY, self.generated_by.clone()),
            (key::SITE_VERSION, self.site_version.clone()),
            (key::COST, self.cost.map(|cost| cost.to_string())),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                annotations.insert(name, value);
            }
        }
        let secret = Secret {
            api_version: "v1",
            data: BTreeMap::from([
                (Part::Authority.name(), STANDARD.encode(self.credentials.ca_pem())),
                (Part::Certificate.name(), STANDARD.encode(self.credentials.cert_pem())),
                (Part::Key.name(), STANDARD.encode(self.credentials.key_pem())),
            ]),
            kind: "Secret",
            metadata: Metadata {
                annotations,
                creation_timestamp: (),
                labels: BTreeMap::from([(key::TYPE, key::CONNECTION_TOKEN)]),
                name: &self.name,
            },
            kubernetes_type: "kubernetes.io/tls",
        };
        // Texts, maps of texts and a null: there is nothing here that YAML cannot write.
        Zeroizing::new(serde_yaml::to_string(&secret).unwrap_or_default())
    }
}
