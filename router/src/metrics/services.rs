//! What went through services.

use std::fmt;

use super::{Label, Page};
use crate::io::{HttpBridgeStatus, LATENCY_BOUNDS, LatencyStatus, RouterStatus};

/// Labels of a service's series.
type Labels<'s> = [(&'static str, Label<'s>); 4];

/// One listener or connector, of whatever protocol.
struct Service<'s> {
    name: &'s str,
    address: &'s str,
    protocol: &'static str,
    listener: bool,
    /// TCP connections, or HTTP requests.
    flows: u64,
    open: usize,
    bytes_in: u64,
    bytes_out: u64,
    /// By cause.
    failures: Vec<(&'static str, u64)>,
    latency: &'s LatencyStatus,
}

impl<'s> Service<'s> {
    fn labels(&self) -> Labels<'s> {
        self.labels_of(self.listener)
    }

    fn labels_of(&self, incoming: bool) -> Labels<'s> {
        labels(self.name, self.address, self.protocol, incoming)
    }
}

fn labels<'s>(name: &'s str, address: &'s str, protocol: &'static str, incoming: bool) -> Labels<'s> {
    let direction = if incoming { "incoming" } else { "outgoing" };
    [
        ("address", Label(address)),
        ("protocol", Label(protocol)),
        ("direction", Label(direction)),
        ("service", Label(name)),
    ]
}

fn of_bridge(bridge: &HttpBridgeStatus, listener: bool) -> Labels<'_> {
    labels(&bridge.name, &bridge.address, bridge.version, listener)
}

fn services(status: &RouterStatus) -> Vec<Service<'_>> {
    let listeners = status.listeners.iter().map(|s| (&s.name, &s.address, true, s.open_flows, &s.counts));
    let connectors = status.connectors.iter().map(|s| (&s.name, &s.address, false, s.open_flows, &s.counts));
    let tcp = listeners.chain(connectors).map(|(name, address, listener, open, counts)| Service {
        name,
        address,
        protocol: "tcp",
        listener,
        flows: counts.connections,
        open,
        bytes_in: counts.bytes_in,
        bytes_out: counts.bytes_out,
        failures: counts.failures.iter().map(|failures| (failures.cause.name(), failures.count)).collect(),
        latency: &counts.latency,
    });
    let http = bridges(status).map(|(bridge, listener)| Service {
        name: &bridge.name,
        address: &bridge.address,
        protocol: bridge.version,
        listener,
        flows: bridge.requests,
        open: bridge.open_requests,
        bytes_in: bridge.bytes_in,
        bytes_out: bridge.bytes_out,
        failures: bridge.finished.faults.iter().map(|(cause, count)| (*cause, *count)).collect(),
        latency: &bridge.finished.latency,
    });
    tcp.chain(http).collect()
}

/// With true for listeners.
fn bridges(status: &RouterStatus) -> impl Iterator<Item = (&HttpBridgeStatus, bool)> {
    let listeners = status.http_listeners.iter().map(|bridge| (bridge, true));
    listeners.chain(status.http_connectors.iter().map(|bridge| (bridge, false)))
}

/// What is counted of connections and requests alike.
pub(super) fn carried(page: &mut Page<'_>, status: &RouterStatus) -> fmt::Result {
    let services = services(status);
    let flows = services.iter().map(|service| (service.labels(), service.flows));
    page.counters("flows", "TCP connections, and HTTP requests", flows)?;
    let open = services.iter().map(|service| (service.labels(), service.open as i64));
    page.gauges("active_flows", "TCP connections that are open, and HTTP requests that run", open)?;
    let octets = services.iter().flat_map(|service| {
        // A listener reads what its clients ask; a connector reads what its server answers.
        let (asked, answered) = match service.listener {
            true => (service.bytes_in, service.bytes_out),
            false => (service.bytes_out, service.bytes_in),
        };
        [(service.labels_of(true), asked), (service.labels_of(false), answered)]
    });
    page.counters("octets", "Octets carried, towards the server (incoming) and from it (outgoing)", octets)?;
    let failures = services.iter().flat_map(|service| {
        let [address, protocol, direction, name] = service.labels();
        let labels = move |cause| [address, protocol, direction, name, ("cause", Label(cause))];
        service.failures.iter().map(move |(cause, count)| (labels(cause), *count))
    });
    page.counters("connection_errors", "Connections and requests that failed, by cause", failures)?;
    let latencies = services.iter().map(|service| {
        let latency = service.latency;
        let bounds = LATENCY_BOUNDS.iter().map(|bound| *bound as f64).chain([f64::MAX]);
        let buckets = bounds.zip(latency.buckets).collect();
        (service.labels(), latency.sum_micros as f64, latency.count, buckets)
    });
    page.histograms(
        "flow_latency_microseconds",
        "From the first byte towards the server to the first from it",
        latencies,
    )
}

/// What is counted of HTTP requests alone.
pub(super) fn requests(page: &mut Page<'_>, status: &RouterStatus) -> fmt::Result {
    let methods = bridges(status).flat_map(|(bridge, listener)| {
        let [address, protocol, direction, name] = of_bridge(bridge, listener);
        let with = move |method| [address, protocol, direction, name, ("method", Label(method))];
        bridge.finished.methods.iter().map(move |(method, count)| (with(*method), *count))
    });
    page.counters("http_requests_method", "HTTP requests that are over, by method", methods)?;
    let codes: Vec<((&HttpBridgeStatus, bool), String, u64)> = bridges(status)
        .flat_map(|row| row.0.finished.results.iter().map(move |(code, count)| (row, code.to_string(), *count)))
        .collect();
    let results = codes.iter().map(|((bridge, listener), code, count)| {
        let [address, protocol, direction, name] = of_bridge(bridge, *listener);
        ([address, protocol, direction, name, ("code", Label(code))], *count)
    });
    page.counters("http_requests_result", "HTTP requests that are over, by status code of the answer", results)
}
