//! An endpoint as it shall stand in a definition.

use std::collections::BTreeMap;

use crate::definition::{
    ANNOUNCE, Aggregate, CredentialName, Endpoint, EntityName, Host, Port, Protocol, Service, ServiceAddress,
};

/// A binding or a forward as it shall stand in a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEndpoint {
    /// Its name; none when the service address is name enough.
    pub name: Option<EntityName>,
    /// Binding: where the server is. Forward: the bind address, where none means every interface.
    pub host: Option<Host>,
    /// Where the service is on the network.
    pub address: ServiceAddress,
    /// What its connections speak.
    pub protocol: Protocol,
    /// The local port: the server's of a binding, the listening port of a forward. A new endpoint says it in both
    /// `service.ports` and `target_ports`, which other tools read differently.
    pub port: Port,
    /// What `service.ports` says instead, such as the port that a forward was asked for and another program has. None: as
    /// it is.
    pub service_port: Option<Port>,
    /// Sites are to be told of the service. One of which they are told stays so.
    pub announce: bool,
    /// Requests are events. HTTP only.
    pub event_channel: bool,
    /// Answers of several servers become one. HTTP only.
    pub aggregate: Option<Aggregate>,
    /// Forward: the certificate that the local port shows.
    pub tls_credentials: Option<CredentialName>,
    /// Binding: the authority that the server's certificate must come from.
    pub tls_cert_authority: Option<CredentialName>,
}

impl NewEndpoint {
    /// The name that no other endpoint of its section has.
    #[must_use]
    pub fn entity_name(&self) -> String {
        self.name.as_ref().map_or_else(|| self.address.to_string(), ToString::to_string)
    }

    /// What a definition holds when it stands there as new.
    pub(super) fn alone(&self) -> Endpoint {
        let service = Service {
            address: self.address.clone(),
            protocol: self.protocol,
            ports: vec![self.service_port.unwrap_or(self.port)],
            expose_ingress: None,
            event_channel: self.event_channel,
            aggregate: self.aggregate,
            headless: None,
            labels: BTreeMap::new(),
            annotations: self.announce.then(announcement).into_iter().collect(),
            targets: Vec::new(),
            origin: None,
            tls_credentials: self.tls_credentials.clone(),
            tls_cert_authority: self.tls_cert_authority.clone(),
            publish_not_ready_addresses: false,
            bridge_image: None,
        };
        Endpoint {
            name: self.name.clone(),
            host: self.host.clone(),
            loopback: false,
            local_port: None,
            service,
            target_ports: vec![self.port],
            port: self.port,
        }
    }

    /// What a definition holds when an endpoint of its entity name is changed into it.
    pub(super) fn over(&self, old: &Endpoint) -> Endpoint {
        let mut endpoint = old.clone();
        endpoint.host.clone_from(&self.host);
        endpoint.service.address = self.address.clone();
        endpoint.service.protocol = self.protocol;
        endpoint.service.event_channel = self.event_channel;
        endpoint.service.aggregate = self.aggregate;
        endpoint.service.tls_credentials.clone_from(&self.tls_credentials);
        endpoint.service.tls_cert_authority.clone_from(&self.tls_cert_authority);
        if old.port != self.port {
            endpoint.port = self.port;
            let written = endpoint.service.ports.first_mut().into_iter().chain(endpoint.target_ports.first_mut());
            written.for_each(|port| *port = self.port);
        }
        if let Some(asked) = self.service_port {
            endpoint.service.ports = vec![asked];
            if asked != self.port || !endpoint.target_ports.is_empty() {
                endpoint.target_ports = vec![self.port];
            }
        }
        endpoint.service.annotations.extend(self.announce.then(announcement));
        if endpoint.entity_name() != self.entity_name() {
            endpoint.name = self.name.clone().or_else(|| old.entity_name().parse().ok());
        }
        endpoint
    }
}

fn announcement() -> (String, String) {
    (ANNOUNCE.to_owned(), "true".to_owned())
}
