//! Metrics of all gateways on one page: those of their routers, each with the gateway's name, and the agent's own.

use std::fmt::{self, Write};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

const END: &str = "# EOF";

/// What the agent itself knows of a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OfGateway {
    pub(super) name: String,
    pub(super) running: bool,
    pub(super) linked: bool,
    pub(super) problem: bool,
    pub(super) applied: u64,
    pub(super) failures: u64,
    /// In seconds since 1970.
    pub(super) certificate_end: Option<i64>,
}

/// The agent's own metrics: OpenMetrics.
pub(super) fn own(gateways: Vec<OfGateway>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(gateways)));
    let mut text = String::new();
    // A string takes all that is written to it.
    let _ = encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Scrape(Vec<OfGateway>);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let number = ConstGauge::new(i64::try_from(self.0.len()).unwrap_or(i64::MAX));
        let described =
            encoder.encode_descriptor("agent_gateways", "Gateways of this user", None, MetricType::Gauge)?;
        number.encode(described)?;
        let yes = |yes: bool| Some(i64::from(yes));
        self.gauges(&mut encoder, "agent_gateway_running", "1 while the router runs", |of| yes(of.running))?;
        self.gauges(&mut encoder, "agent_gateway_linked", "1 while it is linked to the network", |of| yes(of.linked))?;
        let problem = "1 while the gateway is not as its definition says";
        self.gauges(&mut encoder, "agent_gateway_problem", problem, |of| yes(of.problem))?;
        self.counters(&mut encoder, "agent_applied", "How often the gateway was changed", |of| of.applied)?;
        self.counters(&mut encoder, "agent_failures", "How often that failed", |of| of.failures)?;
        let expiry = "When the first of its certificates expires, in seconds since 1970";
        self.gauges(&mut encoder, "agent_certificate_expiry_timestamp_seconds", expiry, |of| of.certificate_end)
    }
}

impl Scrape {
    fn gauges(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        value: impl Fn(&OfGateway) -> Option<i64>,
    ) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for of in &self.0 {
            if let Some(value) = value(of) {
                ConstGauge::new(value).encode(metric.encode_family(&[("gateway", of.name.as_str())])?)?;
            }
        }
        Ok(())
    }

    fn counters(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        value: impl Fn(&OfGateway) -> u64,
    ) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for of in &self.0 {
            ConstCounter::new(value(of)).encode(metric.encode_family(&[("gateway", of.name.as_str())])?)?;
        }
        Ok(())
    }
}

/// One page out of the agent's and those of routers: each family once, as the format wants it, and the samples of each
/// router with the label `gateway`.
pub(super) fn merge(own: &str, routers: &[(String, String)]) -> String {
    let mut families: Vec<Family> = Vec::new();
    collect(&mut families, own, None);
    for (gateway, page) in routers {
        collect(&mut families, page, Some(gateway));
    }
    let mut text = String::new();
    for family in &families {
        family.head.iter().chain(&family.samples).for_each(|line| {
            let _ = writeln!(text, "{line}");
        });
    }
    text + END + "\n"
}

/// A metric: what it is, and its samples.
struct Family {
    name: String,
    head: Vec<String>,
    samples: Vec<String>,
}

fn collect(families: &mut Vec<Family>, page: &str, gateway: Option<&str>) {
    let mut current: Option<(usize, bool)> = None;
    for line in page.lines().take_while(|line| *line != END) {
        let Some(described) = line.strip_prefix("# ") else {
            let Some((index, _)) = current else { continue };
            families[index].samples.push(gateway.map_or_else(|| line.to_owned(), |gateway| labelled(line, gateway)));
            continue;
        };
        let Some(name) = described.split(' ').nth(1) else { continue };
        let known = families.iter().position(|family| family.name == name);
        // The lines of a family follow each other, and the first page that has it describes it.
        let fresh = match (known, current) {
            (None, _) => true,
            (Some(index), Some((at, fresh))) if at == index => fresh,
            (Some(_), _) => false,
        };
        let index = known.unwrap_or_else(|| {
            families.push(Family { name: name.to_owned(), head: Vec::new(), samples: Vec::new() });
            families.len() - 1
        });
        if fresh {
            families[index].head.push(line.to_owned());
        }
        current = Some((index, fresh));
    }
}

/// A sample with one label more.
fn labelled(sample: &str, gateway: &str) -> String {
    // A unit's name has nothing that must be escaped.
    match sample.find(['{', ' ']) {
        Some(at) if sample[at..].starts_with("{}") => {
            format!("{}{{gateway=\"{gateway}\"}}{}", &sample[..at], &sample[at + 2..])
        }
        Some(at) if sample[at..].starts_with('{') => {
            format!("{}{{gateway=\"{gateway}\",{}", &sample[..at], &sample[at + 1..])
        }
        Some(at) => format!("{}{{gateway=\"{gateway}\"}}{}", &sample[..at], &sample[at..]),
        None => sample.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "# HELP flows Flows.\n# TYPE flows counter\nflows_total{address=\"a b\"} 1\nflows_total{address=\"{\"} 2\n\
                     # HELP up Up.\n# TYPE up gauge\nup 1\n# EOF\n";
    const B: &str = "# HELP up Up.\n# TYPE up gauge\nup 0\n# HELP flows Flows.\n# TYPE flows counter\nflows_total{address=\"c\"} 3\n\
                     # EOF\nafter the end\n";

    #[test]
    fn each_family_comes_once_with_the_samples_of_all() {
        let own = own(vec![OfGateway { name: "a".to_owned(), running: true, applied: 2, ..OfGateway::default() }]);
        let page = merge(&own, &[("a".to_owned(), A.to_owned()), ("b".to_owned(), B.to_owned())]);
        let expected = "# HELP flows Flows.\n# TYPE flows counter\nflows_total{gateway=\"a\",address=\"a b\"} 1\n\
                        flows_total{gateway=\"a\",address=\"{\"} 2\nflows_total{gateway=\"b\",address=\"c\"} 3\n\
                        # HELP up Up.\n# TYPE up gauge\nup{gateway=\"a\"} 1\nup{gateway=\"b\"} 0\n# EOF\n";
        assert!(page.ends_with(expected), "{page}");
        for line in [
            "agent_gateways 1",
            "agent_gateway_running{gateway=\"a\"} 1",
            "agent_gateway_linked{gateway=\"a\"} 0",
            "agent_applied_total{gateway=\"a\"} 2",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        assert!(!page.contains("expiry_timestamp_seconds{"), "that of a is not known:\n{page}");
        assert_eq!(page.matches("# EOF").count(), 1);
    }
}
