//! Looking after every window, for ever, with a promise: without drift the probability that an alarm
//! is *ever* raised is at most alpha, with one finite reference and however many windows follow.
//!
//! ```
//! use mlops_drift::sequential::{Sequential, SequentialOptions};
//! use mlops_drift::statistic::Sample;
//!
//! let window = |shift: f64| Sample::new((0..500).map(|row| f64::from(row * 37 % 500) + shift));
//! let mut watch = Sequential::numbers(&window(0.25), 0, &SequentialOptions::default())?;
//! for _ in 0..20 {
//!     watch.observe(&window(0.5), 0)?;
//! }
//! assert!(watch.alarm().is_none());
//! watch.observe(&window(80.0), 0)?;
//! let alarm = watch.alarm().expect("an alarm");
//! assert_eq!((alarm.look, alarm.rows), (21, 10_500));
//! let change = watch.evidence().change().expect("rows have been seen");
//! assert!(change.after_rows == 10_000 && change.distance > 0.14);
//! # Ok::<(), mlops_drift::Error>(())
//! ```
//!
//! # The argument
//! 1. *The law of the counts is known.* Let the reference be N independent rows of a continuous
//!    distribution, whichever it is. The probabilities that a further row falls into each of the N + 1
//!    gaps between them follow Dirichlet(1, ..., 1) (Pyke, "Spacings", Journal of the Royal Statistical
//!    Society B 27, 1965). Cells that are cut at fixed ranks join `g` gaps each, so theirs follow
//!    Dirichlet(g); and, the reference unknown, the current rows fall into them like draws from Pólya's
//!    urn: the next row into cell `j` with probability `(g_j + c_j) / (N + 1 + n)` after `n` rows of
//!    which `c_j` fell there (Blackwell and MacQueen, Annals of Statistics 1, 1973). It is *one* law,
//!    which carries the reference's own error: nothing is estimated and nothing left unknown.
//! 2. *A bet against it is a martingale.* For any law Q of sequences of cells, `M = Q / urn` is a
//!    nonnegative martingale of expectation 1, and by Ville's inequality `P(M ever reaches 1/alpha) <=
//!    alpha` (Ramdas, Grünwald, Vovk and Shafer, "Game-theoretic statistics and safe anytime-valid
//!    inference", Statistical Science 38, 2023). The laws that are used depend on the order of rows
//!    within a window no more than the urn does, so that the counts are enough.
//! 3. *A late change is found, too.* Q is a mixture over the moment of the change: up to it the urn's
//!    own law, from then on a law of drift around the urn as it then is. Its weights sum to 1, fixed by
//!    the number of rows alone: an e-detector's sum (Shin, Ramdas and Rinaldo, "E-detectors", New
//!    England Journal of Statistics in Data Science 2, 2024) would bound the time between alarms only.
//!    Moments that are given up hand their capital on to a neighbour: a bettor may reinvest.
//! 4. *Ties are broken at random.* A value becomes a pair of itself and an independent uniform mark,
//!    which is continuous in lexicographic order whatever the values are. Of the reference only the
//!    marks at the edges are drawn, once; the current rows that equal an edge's value are dealt out by
//!    binomial draws. All of it is exact, randomised, and reproducible by the seed. The ranks of the
//!    edges must not depend on the ties: cut where the values change, the probabilities would no longer
//!    follow that law.
//!
//! It takes for granted that rows, or clusters of rows ([`Clusters`]), are independent and that the
//! lengths of windows do not depend on the values. More than one column: [`alarms`].

mod alternative;
mod category;
mod cluster;
mod draw;
mod evidence;
mod family;
mod ladder;
mod rising;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::statistic::{Point, Sample};
pub use category::{Categories, Place};
pub use cluster::{Clusters, category_scores, number_scores};
pub use evidence::{Change, Evidence};
pub use family::{alarms, dataset_evidence};
pub use ladder::{Ladder, Rung, Tally};

/// How a column is watched.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SequentialOptions {
    /// The probability of ever raising an alarm without drift; 0.05.
    pub alpha: f64,
    /// What the marks are drawn by; 0. Give each column its own.
    pub seed: u64,
}

impl Default for SequentialOptions {
    fn default() -> Self {
        Self { alpha: 0.05, seed: 0 }
    }
}

impl SequentialOptions {
    /// Sets the probability of ever raising an alarm without drift.
    #[must_use]
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets what the marks are drawn by.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.alpha > 0.0 && self.alpha < 1.0 {
            return Ok(());
        }
        Err(Error::invalid(format!("alpha must lie between 0 and 1: alpha={}", self.alpha)))
    }
}

/// When an alarm was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// At which look, from 1.
    pub look: u64,
    /// How many current rows had been seen.
    pub rows: u64,
}

/// One column, watched for ever against one reference.
///
/// Serialised it holds the edges (at most 45 values of the reference), counts, and no rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sequential<K> {
    options: SequentialOptions,
    ladder: Ladder<K>,
    evidence: Evidence,
    looks: u64,
    alarm: Option<Alarm>,
}

impl<T: Point + Rung> Sequential<T> {
    /// Watches a column of numbers. `missing` reference rows have no usable value; such rows stand
    /// below every number, so that their share is watched along with the values.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for options out of range or no row at all.
    pub fn numbers(
        reference: &Sample<T>,
        missing: u64,
        options: &SequentialOptions,
    ) -> Result<Self> {
        Self::new(reference.runs(), missing, options)
    }

    /// Looks at the next window: its numbers, and how many rows have no usable value.
    ///
    /// # Errors
    ///
    /// Those of [`Evidence::observe`].
    pub fn observe(&mut self, window: &Sample<T>, missing: u64) -> Result<()> {
        self.observe_runs(window.runs(), missing)
    }
}

impl<K: Rung> Sequential<K> {
    pub(crate) fn new(
        runs: &[(K, u64)],
        missing: u64,
        options: &SequentialOptions,
    ) -> Result<Self> {
        options.check()?;
        let ladder = Ladder::new(runs, missing, &mut draw::random(options.seed, 0))?;
        let evidence = Evidence::new(ladder.gaps())?;
        Ok(Self { options: *options, ladder, evidence, looks: 0, alarm: None })
    }

    pub(crate) fn observe_runs(&mut self, runs: &[(K, u64)], missing: u64) -> Result<()> {
        let mut tally = self.ladder.empty();
        tally.missing = missing;
        runs.iter().for_each(|(value, count)| self.ladder.add(&mut tally, value, *count));
        self.observe_tally(&tally)
    }

    /// Looks at the next window as it was counted by the [`ladder`](Self::ladder).
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for counts of another ladder, and those of
    /// [`Evidence::observe`]; nothing is then changed.
    pub fn observe_tally(&mut self, tally: &Tally) -> Result<()> {
        let mut random = draw::random(self.options.seed, self.looks + 1);
        let cells = self.ladder.cells(tally, &mut random)?;
        let ln_e = self.evidence.observe(&cells)?;
        self.looks += 1;
        if self.alarm.is_none() && ln_e >= -self.options.alpha.ln() {
            self.alarm = Some(Alarm { look: self.looks, rows: self.evidence.rows() });
        }
        Ok(())
    }

    /// The first look at which the evidence reached `1/alpha`. Once raised, an alarm stays.
    #[must_use]
    pub fn alarm(&self) -> Option<Alarm> {
        self.alarm
    }

    /// The evidence so far.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The edges by which rows are counted.
    #[must_use]
    pub fn ladder(&self) -> &Ladder<K> {
        &self.ladder
    }
}
