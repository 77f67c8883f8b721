//! What is measured: one number with its name.

use serde::Serialize;

/// A number of one case of a load.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// What it is, with its unit.
    pub(crate) name: &'static str,
    /// The step of the case that it belongs to, where a case has several.
    #[serde(skip)]
    pub(crate) step: Option<String>,
    /// How much it is.
    pub(crate) value: f64,
}

impl Figure {
    pub(crate) fn new(name: &'static str, value: f64) -> Self {
        Self { name, step: None, value }
    }

    /// The same as one of a step.
    pub(crate) fn at(self, step: &str) -> Self {
        Self { step: Some(step.to_owned()), ..self }
    }
}

/// A number with all that it belongs to: what `results.json` has.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Record {
    /// Counted from 0.
    pub(crate) repetition: u32,
    /// The load's name.
    pub(crate) load: &'static str,
    /// The case or step of the load.
    pub(crate) case: String,
    /// Who carried it.
    pub(crate) competitor: &'static str,
    /// What was measured.
    #[serde(flatten)]
    pub(crate) figure: Figure,
}

/// A case that a competitor did not get through.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Failure {
    pub(crate) repetition: u32,
    pub(crate) load: &'static str,
    pub(crate) case: String,
    pub(crate) competitor: &'static str,
    /// Why.
    pub(crate) reason: String,
}
