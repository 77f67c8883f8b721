//! One step from what is there to what is wanted.

use std::fmt;
use std::path::PathBuf;

use moorline_definition::router_config::Entity;
use serde_json::{Value, json};

use super::wanted::HomeFile;

/// What changes. Nothing else of the host is touched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// A file of the gateway's home.
    Write { file: HomeFile, new: bool },
    /// A file of the home that is wanted no more.
    Remove { path: PathBuf },
    /// The unit's file; it holds no secret, and systemd must read it.
    WriteUnit { path: PathBuf, text: String, new: bool },
    /// systemd reads its units again.
    Reload,
    /// The unit starts with the user's systemd.
    Enable { unit: String },
    /// The user's systemd runs without a login.
    Linger,
    /// The unit that starts the engine's containers after a boot starts itself.
    AtBoot { unit: String },
    /// An image that holds the program is made.
    Image { name: String },
    /// The network's image is fetched from its registry.
    Fetch { name: String },
    /// A container is made.
    Create { name: String },
    /// A container makes way for a new one: its connections end.
    Replace { name: String, why: String },
    /// Starts the unit or container, and waits until the router serves.
    Start { name: String },
    /// The same for what runs: its connections end.
    Restart { name: String, why: String },
    /// A service is added to the running router.
    Add { entity: Entity },
    /// A service is taken from the running router; its connections go on.
    Take { entity: Entity },
    /// What ran under the gateway's name before gives it away, and runs on.
    Aside { name: String, then: String },
    /// The same, but it ends: its connections do.
    Halt { name: String, why: String },
    /// The router is linked to its network, and the network knows its services; that may take so many seconds.
    Link { wait: u32 },
    /// The old router gives up a service, and with it a port; its connections go on.
    Release { entity: Entity },
}

impl Step {
    /// One word: what is done.
    fn action(&self) -> &'static str {
        match self {
            Step::Write { new: true, .. } | Step::WriteUnit { new: true, .. } => "write",
            Step::Write { .. } | Step::WriteUnit { .. } => "rewrite",
            Step::Remove { .. } => "remove",
            Step::Reload => "reload",
            Step::Enable { .. } | Step::AtBoot { .. } => "enable",
            Step::Linger => "linger",
            Step::Image { .. } => "image",
            Step::Fetch { .. } => "fetch",
            Step::Create { .. } => "create",
            Step::Replace { .. } => "replace",
            Step::Start { .. } => "start",
            Step::Restart { .. } => "restart",
            Step::Add { .. } => "add",
            Step::Take { .. } => "take",
            Step::Aside { .. } => "aside",
            Step::Halt { .. } => "stop",
            Step::Link { .. } => "link",
            Step::Release { .. } => "release",
        }
    }

    /// To what it is done.
    fn target(&self) -> String {
        match self {
            Step::Write { file: HomeFile { path, .. }, .. } | Step::Remove { path } | Step::WriteUnit { path, .. } => {
                path.display().to_string()
            }
            Step::Reload => "systemd's units".to_owned(),
            Step::Linger => "this user's services run without a login".to_owned(),
            Step::Enable { unit } => unit.clone(),
            Step::AtBoot { unit } => format!("{unit}: containers start after a boot"),
            Step::Image { name }
            | Step::Fetch { name }
            | Step::Create { name }
            | Step::Replace { name, .. }
            | Step::Start { name }
            | Step::Restart { name, .. } => name.clone(),
            Step::Aside { name, then } => format!("{name}: it runs on as {then}"),
            Step::Halt { name, .. } => name.clone(),
            Step::Link { .. } => "the new router to the network".to_owned(),
            Step::Release { entity } => {
                let (kind, name) = entity.place();
                format!("{kind} {name} of the old router")
            }
            Step::Add { entity } | Step::Take { entity } => {
                let (kind, name) = entity.place();
                format!("{kind} {name}")
            }
        }
    }

    /// Why the router is started anew, if it is.
    pub(crate) fn restarts(&self) -> Option<&str> {
        match self {
            Step::Restart { why, .. } | Step::Replace { why, .. } => Some(why),
            _ => None,
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Step::Restart { why, .. } | Step::Replace { why, .. } | Step::Halt { why, .. } => Some(why),
            _ => None,
        }
    }

    /// For machines: `{"action", "target"}`, and `"reason"` where there is one. No secret.
    pub(crate) fn json(&self) -> Value {
        let mut value = json!({ "action": self.action(), "target": self.target() });
        if let Some(reason) = self.reason() {
            value["reason"] = reason.into();
        }
        value
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<8} {}", self.action(), self.target())?;
        match self.reason() {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}
