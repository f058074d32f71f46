//! All that is kept of predictions and labels: mergeable, and the same in any order.

use std::collections::BTreeMap;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use super::options::QualityOptions;
use super::tally::Tally;
use super::task::{Actual, Predicted};
use super::value::{Label, Prediction};
use crate::error::{Error, Result};

/// The segment of all that found no room of their own.
pub const OTHER: &str = "_other";
/// The version of the state's form.
const VERSION: u32 = 1;

/// To whom a prediction belongs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group<'a> {
    /// The segment that is reported on its own, besides the whole.
    pub segment: Option<&'a str>,
    /// The unit that shares its fate, say a day or a user: intervals then go by units.
    pub unit: Option<u64>,
}

impl<'a> Group<'a> {
    /// Sets the segment.
    #[must_use]
    pub fn with_segment(mut self, segment: &'a str) -> Self {
        self.segment = Some(segment);
        self
    }

    /// Sets the unit. Text becomes a number by whatever hash the host likes.
    #[must_use]
    pub fn with_unit(mut self, unit: u64) -> Self {
        self.unit = Some(unit);
        self
    }
}

/// Counts and exact sums of predictions and labels, whole and by segment.
///
/// Any split and any order of additions and merges gives the same state, bit by bit, and with it the
/// same report (logarithms are the platform's: another one may round some term of a loss or an entropy
/// differently). Serialises by serde and holds no value of a request: counts, sums, and the
/// probabilities that were predicted.
///
/// ```
/// use mlops_drift::quality::{Group, Label, Metric, Prediction, QualityOptions, QualityState, Task};
///
/// let mut state = QualityState::new(QualityOptions::new(Task::binary()))?;
/// for (probability, truth) in [(0.9, true), (0.8, false), (0.2, false), (0.3, false)] {
///     state.add(&Group::default(), Prediction::Probability(probability), Label::Positive(truth));
/// }
/// let report = state.report();
/// assert_eq!(report.total.value(Metric::Accuracy), Some(0.75));
/// assert_eq!(report.total.value(Metric::Auc), Some(1.0));
/// # Ok::<(), mlops_drift::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct QualityState(pub(super) Parts);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Parts {
    version: u32,
    pub(super) options: QualityOptions,
    pub(super) unusable_predictions: u64,
    pub(super) unusable_labels: u64,
    pub(super) total: Tally,
    pub(super) segments: BTreeMap<String, Tally>,
    pub(super) other: Option<Box<Tally>>,
}

impl QualityState {
    /// A state that holds nothing yet.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for options out of range.
    pub fn new(options: QualityOptions) -> Result<Self> {
        options.check()?;
        Ok(Self::empty(options))
    }

    fn empty(options: QualityOptions) -> Self {
        Self(Parts {
            version: VERSION,
            total: Tally::new(&options),
            options,
            unusable_predictions: 0,
            unusable_labels: 0,
            segments: BTreeMap::new(),
            other: None,
        })
    }

    /// What is kept, and how much of it.
    #[must_use]
    pub fn options(&self) -> &QualityOptions {
        &self.0.options
    }

    /// A state of the same options that holds nothing.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self::empty(self.0.options.clone())
    }

    /// Adds a prediction and its label, as of data whose labels are known.
    pub fn add(&mut self, group: &Group<'_>, prediction: Prediction<'_>, label: Label<'_>) {
        let task = &self.0.options.task;
        match (task.read(prediction), task.read_label(label)) {
            (Ok(predicted), Ok(actual)) => {
                self.predict(group, &predicted);
                self.resolve(group, &predicted, actual);
            }
            (Ok(predicted), Err(_)) => {
                self.predict(group, &predicted);
                self.0.unusable_labels += 1;
            }
            (Err(_), read) => {
                self.0.unusable_predictions += 1;
                self.0.unusable_labels += u64::from(read.is_err());
            }
        }
    }

    /// Adds a prediction without a label: outputs and uncertainty.
    pub fn add_prediction(&mut self, group: &Group<'_>, prediction: Prediction<'_>) {
        match self.0.options.task.read(prediction) {
            Ok(predicted) => self.predict(group, &predicted),
            Err(_) => self.0.unusable_predictions += 1,
        }
    }

    pub(super) fn predict(&mut self, group: &Group<'_>, predicted: &Predicted) {
        self.0.each(group.segment, |tally, options| tally.predict(&options.task, predicted));
    }

    pub(super) fn resolve(&mut self, group: &Group<'_>, predicted: &Predicted, actual: Actual) {
        self.0.each(group.segment, |tally, options| {
            tally.resolve(options, group.unit, predicted, actual);
        });
    }

    pub(super) fn refuse(&mut self, predictions: u64, labels: u64) {
        self.0.unusable_predictions += predictions;
        self.0.unusable_labels += labels;
    }

    /// Adds all that another state of the same options holds.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when the options differ; nothing is then added.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        let (own, other) = (&mut self.0, &other.0);
        if own.options != other.options {
            return Err(Error::invalid("states of quality with different options can't be merged"));
        }
        own.unusable_predictions += other.unusable_predictions;
        own.unusable_labels += other.unusable_labels;
        own.total.merge(&other.total, &own.options);
        for (name, tally) in &other.segments {
            let options = &own.options;
            place(&mut own.segments, &mut own.other, options, name).merge(tally, options);
        }
        if let Some(rest) = &other.other {
            let options = &own.options;
            own.other.get_or_insert_with(|| Box::new(Tally::new(options))).merge(rest, options);
        }
        Ok(())
    }
}

impl Parts {
    fn each(&mut self, segment: Option<&str>, add: impl Fn(&mut Tally, &QualityOptions)) {
        add(&mut self.total, &self.options);
        if let Some(name) = segment {
            add(place(&mut self.segments, &mut self.other, &self.options, name), &self.options);
        }
    }

    fn is_sound(&self) -> bool {
        let tallies = self.segments.values().chain(self.other.as_deref()).chain([&self.total]);
        self.version == VERSION
            && self.options.check().is_ok()
            && self.segments.len() <= self.options.max_segments
            && tallies.into_iter().all(|tally| tally.is_sound(&self.options))
    }
}

/// Where a segment is counted. The first names in their order have a place of their own; the last of
/// them gives it up when an earlier one comes, and has then lost no row: one that is among the first
/// in the end always was.
fn place<'a>(
    segments: &'a mut BTreeMap<String, Tally>,
    other: &'a mut Option<Box<Tally>>,
    options: &QualityOptions,
    name: &str,
) -> &'a mut Tally {
    let is_earlier = || segments.last_key_value().is_some_and(|(last, _)| name < last.as_str());
    let known = segments.contains_key(name);
    let room = segments.len() < options.max_segments;
    if name == OTHER || !(known || room || is_earlier()) {
        return other.get_or_insert_with(|| Box::new(Tally::new(options)));
    }
    if !known
        && !room
        && let Some((_, tally)) = segments.pop_last()
    {
        other.get_or_insert_with(|| Box::new(Tally::new(options))).merge(&tally, options);
    }
    segments.entry(name.to_owned()).or_insert_with(|| Tally::new(options))
}

impl<'de> Deserialize<'de> for QualityState {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let parts = Parts::deserialize(from)?;
        if !parts.is_sound() {
            return Err(D::Error::custom("this is no state of quality of version 1"));
        }
        Ok(Self(parts))
    }
}
