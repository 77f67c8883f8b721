//! The definition that a router configuration means: the way back from [`from_definition`].

use super::from_definition::{
    GatewayOptions, MULTICAST_PREFIX, ROUTER_ID_PREFIX, UPLINK_NAME, UPLINK_PROFILE, Uplink, from_definition,
};
use super::{Aggregation, Entity, HttpBridge, HttpVersion, Listener, Role, RouterConfig, TcpBridge};
use crate::check::{CheckOptions, check};
use crate::definition::{
    Aggregate, CredentialName, Definition, GatewayName, Host, InvalidName, Port, Protocol, Section,
};
use crate::edit::{Draft, EditFault, NewEndpoint, new_definition, word};

/// What of a router configuration no definition says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct Unsayable(
    /// Each with the entity that it is about: `httpConnector "quotes": hostOverride`.
    pub Vec<String>,
);

/// The text of a definition that means what the gateway of a configuration serves.
///
/// It is read again, and what [`from_definition`] makes of it is the configuration once more, to the last attribute: but
/// for listeners, which a configuration without any has none of. Listeners that others can reach without authentication are
/// taken as they are, see [`CheckOptions::allow_insecure_management`].
///
/// # Errors
/// Everything of the configuration that a definition cannot say.
pub fn to_definition(config: &RouterConfig, name: &GatewayName) -> Result<String, Unsayable> {
    let mut said = Vec::new();
    let mut unsayable = Vec::new();
    for endpoint in config.entities().iter().filter_map(endpoint) {
        match endpoint {
            Ok(endpoint) => said.push(endpoint),
            Err(fault) => unsayable.push(fault),
        }
    }
    if !unsayable.is_empty() {
        return Err(Unsayable(unsayable));
    }
    let text = write(config, name, &said).map_err(|fault| Unsayable(vec![fault.to_string()]))?;
    let options = CheckOptions { allow_insecure_management: true, ..CheckOptions::default() };
    let definition = check("the definition", &text, options).definition;
    let unsaid = match &definition {
        Some(definition) => differences(config, &again(config, definition)),
        None => vec!["what it listens on".to_owned()],
    };
    if unsaid.is_empty() { Ok(text) } else { Err(Unsayable(unsaid)) }
}

/// A binding or forward; none: the entity is neither.
fn endpoint(entity: &Entity) -> Option<Result<(Section, NewEndpoint), String>> {
    let (section, found) = match entity {
        Entity::TcpConnector(bridge) => (Section::Bindings, tcp_endpoint(Section::Bindings, bridge)),
        Entity::TcpListener(bridge) => (Section::Forwards, tcp_endpoint(Section::Forwards, bridge)),
        Entity::HttpConnector(bridge) => (Section::Bindings, http_endpoint(Section::Bindings, bridge)),
        Entity::HttpListener(bridge) => (Section::Forwards, http_endpoint(Section::Forwards, bridge)),
        _ => return None,
    };
    let said = |(attribute, fault)| format!("{}: {attribute} {fault}", place(entity));
    Some(found.map(|endpoint| (section, endpoint)).map_err(said))
}

type Fault = (&'static str, InvalidName);

fn tcp_endpoint(section: Section, bridge: &TcpBridge) -> Result<NewEndpoint, Fault> {
    let TcpBridge { name, host, port, address, ssl_profile, announce, .. } = bridge;
    let plain = plain_endpoint(section, name, host.as_deref(), port, address, ssl_profile.as_deref())?;
    Ok(NewEndpoint { announce: announce.unwrap_or_default(), ..plain })
}

fn http_endpoint(section: Section, bridge: &HttpBridge) -> Result<NewEndpoint, Fault> {
    let HttpBridge { name, host, port, address, ssl_profile, announce, .. } = bridge;
    let address = address.strip_prefix(&format!("{MULTICAST_PREFIX}/")).unwrap_or(address);
    let plain = plain_endpoint(section, name, host.as_deref(), port, address, ssl_profile.as_deref())?;
    Ok(NewEndpoint {
        announce: announce.unwrap_or_default(),
        protocol: if bridge.protocol_version == Some(HttpVersion::Http2) { Protocol::Http2 } else { Protocol::Http },
        event_channel: bridge.event_channel.unwrap_or_default(),
        aggregate: match bridge.aggregation {
            Some(Aggregation::Json) => Some(Aggregate::Json),
            Some(Aggregation::Multipart) => Some(Aggregate::Multipart),
            Some(Aggregation::None) | None => None,
        },
        ..plain
    })
}

fn plain_endpoint(
    section: Section,
    name: &str,
    host: Option<&str>,
    port: &str,
    address: &str,
    profile: Option<&str>,
) -> Result<NewEndpoint, Fault> {
    let host = host.filter(|host| !host.is_empty()).map(str::parse::<Host>).transpose();
    let profile = profile.map(str::parse::<CredentialName>).transpose().map_err(|fault| ("sslProfile", fault))?;
    let (credentials, authority) = match section {
        Section::Forwards => (profile, None),
        Section::Bindings => (None, profile),
    };
    Ok(NewEndpoint {
        // One that has no other name is named after its address.
        name: (name != address).then(|| name.parse()).transpose().map_err(|fault| ("name", fault))?,
        host: host.map_err(|fault| ("host", fault))?,
        address: address.parse().map_err(|fault| ("address", fault))?,
        protocol: Protocol::Tcp,
        port: port.parse().map_err(|_| InvalidName::Port).and_then(Port::new).map_err(|fault| ("port", fault))?,
        service_port: None,
        announce: false,
        event_channel: false,
        aggregate: None,
        tls_credentials: credentials,
        tls_cert_authority: authority,
    })
}

fn write(config: &RouterConfig, name: &GatewayName, said: &[(Section, NewEndpoint)]) -> Result<String, EditFault> {
    let mut text = new_definition(name);
    if !config.listeners.is_empty() {
        text.push_str("qdr-listeners:\n");
        config.listeners.iter().for_each(|listener| text.push_str(&item(listener)));
    }
    let mut draft = Draft::new(&text)?;
    for section in [Section::Bindings, Section::Forwards] {
        let of = said.iter().filter(|(of, _)| *of == section).map(|(_, endpoint)| endpoint.clone());
        draft.put_all(section, &of.collect::<Vec<_>>())?;
    }
    Ok(draft.into_text())
}

/// A listener as an item of `qdr-listeners`.
fn item(listener: &Listener) -> String {
    let text =
        |value: &Option<String>| value.as_ref().filter(|value| !value.is_empty()).map(|value| word(value, false));
    let flag = |value: Option<bool>| value.map(|value| value.to_string());
    let number = |value: Option<u32>| value.map(|value| value.to_string());
    let role = match listener.role {
        Role::Normal => None,
        Role::Edge => Some("edge"),
        Role::InterRouter => Some("inter-router"),
        Role::RouteContainer => Some("route-container"),
    };
    let fields = [
        ("name", Some(word(&listener.name, false))),
        ("host", text(&listener.host)),
        ("port", Some(listener.port.to_string())),
        ("role", role.map(str::to_owned)),
        ("http", flag(listener.http)),
        ("cost", listener.cost.map(|cost| cost.to_string())),
        ("ssl-profile", text(&listener.ssl_profile)),
        ("sasl-mechanisms", text(&listener.sasl_mechanisms)),
        ("authenticate-peer", flag(listener.authenticate_peer)),
        ("link-capacity", number(listener.link_capacity)),
        ("http-rootdir", text(&listener.http_root_dir)),
        ("web-sockets", flag(listener.websockets)),
        ("healthz", flag(listener.healthz)),
        ("metrics", flag(listener.metrics)),
        ("max-frame-size", number(listener.max_frame_size)),
        ("max-session-frames", number(listener.max_session_frames)),
    ];
    let lines: Vec<String> =
        fields.into_iter().filter_map(|(key, value)| Some(format!("{key}: {}\n", value?))).collect();
    format!("    - {}", lines.join("      "))
}

/// What the definition means where the configuration is.
fn again(config: &RouterConfig, definition: &Definition) -> RouterConfig {
    let connector = config.connectors.iter().find(|connector| connector.name == UPLINK_NAME);
    let uplink = connector.map(|connector| Uplink { host: connector.host.clone(), port: connector.port.clone() });
    let profile = config.ssl_profiles.iter().find(|profile| profile.name == UPLINK_PROFILE);
    let suffix = format!("/{}/{UPLINK_PROFILE}/ca.crt", super::CERTIFICATES_FOLDER);
    let directory = profile.and_then(|profile| profile.ca_cert_file.as_deref()?.strip_suffix(&suffix));
    let site = config.router.site();
    let options = GatewayOptions {
        hostname: config.router.id.strip_prefix(ROUTER_ID_PREFIX).unwrap_or_default().to_owned(),
        site_id: site.id,
        version: site.version,
        platform: site.platform,
        config_dir: directory.unwrap_or_default().to_owned(),
    };
    let mut again = from_definition(definition, &uplink.unwrap_or_default(), &options);
    super::announce(&mut again, definition);
    if config.listeners.is_empty() {
        again.listeners.clear();
    }
    again
}

/// What two configurations do not have in common.
fn differences(config: &RouterConfig, again: &RouterConfig) -> Vec<String> {
    let (here, there) = (plain(config), plain(again));
    let mut found = Vec::new();
    let router = (here.router.attributes(), there.router.attributes());
    found.extend(attributes("router", &router.0, &router.1));
    let mut there = there.entities();
    for entity in &here.entities() {
        match there.iter().position(|other| other.place() == entity.place()) {
            Some(at) => {
                found.extend(attributes(&place(entity), &entity.attributes(), &there.remove(at).attributes()));
            }
            None => found.push(place(entity)),
        }
    }
    found.extend(there.iter().map(|other| format!("that there is no {}", place(other))));
    found
}

/// With the same words for the same: what routers take for granted is not said.
fn plain(config: &RouterConfig) -> RouterConfig {
    let mut plain = config.clone();
    for bridge in plain.http_connectors.iter_mut().chain(&mut plain.http_listeners) {
        bridge.protocol_version = bridge.protocol_version.or(Some(HttpVersion::Http1));
        bridge.aggregation = bridge.aggregation.filter(|aggregation| *aggregation != Aggregation::None);
        bridge.event_channel = bridge.event_channel.filter(|events| *events);
        bridge.announce = bridge.announce.filter(|announce| *announce);
    }
    for bridge in plain.tcp_connectors.iter_mut().chain(&mut plain.tcp_listeners) {
        bridge.announce = bridge.announce.filter(|announce| *announce);
    }
    plain
}

type Named = std::collections::BTreeMap<String, serde_json::Value>;

fn attributes(place: &str, here: &Named, there: &Named) -> Option<String> {
    let names = here.keys().chain(there.keys().filter(|name| !here.contains_key(*name)));
    let differing: Vec<&str> = names.filter(|name| here.get(*name) != there.get(*name)).map(String::as_str).collect();
    (!differing.is_empty()).then(|| format!("{place}: {}", differing.join(", ")))
}

fn place(entity: &Entity) -> String {
    let (kind, name) = entity.place();
    format!("{kind} {name:?}")
}
