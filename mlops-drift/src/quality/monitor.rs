//! Watching how good predictions are: many workers, one report.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::join::{Join, JoinCounts, JoinOptions, Owner, RequestId, Taken};
use super::options::QualityOptions;
use super::report::QualityReport;
use super::state::{Group, QualityState};
use super::task::{Actual, Predicted, Task};
use super::value::{Label, Prediction};
use crate::error::Result;

/// A handle publishes by itself once this many predictions and labels wait in it.
const MOST_WAITING: usize = 1_024;

/// Gathers predictions, joins them with the labels that come later, and reports on both.
///
/// Each worker logs through its own [`QualityHandle`]. A prediction counts for outputs and
/// uncertainty when it is published, for quality when its label has come.
///
/// ```
/// use mlops_drift::quality::{
///     Group, JoinOptions, Label, Metric, Prediction, QualityMonitor, QualityOptions, Task,
/// };
///
/// let options = QualityOptions::new(Task::classes(["cat", "dog"]));
/// let monitor = QualityMonitor::new(options, JoinOptions::default())?;
/// let mut handle = monitor.handle();
/// handle.predict("a", 1, &Group::default(), Prediction::Class("cat"));
/// handle.predict("b", 2, &Group::default(), Prediction::Class("dog"));
/// handle.label("b", 50, Label::Class("dog"));
/// handle.publish();
///
/// let report = monitor.report();
/// assert_eq!((report.total.predictions, report.total.labelled), (2, 1));
/// assert_eq!(report.total.value(Metric::Accuracy), Some(1.0));
/// assert_eq!(report.join.map(|join| join.open_predictions), Some(1));
/// # Ok::<(), mlops_drift::Error>(())
/// ```
#[derive(Debug)]
pub struct QualityMonitor {
    task: Arc<Task>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    join: Join,
    state: QualityState,
}

impl QualityMonitor {
    /// A monitor that has seen nothing yet.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for options out of range.
    pub fn new(options: QualityOptions, join: JoinOptions) -> Result<Self> {
        let task = Arc::new(options.task.clone());
        let join = Join::new(options.task.clone(), join)?;
        let state = QualityState::new(options)?;
        Ok(Self { task, shared: Arc::new(Mutex::new(Shared { join, state })) })
    }

    /// A handle for one worker.
    #[must_use]
    pub fn handle(&self) -> QualityHandle {
        QualityHandle {
            task: Arc::clone(&self.task),
            waiting: Vec::new(),
            shared: Arc::clone(&self.shared),
        }
    }

    /// All that has been published so far; the state stays as it is.
    #[must_use]
    pub fn report(&self) -> QualityReport {
        let shared = lock(&self.shared);
        let (state, counts) = (shared.state.clone(), shared.join.counts());
        drop(shared);
        state.report().with_join(counts)
    }

    /// A copy of the counts and sums, to be merged with those of others, kept or compared.
    #[must_use]
    pub fn state(&self) -> QualityState {
        lock(&self.shared).state.clone()
    }

    /// What became of the predictions and labels that were published.
    #[must_use]
    pub fn counts(&self) -> JoinCounts {
        lock(&self.shared).join.counts()
    }

    /// Forgets counts and sums, so that a new window begins. Predictions keep waiting for their
    /// labels, which then count for the new window.
    pub fn reset(&self) {
        let mut shared = lock(&self.shared);
        shared.state = shared.state.fresh();
    }

    /// Drops what has waited longer than allowed, seen from `now`; see [`Join::expire`].
    pub fn expire(&self, now: i64) {
        lock(&self.shared).join.expire(now);
    }
}

/// One worker's way into a [`QualityMonitor`]: predictions and labels wait in it, without a lock,
/// until they are published: when asked, when dropped, and whenever 1,024 of them have gathered.
#[derive(Debug)]
pub struct QualityHandle {
    task: Arc<Task>,
    waiting: Vec<Event>,
    shared: Arc<Mutex<Shared>>,
}

/// A prediction or a label as it was logged.
#[derive(Debug)]
enum Event {
    Predicted(RequestId, i64, Owner, Predicted),
    Labelled(RequestId, i64, Actual),
    UnusablePrediction,
    UnusableLabel,
}

impl QualityHandle {
    /// Logs a prediction, made at `time` (in whatever unit the host chooses).
    ///
    /// One that does not fit the task, or is no number or probability, is counted as unusable.
    pub fn predict(
        &mut self,
        id: impl Into<RequestId>,
        time: i64,
        group: &Group<'_>,
        prediction: Prediction<'_>,
    ) {
        let read = self.task.read(prediction);
        self.push(match read {
            Ok(predicted) => Event::Predicted(id.into(), time, Owner::new(group), predicted),
            Err(_) => Event::UnusablePrediction,
        });
    }

    /// Logs what turned out to be true of a request, known at `time`.
    pub fn label(&mut self, id: impl Into<RequestId>, time: i64, label: Label<'_>) {
        let read = self.task.read_label(label);
        self.push(match read {
            Ok(actual) => Event::Labelled(id.into(), time, actual),
            Err(_) => Event::UnusableLabel,
        });
    }

    /// Hands what waits to the monitor, in its order.
    pub fn publish(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut shared = lock(&self.shared);
        for event in self.waiting.drain(..) {
            shared.take(event);
        }
    }

    fn push(&mut self, event: Event) {
        self.waiting.push(event);
        if self.waiting.len() >= MOST_WAITING {
            self.publish();
        }
    }
}

impl Drop for QualityHandle {
    fn drop(&mut self) {
        self.publish();
    }
}

impl Shared {
    /// A prediction counts for the outputs once, whether it is repeated or never labelled.
    fn take(&mut self, event: Event) {
        let Self { join, state } = self;
        match event {
            Event::Predicted(id, time, owner, predicted) => {
                let (group, again) = (owner.clone(), predicted.clone());
                match join.take_prediction(id, time, owner, predicted) {
                    Taken::First => state.predict(&group.group(), &again),
                    Taken::Pair(outcome) => outcome.record(state),
                    Taken::Repeated => {}
                }
            }
            Event::Labelled(id, time, actual) => {
                if let Some(outcome) = join.take_label(id, time, actual) {
                    outcome.resolve(state);
                }
            }
            Event::UnusablePrediction => {
                join.refuse_prediction();
                state.refuse(1, 0);
            }
            Event::UnusableLabel => {
                join.refuse_label();
                state.refuse(0, 1);
            }
        }
    }
}

/// A panic elsewhere leaves every event either taken or not: they are taken one by one.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
