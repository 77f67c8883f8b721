//! What a hub says on stdout: where it listens, how to link to it, who did.

use std::collections::BTreeMap;
use std::path::Path;

use moorline_router::io::{Event, PeerIdentity, RouterStatus};

use super::site::Site;
use crate::embedded::Narrator;
use crate::output::say;

/// Says each edge when it comes and goes.
pub(super) struct HubNarrator {
    greeting: Vec<String>,
    /// Edges by their socket address.
    edges: BTreeMap<String, String>,
}

impl HubNarrator {
    /// `state_dir` is what the user gave, for the command that makes a token.
    pub(super) fn new(site: &Site, state_dir: Option<&Path>) -> Self {
        let place = state_dir.map(|dir| format!(" --state-dir {}", dir.display())).unwrap_or_default();
        let reach = if site.listen.is_loopback() { ", from this machine alone" } else { "" };
        Self {
            greeting: vec![
                format!("hub {:?} listens for gateways on {}{reach}", site.name, site.listen),
                format!("its certificate names {}", site.certified.join(", ")),
                format!("to make a token for a gateway: moorline token create token.yaml{place}"),
            ],
            edges: BTreeMap::new(),
        }
    }

    fn linked(&mut self, address: String, peer: &PeerIdentity) {
        if self.edges.get(&address) != Some(&peer.container) {
            let version = peer.version.as_deref().map(|v| format!(", version {v}")).unwrap_or_default();
            say(format_args!("gateway linked: {} from {address}{version}", peer.container));
            self.edges.insert(address, peer.container.clone());
        }
    }
}

impl Narrator for HubNarrator {
    fn started(&mut self, status: &RouterStatus) {
        for line in &self.greeting {
            say(line);
        }
        for edge in &status.edges {
            let peer = PeerIdentity { container: edge.container.clone(), version: edge.version.clone() };
            self.linked(edge.peer.clone(), &peer);
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::EdgeLinked { address, peer } => self.linked(address, &peer),
            Event::EdgeGone { address, cause } => {
                if let Some(edge) = self.edges.remove(&address) {
                    say(format_args!("gateway gone: {edge} from {address} ({cause})"));
                }
            }
            // Said in the log, where they come from; a hub has no services.
            _ => {}
        }
    }
}
