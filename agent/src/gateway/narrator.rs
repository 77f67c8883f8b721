//! What a gateway says on stdout: what is bound, what is linked, what can be reached.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;

use moorline_definition::router_config::{RouterConfig, TcpBridge};
use moorline_router::io::{Event, ListenerState, PeerIdentity, RouterStatus};

use crate::embedded::Narrator;
use crate::output::say;

/// Says each thing when it changes, however often it is told. Failures are the log's to say.
pub(super) struct GatewayNarrator {
    gateway: String,
    router_id: String,
    /// `host:port` of the uplink.
    network: String,
    bindings: Vec<String>,
    forwards: Vec<TcpBridge>,
    linked_to: Option<PeerIdentity>,
    /// Addresses of services, by listener.
    listening: BTreeMap<String, String>,
}

impl GatewayNarrator {
    pub(super) fn new(gateway: &str, config: &RouterConfig) -> Self {
        let binding = |bridge: &TcpBridge| format!("binding {} -> {}", bridge.address, place(bridge));
        Self {
            gateway: gateway.to_owned(),
            router_id: config.router.id.clone(),
            network: config.connectors.first().map(|uplink| host_port(&uplink.host, &uplink.port)).unwrap_or_default(),
            bindings: config.tcp_connectors.iter().map(binding).collect(),
            forwards: config.tcp_listeners.clone(),
            linked_to: None,
            listening: BTreeMap::new(),
        }
    }

    fn linked(&mut self, peer: PeerIdentity) {
        if self.linked_to.as_ref() != Some(&peer) {
            say(format_args!("linked to {} ({})", self.network, described(&peer)));
            self.linked_to = Some(peer);
        }
    }

    fn listening(&mut self, listener: String, address: String, sockets: &[SocketAddr]) {
        let Entry::Vacant(entry) = self.listening.entry(listener) else {
            return;
        };
        let sockets: Vec<String> = sockets.iter().map(ToString::to_string).collect();
        say(format_args!("listening on {} for {address}", sockets.join(" and ")));
        entry.insert(address);
    }
}

impl Narrator for GatewayNarrator {
    fn started(&mut self, status: &RouterStatus) {
        say(format_args!("gateway {:?} runs as {}", self.gateway, self.router_id));
        for binding in &self.bindings {
            say(binding);
        }
        for forward in &self.forwards {
            let state = status.listeners.iter().find(|listener| listener.name == forward.name).map(|l| l.state);
            let waiting = match state {
                Some(ListenerState::Listening) => "",
                _ => " (waiting: the network has no server for it yet)",
            };
            say(format_args!("forward {} <- {}{waiting}", forward.address, place(forward)));
        }
        for peer in status.uplinks.iter().filter_map(|uplink| uplink.peer.clone()) {
            self.linked(peer);
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Linked { peer, .. } => self.linked(peer),
            Event::LinkFailed { .. } => {
                let was_linked = self.linked_to.take().is_some();
                if was_linked {
                    say(format_args!("no longer linked to {}; trying again until it works", self.network));
                }
            }
            Event::Listening { listener, address, sockets } => self.listening(listener, address, &sockets),
            Event::NotListening { listener } => {
                if let Some(address) = self.listening.remove(&listener) {
                    say(format_args!("no longer listening for {address}"));
                }
            }
            // Said in the log, where they come from; an edge has no edges.
            _ => {}
        }
    }
}

fn described(peer: &PeerIdentity) -> String {
    match &peer.version {
        Some(version) => format!("router {}, version {version}", peer.container),
        None => format!("router {}", peer.container),
    }
}

fn place(bridge: &TcpBridge) -> String {
    match bridge.host.as_deref() {
        None | Some("") => host_port("0.0.0.0", &bridge.port),
        Some(host) => host_port(host, &bridge.port),
    }
}

fn host_port(host: &str, port: &str) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
