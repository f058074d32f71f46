//! What is kept of one group of predictions and labels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use super::classes::Classes;
use super::options::QualityOptions;
use super::scored::Scored;
use super::scores::Scores;
use super::sum::{ExactSum, Fixed, Mean, Total};
use super::task::{Actual, Predicted, Task};
use super::unit::Unit;

/// All counts of a state that was read add up to no more than this, so that no sum of them overflows.
const MOST: u64 = 1 << 56;

/// Sums of numbers, for tasks that ask for one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Numbers {
    /// The predictions, labelled or not.
    pub(crate) outputs: Mean<ExactSum>,
    /// Prediction less label.
    pub(crate) bias: Mean<ExactSum>,
    pub(crate) absolute: Mean<ExactSum>,
    pub(crate) squared: Mean<ExactSum>,
}

/// What is kept of one group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Usable predictions, labelled or not.
    pub(crate) predictions: u64,
    /// Predictions a class.
    pub(crate) decided: Vec<u64>,
    pub(crate) probability: Mean<Fixed>,
    pub(crate) entropy: Mean<Fixed>,
    pub(crate) margin: Mean<Fixed>,
    pub(crate) max_probability: Mean<Fixed>,
    /// Predictions with their label.
    pub(crate) labelled: u64,
    pub(crate) unknown_labels: u64,
    /// True classes that were given less than the least probability, and of these nothing at all.
    pub(crate) clipped: u64,
    pub(crate) infinite: u64,
    pub(crate) classes: Classes,
    pub(crate) brier: Mean<Fixed>,
    pub(crate) log_loss: Mean<Fixed>,
    pub(crate) calibration: Calibration,
    pub(crate) scores: Scores,
    pub(crate) numbers: Option<Numbers>,
    pub(crate) units: BTreeMap<u32, Unit>,
}

impl Tally {
    pub(crate) fn new(options: &QualityOptions) -> Self {
        let classes = options.task.class_count();
        Self {
            decided: vec![0; classes],
            classes: Classes::new(classes),
            calibration: Calibration::new(options.calibration_bins),
            numbers: matches!(options.task, Task::Number).then(Numbers::default),
            ..Self::default()
        }
    }

    /// Adds a prediction, of which no label is known yet.
    pub(super) fn predict(&mut self, task: &Task, predicted: &Predicted) {
        self.predictions += 1;
        if let Some(count) = task.decide(predicted).and_then(|class| self.decided.get_mut(class)) {
            *count += 1;
        }
        if let Some(uncertainty) = predicted.uncertainty() {
            self.entropy.add(uncertainty.entropy);
            self.margin.add(uncertainty.margin);
            self.max_probability.add(uncertainty.max_probability);
        }
        match (predicted, &mut self.numbers) {
            (Predicted::Probability(p), _) => self.probability.add(*p),
            (Predicted::Number(value), Some(numbers)) => numbers.outputs.add(*value),
            _ => {}
        }
    }

    /// Adds a prediction with its label.
    pub(super) fn resolve(
        &mut self,
        options: &QualityOptions,
        unit: Option<u64>,
        predicted: &Predicted,
        actual: Actual,
    ) {
        self.labelled += 1;
        let mut share = unit.map(|unit| {
            let place = unit % u64::from(options.max_units);
            self.units.entry(place as u32).or_default()
        });
        if let Some(unit) = &mut share {
            unit.count += 1;
        }
        match (actual, predicted) {
            (Actual::Class(actual), predicted) => {
                let actual = actual as usize;
                let known = options.task.class_count();
                self.unknown_labels += u64::from(actual >= known);
                let Some(class) = options.task.decide(predicted) else { return };
                self.classes.add(class, actual);
                if let Some(unit) = &mut share {
                    unit.hits += u64::from(class == actual);
                    let counts = [class == 1 && actual == 1, class == 1, actual == 1];
                    unit.positive.iter_mut().zip(counts).for_each(|(n, is)| *n += u64::from(is));
                }
                let Some(scored) = Scored::of(predicted, actual, options.min_probability) else {
                    return;
                };
                self.clipped += u64::from(scored.clipped);
                self.infinite += u64::from(scored.log_loss.is_infinite());
                self.brier.add(scored.brier);
                if scored.log_loss.is_finite() {
                    self.log_loss.add(scored.log_loss);
                }
                self.calibration.add(scored.probability, scored.hit);
                if let Predicted::Probability(p) = predicted {
                    self.scores.add(*p, actual == 1, options.max_scores);
                }
                if let Some(unit) = share {
                    unit.scored += 1;
                    unit.brier.add(scored.brier);
                    if scored.log_loss.is_finite() {
                        unit.log_loss.add(scored.log_loss);
                    }
                }
            }
            (Actual::Number(actual), Predicted::Number(predicted)) => {
                let error = predicted - actual;
                if let Some(numbers) = &mut self.numbers {
                    numbers.bias.add(error);
                    numbers.absolute.add(error.abs());
                    numbers.squared.add(error * error);
                }
                if let Some(unit) = share {
                    let [absolute, squared] = unit.errors.get_or_insert_default();
                    absolute.add(error.abs());
                    squared.add(error * error);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn merge(&mut self, other: &Self, options: &QualityOptions) {
        self.predictions += other.predictions;
        self.decided.iter_mut().zip(&other.decided).for_each(|(own, count)| *own += count);
        self.probability.merge(&other.probability);
        self.entropy.merge(&other.entropy);
        self.margin.merge(&other.margin);
        self.max_probability.merge(&other.max_probability);
        self.labelled += other.labelled;
        self.unknown_labels += other.unknown_labels;
        self.clipped += other.clipped;
        self.infinite += other.infinite;
        self.classes.merge(&other.classes);
        self.brier.merge(&other.brier);
        self.log_loss.merge(&other.log_loss);
        self.calibration.merge(&other.calibration);
        self.scores.merge(&other.scores, options.max_scores);
        if let (Some(own), Some(other)) = (&mut self.numbers, &other.numbers) {
            own.outputs.merge(&other.outputs);
            own.bias.merge(&other.bias);
            own.absolute.merge(&other.absolute);
            own.squared.merge(&other.squared);
        }
        for (&place, unit) in &other.units {
            self.units.entry(place).or_default().merge(unit);
        }
    }

    /// Whether what was read can be one of ours: nothing is out of place, nothing too large.
    pub(crate) fn is_sound(&self, options: &QualityOptions) -> bool {
        let classes = options.task.class_count();
        let counts = [self.predictions, self.labelled, self.unknown_labels, self.clipped];
        let classes_met = self.classes.0.iter().flat_map(|c| [c.predicted, c.actual, c.hits]);
        let bins = self.calibration.0.iter().flat_map(|bin| [bin.count, bin.hits]);
        let means = [
            &self.probability,
            &self.entropy,
            &self.margin,
            &self.max_probability,
            &self.brier,
            &self.log_loss,
        ];
        let numbers = self.numbers.iter();
        let numbers = numbers.flat_map(|n| [&n.outputs, &n.bias, &n.absolute, &n.squared]);
        let units = self.units.values().flat_map(|u| [u.count, u.hits, u.scored]);
        let positive = self.units.values().flat_map(|unit| unit.positive);
        let counts = counts.into_iter().chain([self.infinite]).chain(self.decided.iter().copied());
        let counts = counts.chain(classes_met).chain(bins).chain(units).chain(positive);
        let mut counts = counts
            .chain(means.into_iter().map(|mean| mean.count))
            .chain(numbers.map(|mean| mean.count));
        let sum = counts.try_fold(0_u64, |sum, count| sum.checked_add(count));
        self.decided.len() == classes
            && self.classes.0.len() == Classes::new(classes).0.len()
            && self.calibration.0.len() == options.calibration_bins
            && self.numbers.is_some() == matches!(options.task, Task::Number)
            && self.units.keys().all(|place| *place < options.max_units)
            && self.scores.is_sound()
            && sum.is_some_and(|sum| sum <= MOST)
    }
}
