//! Latencies as they were, tails included.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::figure::Figure;

/// A minute in nanoseconds: what took longer is counted as this.
const LONGEST: u64 = 60_000_000_000;

/// How long something took, over and over.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST, 3).expect("bounds of a histogram"))
    }

    pub(crate) fn record(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("histograms of one kind");
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// Microseconds that the share `quantile` of all did not exceed.
    pub(crate) fn micros(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e3
    }

    /// p50, p99 and p99.9; nothing if nothing was recorded.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        if self.0.is_empty() {
            return Vec::new();
        }
        [("p50, µs", 0.5), ("p99, µs", 0.99), ("p99.9, µs", 0.999)]
            .map(|(name, quantile)| Figure::new(name, self.micros(quantile)))
            .to_vec()
    }
}
