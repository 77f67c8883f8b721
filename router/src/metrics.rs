//! The state of a router as OpenMetrics text, which Prometheus reads. Pure: a status in, text out.
//!
//! Names and labels are those of the network's own collector, as far as they mean something for one router; the rest is
//! ours. `direction` is `incoming` for what clients begin here (listeners) and `outgoing` for what servers here are asked
//! (connectors); of octets, it is `incoming` towards the server and `outgoing` towards the client.

mod services;

use std::fmt::{self, Write};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::io::{RouterStatus, UplinkState};

/// The media type of [`openmetrics`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of a router.
#[must_use]
pub fn openmetrics(status: RouterStatus) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(status)));
    let mut text = String::new();
    // A string takes all that is written to it.
    let _ = encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Scrape(RouterStatus);

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        let status = &self.0;
        page.gauges("skupper_info", "The version of the router", [([("version", Label(&status.version))], 1)])?;
        services::carried(&mut page, status)?;
        services::requests(&mut page, status)?;
        links(&mut page, status)?;
        certificates(&mut page, status)?;
        process(&mut page, status)
    }
}

fn links(page: &mut Page<'_>, status: &RouterStatus) -> fmt::Result {
    let up = status.uplinks.iter().filter(|uplink| uplink.state == UplinkState::Up).count();
    page.gauges(
        "active_links",
        "Links to other routers that are up",
        [
            ([("direction", Label("outgoing"))], up as i64),
            ([("direction", Label("incoming"))], status.edges.len() as i64),
        ],
    )?;
    let uplinks = || status.uplinks.iter().map(|uplink| (uplink, [("uplink", Label(&uplink.name))]));
    page.gauges(
        "uplink_up",
        "1 while the uplink is linked to the network",
        uplinks().map(|(uplink, labels)| (labels, i64::from(uplink.state == UplinkState::Up))),
    )?;
    page.counters("uplink_losses", "How often the uplink was lost", uplinks().map(|(u, labels)| (labels, u.losses)))?;
    page.counters(
        "uplink_reconnects",
        "How often the uplink was linked again after it was lost",
        uplinks().map(|(uplink, labels)| (labels, uplink.links.saturating_sub(1))),
    )
}

fn certificates(page: &mut Page<'_>, status: &RouterStatus) -> fmt::Result {
    let expiry = status.certificates.iter().flat_map(|certificate| {
        let of = |kind, at: Option<crate::io::Timestamp>| {
            at.map(|at| ([("profile", Label(&certificate.profile)), ("certificate", Label(kind))], at.unix()))
        };
        of("own", certificate.not_after).into_iter().chain(of("authority", certificate.ca_not_after))
    });
    page.gauges("certificate_expiry_timestamp_seconds", "When the certificate expires, in seconds since 1970", expiry)?;
    let profiles = status.certificates.iter();
    page.counters(
        "certificate_renewals",
        "How often renewed certificate files were taken into use",
        profiles.map(|certificate| ([("profile", Label(&certificate.profile))], certificate.renewals)),
    )
}

fn process(page: &mut Page<'_>, status: &RouterStatus) -> fmt::Result {
    let bytes = |bytes: Option<u64>| bytes.and_then(|bytes| i64::try_from(bytes).ok());
    page.gauge("process_resident_memory_bytes", "Memory in use, in bytes", bytes(status.memory.resident))?;
    page.gauge("process_virtual_memory_bytes", "Address space, in bytes", bytes(status.memory.address_space))?;
    let started = Some(status.started.unix());
    page.gauge("router_start_time_seconds", "When the router began, in seconds since 1970", started)?;
    let draining = Some(i64::from(status.draining));
    page.gauge("router_draining", "1 while the router lets its connections finish", draining)
}

/// A label's value: any text; the library writes it as it is.
#[derive(Debug, Clone, Copy)]
struct Label<'t>(&'t str);

impl EncodeLabelValue for Label<'_> {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => encoder.write_str(r"\\")?,
                '"' => encoder.write_str(r#"\""#)?,
                '\n' => encoder.write_str(r"\n")?,
                other => encoder.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// What is being written.
struct Page<'e>(DescriptorEncoder<'e>);

impl Page<'_> {
    /// One value without labels; none: not known.
    fn gauge(&mut self, name: &str, help: &str, value: Option<i64>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn gauges<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, i64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in values {
            metric.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// `name` without `_total`, which is appended.
    fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            metric.encode_family(&labels)?.encode_counter::<[(&str, &str); 0], u64, u64>(&value, None)?;
        }
        Ok(())
    }

    /// `buckets`: upper bound, and how many are in it.
    fn histograms<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, f64, u64, Vec<(f64, u64)>)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, sum, count, buckets) in values {
            metric.encode_family(&labels)?.encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)?;
        }
        Ok(())
    }
}
