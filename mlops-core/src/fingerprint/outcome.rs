//! After the run: the key of its result, and the verdict on a repetition.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::canonical::{Label, digest, write_object, write_text, write_value};
use super::diff::diff;
use super::key::{KeyDigest, RunKey};
use super::record::Fingerprint;
use super::section::Section;
use super::value::Value;
use crate::error::{Error, Result};

/// Digest of what a run gave: `{"run_key": <hex>, "outputs": {name: id}, "metrics": typed map}`.
#[must_use]
pub fn result_key(
    run_key: &RunKey,
    outputs: &BTreeMap<String, String>,
    metrics: &BTreeMap<String, f64>,
) -> KeyDigest {
    let write_outputs = |out: &mut Vec<u8>| {
        let entries = outputs.iter().map(|(name, id)| (name.as_str(), id.as_str()));
        write_object(out, entries, write_text);
    };
    let parts = [("run_key", 0), ("outputs", 1), ("metrics", 2)];
    let mut out = Vec::new();
    write_object(&mut out, parts, |out, part| match part {
        0 => write_text(out, &run_key.digest().to_hex()),
        1 => write_outputs(out),
        _ => write_value(out, &Value::from(metrics.clone())),
    });
    digest(Label::Result, &out)
}

/// A run and what it gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What the run was made of.
    pub fingerprint: Fingerprint,
    /// The identity of each output, by name.
    pub outputs: BTreeMap<String, String>,
    /// The final value of each metric; on the wire as typed floats, which keep NaN and infinity.
    #[serde(with = "typed_floats")]
    pub metrics: BTreeMap<String, f64>,
}

/// Floats on the wire as typed values: plain JSON has neither NaN nor infinity.
mod typed_floats {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Value;

    pub(super) fn serialize<S: Serializer>(
        floats: &BTreeMap<String, f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let typed: BTreeMap<&String, Value> =
            floats.iter().map(|(name, value)| (name, Value::Float(*value))).collect();
        typed.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, f64>, D::Error> {
        let typed = BTreeMap::<String, Value>::deserialize(deserializer)?;
        let float = |(name, value)| match value {
            Value::Float(float) => Ok((name, float)),
            other => Err(serde::de::Error::custom(format!("not a float: {name}={other}"))),
        };
        typed.into_iter().map(float).collect()
    }
}

impl Outcome {
    /// [`result_key`] with the declared key of the run.
    #[must_use]
    pub fn result_key(&self) -> KeyDigest {
        result_key(&self.fingerprint.declared_key(), &self.outputs, &self.metrics)
    }
}

/// How far two values of a metric may lie apart: by `absolute`, or by `relative` times the larger
/// magnitude, whichever is more.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawTolerance")]
pub struct Tolerance {
    absolute: f64,
    relative: f64,
}

#[derive(Deserialize)]
struct RawTolerance {
    #[serde(default)]
    absolute: f64,
    #[serde(default)]
    relative: f64,
}

impl TryFrom<RawTolerance> for Tolerance {
    type Error = Error;

    fn try_from(raw: RawTolerance) -> Result<Self> {
        Self::new(raw.absolute, raw.relative)
    }
}

impl Tolerance {
    /// A tolerance of both kinds.
    ///
    /// # Errors
    /// `InvalidInput` unless both are finite and at least zero.
    pub fn new(absolute: f64, relative: f64) -> Result<Self> {
        let valid = |bound: f64| bound.is_finite() && bound >= 0.0;
        if !valid(absolute) || !valid(relative) {
            let text = format!("not a tolerance: absolute={absolute} relative={relative}");
            return Err(Error::invalid(text));
        }
        Ok(Self { absolute, relative })
    }

    /// Whether `a` and `b` lie within this tolerance. Never true for NaN; infinities only equal
    /// themselves.
    #[must_use]
    pub fn holds(&self, a: f64, b: f64) -> bool {
        if a == b {
            return true;
        }
        let bound = self.absolute.max(self.relative * a.abs().max(b.abs()));
        (a - b).is_finite() && (a - b).abs() <= bound
    }
}

/// What a repetition of a run shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Same declared key, and the same outputs, of which there is at least one.
    BitwiseReproduced,
    /// Every metric that has a tolerance lies within it, and there is at least one.
    StatisticallyReproduced {
        /// The sections that differ all the same.
        sections: Vec<Section>,
    },
    /// Neither.
    Differs {
        /// The sections that differ; empty when the same run gave something else.
        sections: Vec<Section>,
        /// The outputs that differ or that one run lacks.
        outputs: Vec<String>,
        /// The metrics with a tolerance that lie outside it or that one run lacks.
        metrics: Vec<String>,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BitwiseReproduced => f.write_str("bitwise reproduced"),
            Self::StatisticallyReproduced { sections } => {
                f.write_str("statistically reproduced")?;
                write_names(f, "sections", sections)
            }
            Self::Differs { sections, outputs, metrics } => {
                f.write_str("differs")?;
                write_names(f, "sections", sections)?;
                write_names(f, "outputs", outputs)?;
                write_names(f, "metrics", metrics)
            }
        }
    }
}

fn write_names<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    names: &[T],
) -> fmt::Result {
    for (index, name) in names.iter().enumerate() {
        let lead = if index == 0 { format!("; {what}: ") } else { ", ".to_owned() };
        write!(f, "{lead}{name}")?;
    }
    Ok(())
}

/// Judges whether `second` reproduces `first`. Only metrics named in `tolerances` are judged.
///
/// A comparison without outputs can't be bitwise reproduced, and one without tolerances can't be
/// statistically reproduced: no evidence is not success.
#[must_use]
pub fn compare(
    first: &Outcome,
    second: &Outcome,
    tolerances: &BTreeMap<String, Tolerance>,
) -> Verdict {
    let same_run = first.fingerprint.declared_key() == second.fingerprint.declared_key();
    let outputs = differing_outputs(first, second);
    if same_run && outputs.is_empty() && !first.outputs.is_empty() {
        return Verdict::BitwiseReproduced;
    }
    let sections = diff(&first.fingerprint, &second.fingerprint).section_names();
    let metrics = outside_tolerance(first, second, tolerances);
    if metrics.is_empty() && !tolerances.is_empty() {
        return Verdict::StatisticallyReproduced { sections };
    }
    Verdict::Differs { sections, outputs, metrics }
}

fn differing_outputs(first: &Outcome, second: &Outcome) -> Vec<String> {
    let mut names: Vec<&String> = first.outputs.keys().chain(second.outputs.keys()).collect();
    names.sort();
    names.dedup();
    names.retain(|name| first.outputs.get(*name) != second.outputs.get(*name));
    names.into_iter().cloned().collect()
}

fn outside_tolerance(
    first: &Outcome,
    second: &Outcome,
    tolerances: &BTreeMap<String, Tolerance>,
) -> Vec<String> {
    let outside = |name: &str, tolerance: &Tolerance| match (
        first.metrics.get(name),
        second.metrics.get(name),
    ) {
        (Some(a), Some(b)) => !tolerance.holds(*a, *b),
        _ => true,
    };
    let names = tolerances.iter().filter(|(name, tolerance)| outside(name, tolerance));
    names.map(|(name, _)| name.clone()).collect()
}
