//! Counts a class: predicted, true, and both.

use serde::{Deserialize, Serialize};

/// What became of one class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Class {
    pub(crate) predicted: u64,
    pub(crate) actual: u64,
    pub(crate) hits: u64,
}

/// One entry a class, and a last one for labels of unknown names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Classes(pub(crate) Vec<Class>);

impl Classes {
    pub(crate) fn new(classes: usize) -> Self {
        Self(vec![Class::default(); if classes == 0 { 0 } else { classes + 1 }])
    }

    pub(crate) fn add(&mut self, predicted: usize, actual: usize) {
        if let Some(class) = self.0.get_mut(predicted) {
            class.predicted += 1;
            class.hits += u64::from(predicted == actual);
        }
        if let Some(class) = self.0.get_mut(actual) {
            class.actual += 1;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            own.predicted += other.predicted;
            own.actual += other.actual;
            own.hits += other.hits;
        }
    }

    /// Hits and all.
    pub(crate) fn accuracy(&self) -> (u64, u64) {
        let hits = self.0.iter().map(|class| class.hits).sum();
        (hits, self.0.iter().map(|class| class.predicted).sum())
    }

    /// The classes that occurred, predicted or true.
    fn met(&self) -> impl Iterator<Item = &Class> {
        self.0.iter().filter(|class| class.predicted + class.actual > 0)
    }

    /// The mean over the classes that occurred; `None` when none did, or where `of` is undefined for one.
    pub(crate) fn macro_mean(&self, of: impl Fn(&Class) -> Option<f64>) -> Option<f64> {
        let each: Option<Vec<f64>> = self.met().map(of).collect();
        each.filter(|each| !each.is_empty())
            .map(|each| each.iter().sum::<f64>() / each.len() as f64)
    }
}

impl Class {
    /// Of the predicted, how many were right.
    pub(crate) fn precision(&self) -> Option<f64> {
        ratio(self.hits, self.predicted)
    }

    /// Of the true, how many were found.
    pub(crate) fn recall(&self) -> Option<f64> {
        ratio(self.hits, self.actual)
    }

    /// Their harmonic mean, `2 hits / (predicted + true)`.
    pub(crate) fn f1(&self) -> Option<f64> {
        ratio(2 * self.hits, self.predicted + self.actual)
    }
}

/// `None` where nothing can be divided.
pub(crate) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
