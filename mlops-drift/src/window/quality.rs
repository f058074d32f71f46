//! Windows of quality: a prediction and its label count for the windows of the prediction's time.

use serde::{Deserialize, Serialize};

use super::panes::{Closed, Windows};
use super::spec::{WindowCounts, WindowSpec};
use crate::error::Result;
use crate::quality::{
    Group, Join, JoinCounts, JoinOptions, Label, Outcome, Prediction, QualityOptions,
    QualityReport, QualityState, RequestId, Taken,
};

/// A window that has ended, and how good the predictions of its time were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QualityWindow {
    /// The first time in it.
    pub start: i64,
    /// The first time behind it.
    pub end: i64,
    /// How many predictions it holds.
    pub rows: u64,
    /// Whether its time had come; `false` where [`QualityWindows::finish`] ended it before.
    pub complete: bool,
    /// What was found. Labels that come later are missing in it: let the windows wait for them.
    pub report: QualityReport,
}

/// Joins predictions with their labels and reports on the quality of each window.
///
/// Windows go by the times of the predictions; the lateness of the [`WindowSpec`] is how long they
/// wait for rows, labels included. A label that finds only some windows of its prediction open counts for
/// those; one that finds none is counted as late.
///
/// ```
/// use mlops_drift::quality::{
///     Group, JoinOptions, Label, Metric, Prediction, QualityOptions, Task,
/// };
/// use mlops_drift::window::{QualityWindows, WindowSpec};
///
/// let spec = WindowSpec::tumbling(60).with_lateness(30);
/// let options = QualityOptions::new(Task::Number);
/// let mut windows = QualityWindows::new(spec, options, JoinOptions::default())?;
/// windows.predict("a", 10, &Group::default(), Prediction::Number(3.0))?;
/// windows.predict("b", 50, &Group::default(), Prediction::Number(5.0))?;
/// windows.predict("c", 80, &Group::default(), Prediction::Number(7.0))?;
/// windows.label("a", 85, Label::Number(4.0))?;
/// windows.advance(60)?; // nothing before 60 will come any more
///
/// let ended = windows.ended();
/// assert_eq!((ended[0].start, ended[0].end, ended[0].rows), (0, 60, 2));
/// assert_eq!(ended[0].report.total.value(Metric::Mae), Some(1.0));
/// windows.label("b", 90, Label::Number(5.0))?;
/// assert_eq!(windows.late_labels(), 1);
/// # Ok::<(), mlops_drift::Error>(())
/// ```
#[derive(Debug)]
pub struct QualityWindows {
    join: Join,
    windows: Windows<QualityState>,
    late_labels: u64,
}

impl QualityWindows {
    /// Windows that hold nothing yet.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for options out of range.
    pub fn new(spec: WindowSpec, options: QualityOptions, join: JoinOptions) -> Result<Self> {
        let join = Join::new(options.task.clone(), join)?;
        let windows = Windows::new(spec, QualityState::new(options)?)?;
        Ok(Self { join, windows, late_labels: 0 })
    }

    /// Takes in a prediction, which may end windows. One that is unusable is counted, by the join
    /// and in the window of its time.
    ///
    /// # Errors
    ///
    /// Those of [`Windows::pane`].
    pub fn predict(
        &mut self,
        id: impl Into<RequestId>,
        time: i64,
        group: &Group<'_>,
        prediction: Prediction<'_>,
    ) -> Result<()> {
        let taken = self.join.log(id.into(), time, group, prediction);
        if matches!(taken, Some(Taken::Repeated)) {
            return Ok(());
        }
        if let Some(pane) = self.windows.pane(time, 1)? {
            pane.add_prediction(group, prediction);
        }
        match taken {
            Some(Taken::Pair(outcome)) => self.resolve(&outcome),
            _ => Ok(()),
        }
    }

    /// Takes in what turned out to be true of a request, known at `time`.
    ///
    /// # Errors
    ///
    /// Those of [`Windows::pane`].
    pub fn label(&mut self, id: impl Into<RequestId>, time: i64, label: Label<'_>) -> Result<()> {
        match self.join.label(id, time, label) {
            Some(outcome) => self.resolve(&outcome),
            None => Ok(()),
        }
    }

    fn resolve(&mut self, outcome: &Outcome) -> Result<()> {
        // The prediction has been counted as a row when it came.
        match self.windows.pane(outcome.time(), 0)? {
            Some(pane) => outcome.resolve(pane),
            None => self.late_labels += 1,
        }
        Ok(())
    }

    /// Says that nothing before this time will come any more, neither predictions nor their labels.
    ///
    /// # Errors
    ///
    /// Those of [`Windows::advance`].
    pub fn advance(&mut self, watermark: i64) -> Result<()> {
        self.windows.advance(watermark)
    }

    /// Drops what has waited longer than allowed for its other half; see [`Join::expire`].
    pub fn expire(&mut self, now: i64) {
        self.join.expire(now);
    }

    /// Leaves out, and counts, predictions of a later time from now on; see [`Windows::set_latest`].
    pub fn set_latest(&mut self, latest: i64) {
        self.windows.set_latest(latest);
    }

    /// The windows that have ended since this was last asked, in their order.
    pub fn ended(&mut self) -> Vec<QualityWindow> {
        self.windows.ended().into_iter().map(QualityWindow::of).collect()
    }

    /// Ends all windows that hold a row, whether or not their time has come.
    ///
    /// # Errors
    ///
    /// Those of [`Windows::finish`].
    pub fn finish(self) -> Result<Vec<QualityWindow>> {
        Ok(self.windows.finish()?.into_iter().map(QualityWindow::of).collect())
    }

    /// What became of the predictions on their way into windows; repeated ones are none of them.
    #[must_use]
    pub fn counts(&self) -> WindowCounts {
        self.windows.counts()
    }

    /// What became of predictions and labels on their way to each other.
    #[must_use]
    pub fn join_counts(&self) -> JoinCounts {
        self.join.counts()
    }

    /// Labels that found their prediction, but none of its windows open.
    #[must_use]
    pub fn late_labels(&self) -> u64 {
        self.late_labels
    }
}

impl QualityWindow {
    fn of(window: Closed<QualityState>) -> Self {
        let Closed { start, end, rows, complete, pane } = window;
        Self { start, end, rows, complete, report: pane.report() }
    }
}
