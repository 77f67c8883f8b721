//! The router configuration that a definition means.

use serde_json::Map;

use super::entities::{
    AddressEntity, Aggregation, Connector, HttpBridge, HttpVersion, Listener, Role, RouterConfig, RouterEntity,
    RouterMode, SslProfile, TcpBridge,
};
use super::metadata::Metadata;
use crate::definition::{Aggregate, Definition, Endpoint, Host, Protocol, QdrListener};

/// Name of the connector to the network.
pub const UPLINK_NAME: &str = "conn1";
/// Name of the `sslProfile` of the connector to the network, and of the folder of its certificates.
pub const UPLINK_PROFILE: &str = "conn1-profile";
/// Folder, inside the configuration folder, that holds one folder for each `sslProfile`.
pub const CERTIFICATES_FOLDER: &str = "skupper-router-certs";
/// What the id of every gateway's router begins with: by it the network's tools know one.
pub const ROUTER_ID_PREFIX: &str = "skupper-gateway-";

/// First segment of addresses whose messages go to everyone who serves them, as the network's sites declare it.
pub(super) const MULTICAST_PREFIX: &str = "mc";

/// Where the network accepts this gateway's connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uplink {
    /// Host name or address.
    pub host: String,
    /// TCP port as a decimal number.
    pub port: String,
}

/// What a router configuration says beyond the definition and the uplink.
///
/// For the template that a bundle carries, pass `${HOSTNAME}`, `${ROUTER_ID}` and `${QDR_CONF_DIR}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayOptions {
    /// What follows `skupper-gateway-` in the router's id: the host's name.
    pub hostname: String,
    /// UUID of this router, also the site id of its bridges.
    pub site_id: String,
    /// Version for the router's metadata.
    pub version: String,
    /// Platform for the router's metadata; Skupper's own tools write `kubernetes`.
    pub platform: String,
    /// Folder that holds [`CERTIFICATES_FOLDER`], without a slash at the end.
    pub config_dir: String,
}

/// The configuration of an edge router for a definition: what Skupper's `generate-bundle` writes, and beyond it
/// every attribute of the `qdr-listeners` and the TLS of services, which Skupper leaves out.
///
/// Entity names are unique in their kind, as the checks of the definition promise.
#[must_use]
pub fn from_definition(definition: &Definition, uplink: &Uplink, options: &GatewayOptions) -> RouterConfig {
    let mut config = RouterConfig {
        router: router(options),
        ssl_profiles: vec![credentials(UPLINK_PROFILE, options)],
        connectors: vec![Connector {
            name: UPLINK_NAME.to_owned(),
            role: Role::Edge,
            host: uplink.host.clone(),
            port: uplink.port.clone(),
            cost: Some(1),
            ssl_profile: Some(UPLINK_PROFILE.to_owned()),
            max_frame_size: Some(16384),
            max_session_frames: Some(640),
            ..Connector::default()
        }],
        ..RouterConfig::default()
    };
    for listener in &definition.qdr_listeners {
        if let Some(profile) = &listener.ssl_profile {
            add_profile(&mut config, credentials(profile.as_str(), options));
        }
        config.listeners.push(amqp_listener(listener));
    }
    if definition.qdr_listeners.is_empty() {
        config.listeners.push(Listener {
            name: "amqp".to_owned(),
            host: Some("localhost".to_owned()),
            port: 5672,
            ..Listener::default()
        });
    }
    for forward in &definition.forwards {
        let profile = forward.service.tls_credentials.as_ref().map(|name| credentials(name.as_str(), options));
        let tls = profile.map(|profile| add_profile(&mut config, profile));
        match http_version(forward) {
            None => config.tcp_listeners.push(tcp_bridge(forward, options, tls, None)),
            Some(version) => config.http_listeners.push(http_bridge(forward, version, options, tls, None)),
        }
    }
    for binding in &definition.bindings {
        let profile = binding.service.tls_cert_authority.as_ref().map(|name| authority(name.as_str(), options));
        let tls = profile.map(|profile| add_profile(&mut config, profile));
        // Skupper's service certificates do not name the server's host.
        let verify = tls.is_some().then_some(false);
        match http_version(binding) {
            None => config.tcp_connectors.push(tcp_bridge(binding, options, tls, verify)),
            Some(version) => config.http_connectors.push(http_bridge(binding, version, options, tls, verify)),
        }
    }
    if definition.forwards.iter().chain(&definition.bindings).any(is_multicast) {
        config.addresses.push(AddressEntity {
            prefix: MULTICAST_PREFIX.to_owned(),
            distribution: "multicast".to_owned(),
            ..AddressEntity::default()
        });
    }
    config
}

/// Has the router tell sites of the services that the definition says so of. This program's router alone can.
pub fn announce(config: &mut RouterConfig, definition: &Definition) {
    let announced = definition.bindings.iter().filter(|binding| binding.service.is_announced());
    let announced: Vec<String> = announced.map(Endpoint::entity_name).collect();
    let tcp = config.tcp_connectors.iter_mut().map(|bridge| (&bridge.name, &mut bridge.announce));
    let http = config.http_connectors.iter_mut().map(|bridge| (&bridge.name, &mut bridge.announce));
    for (name, announce) in tcp.chain(http) {
        *announce = announced.contains(name).then_some(true);
    }
}

fn router(options: &GatewayOptions) -> RouterEntity {
    let metadata =
        Metadata { id: options.site_id.clone(), version: options.version.clone(), platform: options.platform.clone() };
    RouterEntity {
        id: format!("{ROUTER_ID_PREFIX}{}", options.hostname),
        mode: RouterMode::Edge,
        metadata: Some(metadata.to_json()),
        hello_max_age_seconds: Some("3".to_owned()),
        extra: Map::new(),
    }
}

/// Adds a profile unless there is one of its name, and answers the name. A profile of three files, which is
/// added before one of the authority alone, serves for it too.
fn add_profile(config: &mut RouterConfig, profile: SslProfile) -> String {
    let name = profile.name.clone();
    if !config.ssl_profiles.iter().any(|known| known.name == name) {
        config.ssl_profiles.push(profile);
    }
    name
}

fn credentials(name: &str, options: &GatewayOptions) -> SslProfile {
    SslProfile {
        cert_file: Some(certificate_path(name, "tls.crt", options)),
        private_key_file: Some(certificate_path(name, "tls.key", options)),
        ..authority(name, options)
    }
}

fn authority(name: &str, options: &GatewayOptions) -> SslProfile {
    SslProfile {
        name: name.to_owned(),
        ca_cert_file: Some(certificate_path(name, "ca.crt", options)),
        ..SslProfile::default()
    }
}

fn certificate_path(profile: &str, file: &str, options: &GatewayOptions) -> String {
    format!("{}/{CERTIFICATES_FOLDER}/{profile}/{file}", options.config_dir)
}

fn amqp_listener(listener: &QdrListener) -> Listener {
    Listener {
        name: listener.entity_name(),
        role: listener.role.unwrap_or_default().or_route_container(listener.route_container),
        host: listener.host.as_ref().map(Host::to_string),
        port: listener.port.get(),
        ssl_profile: listener.ssl_profile.as_ref().map(ToString::to_string),
        sasl_mechanisms: listener.sasl_mechanisms.clone(),
        authenticate_peer: listener.authenticate_peer,
        http: listener.http,
        http_root_dir: listener.http_root_dir.clone(),
        websockets: listener.web_sockets,
        healthz: listener.healthz,
        metrics: listener.metrics,
        cost: listener.cost.map(i64::from),
        link_capacity: listener.link_capacity,
        max_frame_size: listener.max_frame_size,
        max_session_frames: listener.max_session_frames,
        idle_timeout_seconds: None,
        extra: Map::new(),
    }
}

fn http_version(endpoint: &Endpoint) -> Option<HttpVersion> {
    match endpoint.service.protocol {
        Protocol::Tcp => None,
        Protocol::Http => Some(HttpVersion::Http1),
        Protocol::Http2 => Some(HttpVersion::Http2),
    }
}

/// Whether requests go to all servers of the service.
fn is_multicast(endpoint: &Endpoint) -> bool {
    http_version(endpoint).is_some() && (endpoint.service.aggregate.is_some() || endpoint.service.event_channel)
}

/// The address on the service network. The network's sites give a service with `aggregate` or `eventchannel` a
/// multicast address, without which its ends do not meet; Skupper's own gateway tools forget that.
fn http_address(endpoint: &Endpoint) -> String {
    let address = &endpoint.service.address;
    if is_multicast(endpoint) { format!("{MULTICAST_PREFIX}/{address}") } else { address.to_string() }
}

fn tcp_bridge(
    endpoint: &Endpoint,
    options: &GatewayOptions,
    ssl_profile: Option<String>,
    verify_hostname: Option<bool>,
) -> TcpBridge {
    TcpBridge {
        name: endpoint.entity_name(),
        host: endpoint.host.as_ref().map(Host::to_string),
        port: endpoint.port.to_string(),
        address: endpoint.service.address.to_string(),
        site_id: Some(options.site_id.clone()),
        ssl_profile,
        verify_hostname,
        ..TcpBridge::default()
    }
}

fn http_bridge(
    endpoint: &Endpoint,
    version: HttpVersion,
    options: &GatewayOptions,
    ssl_profile: Option<String>,
    verify_hostname: Option<bool>,
) -> HttpBridge {
    HttpBridge {
        name: endpoint.entity_name(),
        host: endpoint.host.as_ref().map(Host::to_string),
        port: endpoint.port.to_string(),
        address: http_address(endpoint),
        site_id: Some(options.site_id.clone()),
        ssl_profile,
        verify_hostname,
        protocol_version: Some(version),
        aggregation: endpoint.service.aggregate.map(|aggregate| match aggregate {
            Aggregate::Json => Aggregation::Json,
            Aggregate::Multipart => Aggregation::Multipart,
        }),
        event_channel: endpoint.service.event_channel.then_some(true),
        ..HttpBridge::default()
    }
}
