//! The site identity inside `router.metadata`.

use serde_json::Value;

use super::RouterEntity;

/// What `router.metadata` says; an empty field is not written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Site id (a UUID); for a gateway its own router UUID.
    pub id: String,
    /// Version of the tool that wrote the configuration.
    pub version: String,
    /// `kubernetes` or `podman`.
    pub platform: String,
}

impl Metadata {
    /// Reads metadata; a text that is not a JSON object is the whole site id, as old versions wrote it.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let Ok(Value::Object(fields)) = serde_json::from_str(text) else {
            return Self { id: text.to_owned(), ..Self::default() };
        };
        let field = |key| fields.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { id: field("id"), version: field("version"), platform: field("platform") }
    }

    /// The JSON text: `id`, `version`, `platform`, in that order.
    #[must_use]
    pub fn to_json(&self) -> String {
        let fields: Vec<String> = [("id", &self.id), ("version", &self.version), ("platform", &self.platform)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("\"{key}\":{}", Value::from(value.as_str())))
            .collect();
        format!("{{{}}}", fields.join(","))
    }
}

impl RouterEntity {
    /// The site identity in `metadata`; all empty when there is none.
    #[must_use]
    pub fn site(&self) -> Metadata {
        self.metadata.as_deref().map(Metadata::parse).unwrap_or_default()
    }
}
