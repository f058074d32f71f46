//! How long a prediction and its label wait for each other, and what became of them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a prediction and its label have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestId {
    /// A number.
    Number(u64),
    /// A text.
    Text(Arc<str>),
}

impl From<u64> for RequestId {
    fn from(id: u64) -> Self {
        Self::Number(id)
    }
}

impl From<&str> for RequestId {
    fn from(id: &str) -> Self {
        Self::Text(id.into())
    }
}

impl From<String> for RequestId {
    fn from(id: String) -> Self {
        Self::Text(id.into())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(id) => id.fmt(f),
            Self::Text(id) => id.fmt(f),
        }
    }
}

/// The bounds of a [`Join`](super::Join).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JoinOptions {
    /// The most ids that wait for their other half; beyond, the one of the earliest time is dropped
    /// and counted; 100,000.
    pub max_open: usize,
    /// The most ids remembered after their halves met, by which repeated ones are known; 100,000.
    pub max_closed: usize,
    /// How long an id waits, in the unit of the times; [`Join::expire`](super::Join::expire) drops
    /// what is older. As long as there is room by default.
    pub max_age: Option<u64>,
}

impl Default for JoinOptions {
    fn default() -> Self {
        Self { max_open: 100_000, max_closed: 100_000, max_age: None }
    }
}

impl JoinOptions {
    /// Sets the most ids that wait, at least 1.
    #[must_use]
    pub fn with_max_open(mut self, ids: usize) -> Self {
        self.max_open = ids;
        self
    }

    /// Sets the most ids remembered.
    #[must_use]
    pub fn with_max_closed(mut self, ids: usize) -> Self {
        self.max_closed = ids;
        self
    }

    /// Sets how long an id waits.
    #[must_use]
    pub fn with_max_age(mut self, age: u64) -> Self {
        self.max_age = Some(age);
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.max_open == 0 {
            return Err(Error::invalid("a join needs room for an id: max_open=0"));
        }
        Ok(())
    }
}

/// What became of all predictions and labels: none is missing.
///
/// `predictions = joined + open_predictions + dropped_predictions + duplicate_predictions +
/// conflicting_predictions + unusable_predictions`, and the same for labels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JoinCounts {
    /// Predictions received.
    pub predictions: u64,
    /// Labels received.
    pub labels: u64,
    /// Pairs of one id.
    pub joined: u64,
    /// Predictions that wait for their label.
    pub open_predictions: u64,
    /// Labels that wait for their prediction.
    pub open_labels: u64,
    /// Predictions dropped without a label, by age or for want of room.
    pub dropped_predictions: u64,
    /// Labels dropped without a prediction, by age or for want of room.
    pub dropped_labels: u64,
    /// Predictions of an id that has one: the same again, or any once its label had come.
    pub duplicate_predictions: u64,
    /// Other predictions of an id that waits with one. The first holds.
    pub conflicting_predictions: u64,
    /// The same label of an id again.
    pub duplicate_labels: u64,
    /// Other labels of an id that has one. The first holds.
    pub conflicting_labels: u64,
    /// Predictions that do not fit the task, or are no number, or no probability.
    pub unusable_predictions: u64,
    /// Labels that do not fit the task, or are no number.
    pub unusable_labels: u64,
}
