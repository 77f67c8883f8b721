//! The message: who it is from, and a list of services in JSON, as the service controllers of sites write and read it.

use std::collections::BTreeMap;
use std::fmt::{self, Formatter};

use moorline_amqp::Value;
use moorline_amqp::message::{self, APPLICATION_PROPERTIES, PROPERTIES, Properties, VALUE};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::service::{Service, is_name};

/// Services that one site may have.
pub(super) const MAX_SERVICES: usize = 1000;
/// Longest message, bytes.
const MAX_MESSAGE: usize = 1024 * 1024;
/// Longest name of a site, bytes.
const MAX_ORIGIN: usize = 255;

const SUBJECT: &str = "service-sync-update-v2";
/// Of sites that are older than any that is still there.
const FIRST_SUBJECT: &str = "service-sync-update";
const ORIGIN: &str = "origin";
const VERSION: &str = "version";

/// All that a site has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Update {
    pub(super) origin: String,
    pub(super) services: Vec<Service>,
}

/// Why a message says nothing to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Of the first version, whose services have another form.
    FirstForm,
    /// In words.
    Wrong(&'static str),
}

/// A service as it is written. Sites take what a controller knows besides as missing.
#[derive(Serialize)]
struct Written<'a> {
    address: &'a str,
    protocol: &'a str,
    ports: &'a [u16],
    /// Whether clients from outside the cluster are let in: each site decides for itself.
    #[serde(rename = "exposeIngress")]
    expose_ingress: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    eventchannel: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregate: Option<&'a str>,
    /// Servers are each site's own matter.
    targets: [(); 0],
}

/// A service as it is read: null is as good as missing, ports may be one (an older form), and keys of no concern here
/// are many.
#[derive(Deserialize)]
struct Read {
    address: Option<String>,
    protocol: Option<String>,
    ports: Option<Vec<i64>>,
    port: Option<i64>,
    #[serde(alias = "eventChannel")]
    eventchannel: Option<bool>,
    aggregate: Option<String>,
}

/// The message that says that `services` are all that the site has.
pub(super) fn encode(origin: &str, version: &str, services: &[Service]) -> Vec<u8> {
    let written = services.iter().map(|service| Written {
        address: &service.address,
        protocol: &service.protocol,
        ports: &service.ports,
        expose_ingress: "",
        eventchannel: service.eventchannel,
        aggregate: service.aggregate.as_deref(),
        targets: [],
    });
    let list: Vec<Written<'_>> = written.collect();
    // Structs of strings and numbers have a form in JSON.
    let body = serde_json::to_string(&list).unwrap_or_default();
    let text = |text: &str| Value::String(text.to_owned());
    let mut bytes = Vec::with_capacity(body.len() + 128);
    Properties { subject: Some(SUBJECT.to_owned()), ..Properties::default() }.encode(&mut bytes);
    // Keys and values are strings: a controller looks for no symbols.
    let said = Value::Map(vec![(text(ORIGIN), text(origin)), (text(VERSION), text(version))]);
    message::encode_section(APPLICATION_PROPERTIES as u8, &said, &mut bytes);
    message::encode_section(VALUE as u8, &Value::String(body), &mut bytes);
    bytes
}

/// What a site says. A service that no site could have (no name, no port) is left out.
pub(super) fn decode(bytes: &[u8]) -> Result<Update, Unread> {
    if bytes.len() > MAX_MESSAGE {
        return Err(Unread::Wrong("it is too long"));
    }
    let (mut subject, mut said, mut body) = (None, None, None);
    for section in message::sections(bytes) {
        match section.descriptor {
            PROPERTIES => subject = Properties::decode(section.value).ok().and_then(|properties| properties.subject),
            APPLICATION_PROPERTIES => said = Value::decode(&mut { section.value }).ok(),
            VALUE => body = Value::decode(&mut { section.value }).ok(),
            _ => {}
        }
    }
    match subject.as_deref() {
        Some(SUBJECT) => {}
        Some(FIRST_SUBJECT) => return Err(Unread::FirstForm),
        _ => return Err(Unread::Wrong("its subject is another")),
    }
    let Some(Value::Map(said)) = said else { return Err(Unread::Wrong("it names no origin")) };
    let origin = said.into_iter().find(|(key, _)| key.as_str() == Some(ORIGIN)).map(|(_, origin)| origin);
    let origin = match origin {
        Some(Value::String(origin)) if is_name(&origin, MAX_ORIGIN) => origin,
        _ => return Err(Unread::Wrong("it names no origin")),
    };
    let Some(Value::String(body)) = body else { return Err(Unread::Wrong("its body is no string")) };
    let List(services) =
        serde_json::from_str(&body).map_err(|_| Unread::Wrong("its body is no list of services, or too long a one"))?;
    Ok(Update { origin, services: services.into_values().collect() })
}

/// Services by name; of two of one name the latter counts.
struct List(BTreeMap<String, Service>);

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<List, D::Error> {
        from.deserialize_seq(ListReader)
    }
}

/// Ends where there are too many, not when all are in memory: the smallest take three bytes each.
struct ListReader;

impl<'de> Visitor<'de> for ListReader {
    type Value = List;

    fn expecting(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "at most {MAX_SERVICES} services")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List, A::Error> {
        let mut services = BTreeMap::new();
        let mut count = 0;
        while let Some(read) = list.next_element::<Read>()? {
            count += 1;
            if count > MAX_SERVICES {
                return Err(A::Error::invalid_length(count, &self));
            }
            let service = read.service();
            if service.fault().is_none() {
                services.insert(service.address.clone(), service);
            }
        }
        Ok(List(services))
    }
}

impl Read {
    fn service(self) -> Service {
        let ports = self.ports.filter(|ports| !ports.is_empty()).unwrap_or_else(|| self.port.into_iter().collect());
        Service {
            address: self.address.unwrap_or_default(),
            protocol: self.protocol.unwrap_or_default(),
            ports: ports.into_iter().filter_map(|port| u16::try_from(port).ok()).collect(),
            aggregate: self.aggregate.filter(|aggregate| !aggregate.is_empty()),
            eventchannel: self.eventchannel.unwrap_or(false),
        }
    }
}
