//! What a model is asked for, and how predictions and labels are read for it.

use serde::{Deserialize, Serialize};

use super::value::{Label, Prediction, finite, is_distribution, is_probability, largest};
use crate::error::{Error, Result};

/// What a model is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Task {
    /// One of two classes, by the probability of the positive one.
    Binary {
        /// From this probability on the positive class counts as predicted.
        threshold: f64,
    },
    /// One of these classes.
    Classes(Vec<String>),
    /// A number.
    Number,
}

impl Task {
    /// Two classes, the positive one from a probability of 1/2 on.
    #[must_use]
    pub fn binary() -> Self {
        Self::Binary { threshold: 0.5 }
    }

    /// One of these classes.
    #[must_use]
    pub fn classes<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self::Classes(names.into_iter().map(Into::into).collect())
    }

    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Binary { threshold } if !is_probability(*threshold) => Err(Error::invalid(
                format!("a threshold lies between 0 and 1: threshold={threshold}"),
            )),
            Self::Classes(names) if names.is_empty() || names.len() > MOST_CLASSES => {
                let count = names.len();
                Err(Error::invalid(format!(
                    "a task has between 1 and {MOST_CLASSES} classes: classes={count}"
                )))
            }
            Self::Classes(names) => {
                let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
                twice.map_or(Ok(()), |(_, name)| {
                    Err(Error::invalid(format!("two classes have one name: class={name}")))
                })
            }
            _ => Ok(()),
        }
    }

    /// How many classes there are, without the one of unknown names; 0 for numbers.
    pub(super) fn class_count(&self) -> usize {
        match self {
            Self::Binary { .. } => 2,
            Self::Classes(names) => names.len(),
            Self::Number => 0,
        }
    }

    pub(super) fn read(&self, prediction: Prediction<'_>) -> Result<Predicted, Unusable> {
        match (self, prediction) {
            (Self::Binary { .. }, Prediction::Probability(p)) if is_probability(p) => {
                Ok(Predicted::Probability(p + 0.0))
            }
            (Self::Classes(names), Prediction::Class(name)) => {
                let place = names.iter().position(|known| known == name);
                place.map(|place| Predicted::Class(place as u32)).ok_or(Unusable)
            }
            (Self::Classes(names), Prediction::Distribution(values))
                if values.len() == names.len() && is_distribution(values) =>
            {
                Ok(Predicted::Distribution(values.into()))
            }
            (Self::Number, Prediction::Number(value)) => finite(value).map(Predicted::Number),
            _ => Err(Unusable),
        }
    }

    pub(super) fn read_label(&self, label: Label<'_>) -> Result<Actual, Unusable> {
        match (self, label) {
            (Self::Binary { .. }, Label::Positive(positive)) => {
                Ok(Actual::Class(u32::from(positive)))
            }
            (Self::Classes(names), Label::Class(name)) => {
                let place = names.iter().position(|known| known == name);
                Ok(Actual::Class(place.unwrap_or(names.len()) as u32))
            }
            (Self::Number, Label::Number(value)) => finite(value).map(Actual::Number),
            _ => Err(Unusable),
        }
    }

    /// The class that a prediction stands for; `None` for numbers.
    pub(super) fn decide(&self, predicted: &Predicted) -> Option<usize> {
        match (self, predicted) {
            (Self::Binary { threshold }, Predicted::Probability(p)) => {
                Some(usize::from(p >= threshold))
            }
            (_, Predicted::Class(class)) => Some(*class as usize),
            (_, Predicted::Distribution(values)) => Some(largest(values)),
            _ => None,
        }
    }
}

/// More classes than this are not kept apart.
const MOST_CLASSES: usize = 4_096;

/// A value that does not fit the task, or is no number, or no probability: it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unusable;

/// A prediction that fits its task.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Predicted {
    Probability(f64),
    Class(u32),
    Distribution(Box<[f64]>),
    Number(f64),
}

/// A label that fits its task; a class of an unknown name has the number behind the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Actual {
    Class(u32),
    Number(f64),
}
