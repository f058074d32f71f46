//! What a model said, what turned out to be true, and how sure the model was.

use serde::{Deserialize, Serialize};

use super::task::{Predicted, Unusable};

/// What a model said about one request.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Prediction<'a> {
    /// The probability of the positive class, from 0 to 1.
    Probability(f64),
    /// The name of a class.
    Class(&'a str),
    /// A probability a class, in the order of the task's classes; they add up to 1 within 0.001.
    Distribution(&'a [f64]),
    /// A number.
    Number(f64),
}

/// What turned out to be true.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Label<'a> {
    /// Whether it was the positive class.
    Positive(bool),
    /// The name of the class. A name that the task does not have is a class like any other, of
    /// which no model could know: the prediction was wrong.
    Class(&'a str),
    /// The number.
    Number(f64),
}

/// How sure a prediction is of itself: needs no label.
///
/// ```
/// use mlops_drift::quality::Uncertainty;
///
/// let sure = Uncertainty::of(&[1.0, 0.0]).expect("a distribution");
/// assert_eq!((sure.entropy, sure.margin, sure.max_probability), (0.0, 1.0, 1.0));
/// assert_eq!(Uncertainty::of(&[0.7, 0.7]), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Uncertainty {
    /// `-sum p ln p` in nats, from 0 to the logarithm of the number of classes.
    pub entropy: f64,
    /// The largest probability less the second.
    pub margin: f64,
    /// The largest probability.
    pub max_probability: f64,
}

impl Uncertainty {
    /// Of a probability a class; `None` for what is no distribution.
    #[must_use]
    pub fn of(distribution: &[f64]) -> Option<Self> {
        is_distribution(distribution).then(|| Self::of_checked(distribution))
    }

    /// Of the probability of the positive class of two; `None` outside of 0 to 1.
    #[must_use]
    pub fn of_probability(positive: f64) -> Option<Self> {
        is_probability(positive).then(|| Self::of_checked(&[1.0 - positive, positive]))
    }

    pub(super) fn of_checked(distribution: &[f64]) -> Self {
        let (mut first, mut second, mut entropy) = (0.0_f64, 0.0_f64, 0.0);
        for &p in distribution {
            second = second.max(p.min(first));
            first = first.max(p);
            entropy -= if p > 0.0 { p * p.ln() } else { 0.0 };
        }
        // A sum that is 1 but for rounding may leave a surest distribution below 0.
        let entropy = f64::max(entropy, 0.0);
        Self { entropy, margin: first - second, max_probability: first }
    }
}

/// From 0 to 1; NaN is not.
pub(super) fn is_probability(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

pub(super) fn is_distribution(values: &[f64]) -> bool {
    let sum: f64 = values.iter().sum();
    values.iter().copied().all(is_probability) && (sum - 1.0).abs() <= 1e-3
}

/// The place of the largest; the first one of equals.
pub(super) fn largest(values: &[f64]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

impl Prediction<'_> {
    /// How sure the prediction is; `None` where it has no probabilities, or wrong ones.
    #[must_use]
    pub fn uncertainty(&self) -> Option<Uncertainty> {
        match self {
            Self::Probability(p) => Uncertainty::of_probability(*p),
            Self::Distribution(values) => Uncertainty::of(values),
            Self::Class(_) | Self::Number(_) => None,
        }
    }
}

impl Predicted {
    pub(super) fn uncertainty(&self) -> Option<Uncertainty> {
        match self {
            Self::Probability(p) => Some(Uncertainty::of_checked(&[1.0 - p, *p])),
            Self::Distribution(values) => Some(Uncertainty::of_checked(values)),
            Self::Class(_) | Self::Number(_) => None,
        }
    }
}

/// A number that can be measured against others.
pub(super) fn finite(value: f64) -> Result<f64, Unusable> {
    if value.is_finite() { Ok(value) } else { Err(Unusable) }
}
