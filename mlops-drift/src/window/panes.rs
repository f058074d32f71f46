//! The windows themselves: panes by their step, closed as time goes on.

use std::collections::BTreeMap;

use super::Pane;
use super::spec::{WindowCounts, WindowSpec};
use crate::error::Result;

/// A window that has ended, with all that was in it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Closed<P> {
    /// The first time in it.
    pub start: i64,
    /// The first time behind it.
    pub end: i64,
    /// How many rows it holds.
    pub rows: u64,
    /// Whether its time had come; `false` where [`Windows::finish`] ended it before.
    pub complete: bool,
    /// What it holds.
    pub pane: P,
}

/// Rows by time in panes, and the windows made of them.
///
/// Times are in whatever unit the host chooses; for windows by count use the row's number, which
/// [`Windows::next_row`] gives. Windows without a row are not reported. Panes are kept until the last of
/// their windows has ended: about `(width + lateness) / every` of them.
///
/// ```
/// use mlops_drift::window::{Pane, WindowSpec, Windows};
///
/// #[derive(Debug)]
/// struct Sum(f64);
///
/// impl Pane for Sum {
///     fn empty(&self) -> mlops_drift::Result<Self> {
///         Ok(Self(0.0))
///     }
///     fn merge(&mut self, other: &Self) -> mlops_drift::Result<()> {
///         self.0 += other.0;
///         Ok(())
///     }
/// }
///
/// let spec = WindowSpec::hopping(60, 30).with_lateness(5);
/// let mut windows = Windows::new(spec, Sum(0.0))?;
/// for (time, value) in [(10, 1.0), (40, 2.0), (29, 4.0), (66, 8.0), (31, 16.0)] {
///     if let Some(pane) = windows.pane(time, 1)? {
///         pane.0 += value;
///     }
/// }
/// let ended: Vec<_> = windows.ended().iter().map(|w| (w.start, w.end, w.pane.0)).collect();
/// // 29 came behind 40, too late for the first window, in time for the second.
/// assert_eq!(ended, [(-30, 30, 1.0), (0, 60, 7.0)]);
/// # Ok::<(), mlops_drift::Error>(())
/// ```
#[derive(Debug)]
pub struct Windows<P> {
    spec: WindowSpec,
    template: P,
    /// By the step they begin at, with their rows.
    panes: BTreeMap<i64, (u64, P)>,
    watermark: Option<i64>,
    ceiling: Option<i64>,
    /// The step of the first window that has not ended yet.
    open: Option<i64>,
    ready: Vec<Closed<P>>,
    counts: WindowCounts,
}

impl<P: Pane> Windows<P> {
    /// Windows that hold nothing yet; `template` is what panes are made after.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for widths that are no whole number of steps
    /// above 0, more than 10,000 steps in a window, or a lateness below 0.
    pub fn new(spec: WindowSpec, template: P) -> Result<Self> {
        spec.check()?;
        Ok(Self {
            spec,
            template,
            panes: BTreeMap::new(),
            watermark: None,
            ceiling: None,
            open: None,
            ready: Vec::new(),
            counts: WindowCounts::default(),
        })
    }

    /// The pane for `rows` rows of this time, which may end windows; `None` when they are too late for all of
    /// their windows, or too far ahead, which is counted.
    ///
    /// Workers may gather a pane of their own for a stretch and merge it into this one.
    ///
    /// # Errors
    ///
    /// Those of [`Pane::empty`] and [`Pane::merge`]; the rows are then not counted.
    pub fn pane(&mut self, time: i64, rows: u64) -> Result<Option<&mut P>> {
        let Some(step) = self.step(time) else {
            self.without_time(rows);
            return Ok(None);
        };
        if self.is_ahead(time) {
            self.counts.rows += rows;
            self.counts.ahead += rows;
            return Ok(None);
        }
        self.raise(time.saturating_sub(self.spec.lateness))?;
        // A pane is in the window of its own step, and in those of the steps before that.
        if self.open.is_some_and(|open| step < open) {
            self.counts.rows += rows;
            self.counts.late += rows;
            return Ok(None);
        }
        if !self.panes.contains_key(&step) {
            self.panes.insert(step, (0, self.template.empty()?));
        }
        let first = step - (self.panes_a_window() - 1);
        self.counts.rows += rows;
        self.counts.counted += rows;
        if self.open.is_some_and(|open| first < open) {
            self.counts.partly_late += rows;
        }
        Ok(self.panes.get_mut(&step).map(|(held, pane)| {
            *held += rows;
            pane
        }))
    }

    /// How many rows until the next pane begins, where windows go by count.
    pub(super) fn room(&self) -> u64 {
        let WindowSpec { every, origin, .. } = self.spec;
        let within = self.next_row().wrapping_sub(origin).rem_euclid(every);
        every.abs_diff(within)
    }

    /// Counts rows that have no time, or none that can be counted.
    pub fn without_time(&mut self, rows: u64) {
        self.counts.rows += rows;
        self.counts.without_time += rows;
    }

    /// The number of the next row: its time, where windows go by count.
    #[must_use]
    pub fn next_row(&self) -> i64 {
        i64::try_from(self.counts.rows).unwrap_or(i64::MAX)
    }

    /// Says that all rows before `watermark` have come, where data do not say so by themselves.
    /// Never moves back.
    ///
    /// # Errors
    ///
    /// Those of [`Pane::merge`].
    pub fn advance(&mut self, watermark: i64) -> Result<()> {
        self.raise(watermark)
    }

    /// From now on rows later than `latest` are counted as ahead and left out: without that a
    /// single wrong time in the future ends all windows before it.
    pub fn set_latest(&mut self, latest: i64) {
        self.ceiling = Some(latest);
    }

    /// The windows that have ended since this was last asked, in their order.
    pub fn ended(&mut self) -> Vec<Closed<P>> {
        std::mem::take(&mut self.ready)
    }

    /// Ends all windows that hold a row, whether or not their time has come.
    ///
    /// # Errors
    ///
    /// Those of [`Pane::merge`].
    pub fn finish(mut self) -> Result<Vec<Closed<P>>> {
        let mut closed = self.ended();
        if let Some(&last) = self.panes.keys().next_back() {
            self.close(last + 1)?;
            closed.extend(self.ended().into_iter().map(|w| Closed { complete: false, ..w }));
        }
        Ok(closed)
    }

    /// What became of all rows.
    #[must_use]
    pub fn counts(&self) -> WindowCounts {
        self.counts
    }

    pub(super) fn is_ahead(&self, time: i64) -> bool {
        self.ceiling.is_some_and(|ceiling| time > ceiling)
    }

    pub(super) fn template(&self) -> &P {
        &self.template
    }

    /// Up to where all rows are taken to have come; `None` before the first.
    #[must_use]
    pub fn watermark(&self) -> Option<i64> {
        self.watermark
    }

    /// The step that a time lies in; `None` where its windows would not fit the numbers.
    pub(super) fn step(&self, time: i64) -> Option<i64> {
        let WindowSpec { width, every, origin, .. } = self.spec;
        let step = time.checked_sub(origin)?.div_euclid(every);
        let begin = step.checked_mul(every)?.checked_add(origin)?;
        begin.checked_add(width)?;
        begin.checked_sub(width)?;
        Some(step)
    }

    fn panes_a_window(&self) -> i64 {
        self.spec.width / self.spec.every
    }

    fn raise(&mut self, mark: i64) -> Result<()> {
        if self.watermark.is_some_and(|before| mark <= before) {
            return Ok(());
        }
        // The last window that has ended begins a width before the watermark, or earlier.
        let start = mark.checked_sub(self.spec.width).and_then(|start| self.step(start));
        if let Some(last) = start
            && self.open.is_none_or(|open| open <= last)
        {
            self.close(last + 1)?;
        }
        self.watermark = Some(mark);
        Ok(())
    }

    /// Ends every window before that of step `until`; on an error none.
    fn close(&mut self, until: i64) -> Result<()> {
        let span = self.panes_a_window();
        let mut ended = Vec::new();
        let mut step = self.open.unwrap_or(i64::MIN);
        // Only windows that hold a pane are looked at, however far apart the panes are.
        while let Some((&pane, _)) = self.panes.range(step..).next() {
            step = step.max(pane - (span - 1));
            if step >= until {
                break;
            }
            ended.push(self.window(step, span)?);
            step += 1;
        }
        self.ready.append(&mut ended);
        self.panes = self.panes.split_off(&until);
        self.open = Some(until);
        Ok(())
    }

    fn window(&self, step: i64, span: i64) -> Result<Closed<P>> {
        let mut pane = self.template.empty()?;
        let mut rows = 0;
        for (held, part) in self.panes.range(step..step + span).map(|(_, held)| held) {
            rows += held;
            pane.merge(part)?;
        }
        let start = step * self.spec.every + self.spec.origin;
        Ok(Closed { start, end: start + self.spec.width, rows, complete: true, pane })
    }
}
