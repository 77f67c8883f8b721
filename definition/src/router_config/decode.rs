//! From attributes to entities, one function for each kind.

use super::attributes::Attributes;
use super::entities::{
    AddressEntity, Aggregation, Connector, Encapsulation, HttpBridge, HttpVersion, Listener, LogEntity, ProxyProfile,
    Role, RouterEntity, RouterMode, SslProfile, TcpBridge,
};

pub(super) fn router(mut a: Attributes<'_>) -> RouterEntity {
    let modes = [("edge", RouterMode::Edge), ("interior", RouterMode::Interior)];
    let id = a.required("id");
    let mode = match a.word("mode", "edge or interior", &modes) {
        Some(mode) => mode,
        // The router's own default, standalone, joins no network: a gateway must say what it is.
        None => {
            a.require_present("mode");
            RouterMode::Edge
        }
    };
    RouterEntity {
        id,
        mode,
        metadata: a.string("metadata"),
        hello_max_age_seconds: a.string("helloMaxAgeSeconds"),
        extra: a.extra(),
    }
}

pub(super) fn ssl_profile(mut a: Attributes<'_>) -> SslProfile {
    SslProfile {
        name: a.required("name"),
        ca_cert_file: a.string("caCertFile"),
        cert_file: a.string("certFile"),
        private_key_file: a.string("privateKeyFile"),
        extra: a.extra(),
    }
}

pub(super) fn proxy_profile(mut a: Attributes<'_>) -> ProxyProfile {
    ProxyProfile {
        name: a.required("name"),
        host: a.required("host"),
        port: a.port_text(1),
        username: a.string("username"),
        password: a.string("password"),
        extra: a.extra(),
    }
}

fn role(a: &mut Attributes<'_>) -> Role {
    let roles = [
        ("edge", Role::Edge),
        ("inter-router", Role::InterRouter),
        ("normal", Role::Normal),
        ("route-container", Role::RouteContainer),
    ];
    a.word("role", "edge, inter-router, normal or route-container", &roles).unwrap_or_default()
}

pub(super) fn connector(mut a: Attributes<'_>) -> Connector {
    Connector {
        role: role(&mut a),
        host: a.string("host").unwrap_or_else(|| "127.0.0.1".to_owned()),
        port: a.port_text(1),
        name: a.required("name"),
        cost: a.integer("cost"),
        ssl_profile: a.string("sslProfile"),
        proxy_profile: a.string("proxyProfile"),
        max_frame_size: a.unsigned("maxFrameSize"),
        max_session_frames: a.unsigned("maxSessionFrames"),
        idle_timeout_seconds: a.unsigned("idleTimeoutSeconds"),
        verify_hostname: a.boolean("verifyHostname"),
        extra: a.extra(),
    }
}

pub(super) fn listener(mut a: Attributes<'_>) -> Listener {
    let host = a.string("host");
    let port = a.listening_port();
    let (role, route_container) = (role(&mut a), a.boolean("routeContainer"));
    Listener {
        name: name_or_place(&mut a, host.as_deref(), &port.to_string()),
        role: role.or_route_container(route_container),
        host,
        port,
        ssl_profile: a.string("sslProfile"),
        sasl_mechanisms: a.string("saslMechanisms"),
        authenticate_peer: a.boolean("authenticatePeer"),
        http: a.boolean("http"),
        http_root_dir: a.string("httpRootDir"),
        websockets: a.boolean("websockets"),
        healthz: a.boolean("healthz"),
        metrics: a.boolean("metrics"),
        cost: a.integer("cost"),
        link_capacity: a.unsigned("linkCapacity"),
        max_frame_size: a.unsigned("maxFrameSize"),
        max_session_frames: a.unsigned("maxSessionFrames"),
        idle_timeout_seconds: a.unsigned("idleTimeoutSeconds"),
        extra: a.extra(),
    }
}

pub(super) fn address(mut a: Attributes<'_>) -> AddressEntity {
    let plain = |words: String| words.trim_matches('/').to_owned();
    let pattern = a.string("pattern").filter(|pattern| !pattern.is_empty()).map(plain);
    let prefix = match &pattern {
        Some(_) => a.none("prefix", "no prefix beside a pattern"),
        None => plain(a.required("prefix")),
    };
    let words = ["multicast", "closest", "balanced", "unavailable"].map(|word| (word, word));
    let distribution = a.word("distribution", "multicast, closest, balanced or unavailable", &words);
    AddressEntity {
        name: a.string("name").filter(|name| !name.is_empty()),
        prefix,
        pattern,
        // The router's own default.
        distribution: distribution.unwrap_or("balanced").to_owned(),
        extra: a.extra(),
    }
}

pub(super) fn tcp_bridge(lowest_port: u16, mut a: Attributes<'_>) -> TcpBridge {
    let encapsulations = [("legacy", Encapsulation::Legacy), ("lite", Encapsulation::Lite)];
    let host = a.string("host");
    let port = a.port_text(lowest_port);
    TcpBridge {
        name: name_or_place(&mut a, host.as_deref(), &port),
        host,
        port,
        address: a.required("address"),
        site_id: a.string("siteId"),
        ssl_profile: a.string("sslProfile"),
        verify_hostname: a.boolean("verifyHostname"),
        authenticate_peer: a.boolean("authenticatePeer"),
        encapsulation: a.word("encapsulation", "legacy or lite", &encapsulations),
        announce: a.boolean("announce"),
        extra: a.extra(),
    }
}

pub(super) fn http_bridge(lowest_port: u16, mut a: Attributes<'_>) -> HttpBridge {
    let versions = [
        ("HTTP1", HttpVersion::Http1),
        ("HTTP/1.x", HttpVersion::Http1),
        ("HTTP2", HttpVersion::Http2),
        ("HTTP/2.0", HttpVersion::Http2),
    ];
    let aggregations =
        [("none", Aggregation::None), ("json", Aggregation::Json), ("multipart", Aggregation::Multipart)];
    let host = a.string("host");
    let port = a.port_text(lowest_port);
    HttpBridge {
        name: name_or_place(&mut a, host.as_deref(), &port),
        host,
        port,
        address: a.required("address"),
        site_id: a.string("siteId"),
        ssl_profile: a.string("sslProfile"),
        verify_hostname: a.boolean("verifyHostname"),
        authenticate_peer: a.boolean("authenticatePeer"),
        protocol_version: a.word("protocolVersion", "HTTP1 or HTTP2", &versions),
        aggregation: a.word("aggregation", "none, json or multipart", &aggregations),
        event_channel: a.boolean("eventChannel"),
        host_override: a.string("hostOverride"),
        announce: a.boolean("announce"),
        extra: a.extra(),
    }
}

pub(super) fn log(mut a: Attributes<'_>) -> LogEntity {
    LogEntity { module: a.required("module"), enable: a.string("enable").unwrap_or_default(), extra: a.extra() }
}

/// The name that Skupper gives to what has none.
fn name_or_place(a: &mut Attributes<'_>, host: Option<&str>, port: &str) -> String {
    a.string("name").filter(|name| !name.is_empty()).unwrap_or_else(|| format!("{}@{port}", host.unwrap_or_default()))
}
