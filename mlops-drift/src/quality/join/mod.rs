//! Predictions and labels that find each other by a request's id, in any order, in bounded memory.

mod options;
mod outcome;
#[cfg(test)]
mod tests;

use std::collections::hash_map::{Entry, HashMap};
use std::collections::{BTreeMap, VecDeque};

use super::state::Group;
use super::task::{Actual, Predicted, Task};
use super::value::{Label, Prediction};
use crate::error::Result;
pub use options::{JoinCounts, JoinOptions, RequestId};
pub use outcome::Outcome;
pub(super) use outcome::Owner;

/// The one order of what waits: by time, then by arrival.
type Place = (i64, u64);

/// What a prediction that was taken in turned out to be.
#[derive(Debug)]
pub(crate) enum Taken {
    /// The first of its id, which waits for its label.
    First,
    /// The first of its id, whose label was there.
    Pair(Outcome),
    /// Not the first of its id.
    Repeated,
}

#[derive(Debug)]
enum Half {
    Predicted(Place, Owner, Predicted),
    Labelled(Place, Actual),
    /// Both have come; the label stays, to tell the same again from another one.
    Closed(Actual),
}

/// Joins predictions with the labels that come later, or earlier, by the id of their request.
///
/// An id keeps its first prediction and its first label. Memory is bounded by [`JoinOptions`]; what
/// does not find its other half in that room or time is dropped and counted, like everything that
/// comes twice. An id that was dropped or forgotten and comes again is a new one. As long as nothing
/// is dropped and nothing contradicts, the same pairs come out in whatever order the halves came.
///
/// Times are in whatever unit the host chooses.
///
/// ```
/// use mlops_drift::quality::{Group, Join, JoinOptions, Label, Prediction, Task};
///
/// let mut join = Join::new(Task::Number, JoinOptions::default())?;
/// assert!(join.label(7, 20, Label::Number(3.5)).is_none());
/// let outcome = join.predict(7, 10, &Group::default(), Prediction::Number(3.0)).expect("a pair");
/// assert_eq!(outcome.time(), 10);
/// # Ok::<(), mlops_drift::Error>(())
/// ```
#[derive(Debug)]
pub struct Join {
    task: Task,
    options: JoinOptions,
    halves: HashMap<RequestId, Half>,
    waiting: BTreeMap<Place, RequestId>,
    closed: VecDeque<RequestId>,
    arrivals: u64,
    counts: JoinCounts,
}

impl Join {
    /// A join for predictions and labels of a task.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for options out of range.
    pub fn new(task: Task, options: JoinOptions) -> Result<Self> {
        task.check()?;
        options.check()?;
        Ok(Self {
            task,
            options,
            halves: HashMap::new(),
            waiting: BTreeMap::new(),
            closed: VecDeque::new(),
            arrivals: 0,
            counts: JoinCounts::default(),
        })
    }

    /// Takes in a prediction; the pair where its label is there.
    pub fn predict(
        &mut self,
        id: impl Into<RequestId>,
        time: i64,
        group: &Group<'_>,
        prediction: Prediction<'_>,
    ) -> Option<Outcome> {
        match self.log(id.into(), time, group, prediction) {
            Some(Taken::Pair(outcome)) => Some(outcome),
            _ => None,
        }
    }

    /// Takes in a prediction as it was made, and says what it is; `None` for an unusable one.
    pub(crate) fn log(
        &mut self,
        id: RequestId,
        time: i64,
        group: &Group<'_>,
        prediction: Prediction<'_>,
    ) -> Option<Taken> {
        let Ok(predicted) = self.task.read(prediction) else {
            self.refuse_prediction();
            return None;
        };
        Some(self.take_prediction(id, time, Owner::new(group), predicted))
    }

    /// Takes in a label; the pair where its prediction is there.
    pub fn label(
        &mut self,
        id: impl Into<RequestId>,
        time: i64,
        label: Label<'_>,
    ) -> Option<Outcome> {
        let Ok(actual) = self.task.read_label(label) else {
            self.refuse_label();
            return None;
        };
        self.take_label(id.into(), time, actual)
    }

    pub(super) fn refuse_prediction(&mut self) {
        self.counts.predictions += 1;
        self.counts.unusable_predictions += 1;
    }

    pub(super) fn refuse_label(&mut self) {
        self.counts.labels += 1;
        self.counts.unusable_labels += 1;
    }

    pub(super) fn take_prediction(
        &mut self,
        id: RequestId,
        time: i64,
        owner: Owner,
        predicted: Predicted,
    ) -> Taken {
        self.counts.predictions += 1;
        let place = (time, self.arrivals);
        self.arrivals += 1;
        let mut entry = match self.halves.entry(id) {
            Entry::Vacant(entry) => {
                self.waiting.insert(place, entry.key().clone());
                entry.insert(Half::Predicted(place, owner, predicted));
                self.counts.open_predictions += 1;
                self.make_room();
                return Taken::First;
            }
            Entry::Occupied(entry) => entry,
        };
        let (waited, actual) = match entry.get() {
            Half::Labelled(place, actual) => (*place, *actual),
            Half::Predicted(_, first, there) if (first, there) != (&owner, &predicted) => {
                self.counts.conflicting_predictions += 1;
                return Taken::Repeated;
            }
            Half::Predicted(..) | Half::Closed(_) => {
                self.counts.duplicate_predictions += 1;
                return Taken::Repeated;
            }
        };
        entry.insert(Half::Closed(actual));
        let id = entry.key().clone();
        self.counts.open_labels -= 1;
        self.close(id, waited);
        Taken::Pair(Outcome { time, owner, predicted, actual })
    }

    pub(super) fn take_label(
        &mut self,
        id: RequestId,
        time: i64,
        actual: Actual,
    ) -> Option<Outcome> {
        self.counts.labels += 1;
        let place = (time, self.arrivals);
        self.arrivals += 1;
        let mut entry = match self.halves.entry(id) {
            Entry::Vacant(entry) => {
                self.waiting.insert(place, entry.key().clone());
                entry.insert(Half::Labelled(place, actual));
                self.counts.open_labels += 1;
                self.make_room();
                return None;
            }
            Entry::Occupied(entry) => entry,
        };
        if let Half::Labelled(_, first) | Half::Closed(first) = entry.get() {
            if *first == actual {
                self.counts.duplicate_labels += 1;
            } else {
                self.counts.conflicting_labels += 1;
            }
            return None;
        }
        let id = entry.key().clone();
        let Half::Predicted(waited, owner, predicted) = entry.insert(Half::Closed(actual)) else {
            return None; // Every other kind has been answered above.
        };
        self.counts.open_predictions -= 1;
        self.close(id, waited);
        Some(Outcome { time: waited.0, owner, predicted, actual })
    }

    /// Drops what has waited longer than allowed, seen from `now`; without a largest age nothing.
    ///
    /// The join does not go by the times it is given: a single wrong one would empty it.
    pub fn expire(&mut self, now: i64) {
        let Some(age) = self.options.max_age else { return };
        let Some(oldest) = now.checked_sub_unsigned(age) else { return };
        while self.waiting.first_key_value().is_some_and(|(place, _)| place.0 < oldest) {
            self.drop_first();
        }
    }

    /// What became of all that was taken in.
    #[must_use]
    pub fn counts(&self) -> JoinCounts {
        self.counts
    }

    fn close(&mut self, id: RequestId, waited: Place) {
        self.waiting.remove(&waited);
        self.counts.joined += 1;
        self.closed.push_back(id);
        if self.closed.len() > self.options.max_closed
            && let Some(oldest) = self.closed.pop_front()
        {
            self.halves.remove(&oldest);
        }
    }

    fn make_room(&mut self) {
        if self.waiting.len() > self.options.max_open {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some((_, id)) = self.waiting.pop_first() else { return };
        match self.halves.remove(&id) {
            Some(Half::Labelled(..)) => {
                self.counts.open_labels -= 1;
                self.counts.dropped_labels += 1;
            }
            Some(Half::Predicted(..)) => {
                self.counts.open_predictions -= 1;
                self.counts.dropped_predictions += 1;
            }
            Some(Half::Closed(_)) | None => {}
        }
    }
}
