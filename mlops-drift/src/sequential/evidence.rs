//! The evidence against "no drift" in the counts of cells, which may be looked at any time.

use serde::{Deserialize, Serialize};

use super::alternative::Alternatives;
use super::rising::ln_add;
use crate::error::{Error, Result};

/// How many moments of change are considered at once.
const CANDIDATES: usize = 16;
/// A moment of change is considered at most this often while as many rows pass as the reference has.
const GRAIN: u64 = 32;
/// The version of the serialised state.
const VERSION: u32 = 1;

/// A test martingale on the counts of cells between order statistics of a finite reference.
///
/// Without drift its expectation is 1 at any time, and it ever reaches `1/alpha` with probability
/// `alpha` at most: see the [module](super) for why. It needs no more than the counts.
///
/// Serialised it holds counts only, of at most 16 moments.
///
/// ```
/// use mlops_drift::sequential::Evidence;
///
/// // A reference of 99 rows, cut by its 25th, 50th and 75th.
/// let mut evidence = Evidence::new(&[25, 25, 25, 25])?;
/// evidence.observe(&[11, 9, 10, 10])?;
/// assert!(evidence.ln_largest() < 1.0);
/// evidence.observe(&[0, 5, 15, 40])?;
/// assert!(evidence.ln_e() > f64::ln(20.0));
/// # Ok::<(), mlops_drift::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "State", into = "State")]
pub struct Evidence {
    state: State,
    alternatives: Alternatives,
}

/// All that has to be kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    version: u32,
    gaps: Vec<u64>,
    counts: Vec<u64>,
    rows: u64,
    /// The capital that waits for later moments of change.
    cash: f64,
    candidates: Vec<Candidate>,
    ln_e: f64,
    ln_largest: f64,
}

/// A moment of change, with the capital that bets on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Candidate {
    /// What had been counted before it.
    before: Vec<u64>,
    rows: u64,
    ln_stake: f64,
    ln_ratio: f64,
}

impl Candidate {
    fn ln_capital(&self) -> f64 {
        self.ln_stake + self.ln_ratio
    }
}

/// The moment of change that the evidence favours, and how much it changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// How many current rows came before it.
    pub after_rows: u64,
    /// How many have come since.
    pub rows: u64,
    /// The Kolmogorov-Smirnov distance over the cells, between reference and current rows before it on
    /// one side and the rows since on the other.
    pub distance: f64,
}

impl Evidence {
    /// Evidence of nothing yet. `gaps` has for each cell how many of the gaps between neighbouring
    /// reference rows it holds: a reference of N rows has N + 1 gaps, the outer two included. The cells
    /// must be cut at ranks that were fixed without regard to the rows.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for fewer than two cells, or one without a gap.
    pub fn new(gaps: &[u64]) -> Result<Self> {
        Self::try_from(State {
            version: VERSION,
            gaps: gaps.to_vec(),
            counts: vec![0; gaps.len()],
            rows: 0,
            cash: 1.0,
            candidates: Vec::new(),
            ln_e: 0.0,
            ln_largest: 0.0,
        })
    }

    /// Adds the counts of a window and returns the logarithm of the evidence. Any split into windows
    /// is allowed as long as their lengths do not depend on the values; empty ones change nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for another number of cells, or for more rows
    /// than a `u64` can count; nothing is then changed.
    pub fn observe(&mut self, counts: &[u64]) -> Result<f64> {
        let State { gaps, rows, .. } = &self.state;
        if counts.len() != gaps.len() {
            let (expected, found) = (gaps.len(), counts.len());
            return Err(Error::invalid(format!(
                "a window has one count a cell: expected={expected} found={found}"
            )));
        }
        let added = counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
        let Some((added, after)) = added.and_then(|new| Some((new, rows.checked_add(new)?))) else {
            return Err(Error::invalid("more rows than can be counted"));
        };
        if added > 0 {
            self.state.consider(after);
            self.state.rows = after;
            self.state.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            self.weigh();
            self.state.thin();
        }
        Ok(self.state.ln_e)
    }

    /// The logarithm of the evidence now: 0 says nothing.
    #[must_use]
    pub fn ln_e(&self) -> f64 {
        self.state.ln_e
    }

    /// The logarithm of the largest evidence at any look so far: the probability that it ever reaches
    /// `ln(1/alpha)` is `alpha` at most.
    #[must_use]
    pub fn ln_largest(&self) -> f64 {
        self.state.ln_largest
    }

    /// The p-value that holds whenever it is looked at: one over the largest evidence.
    #[must_use]
    pub fn p_value(&self) -> f64 {
        (-self.state.ln_largest).exp()
    }

    /// How many current rows have been seen.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.state.rows
    }

    /// How many rows the reference has.
    #[must_use]
    pub fn reference_rows(&self) -> u64 {
        self.state.reference() - 1
    }

    /// The likeliest moment of change; `None` before the first row. It describes, whether there was a
    /// change or not.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        let best = self.state.candidates.iter();
        let best = best.max_by(|a, b| a.ln_capital().total_cmp(&b.ln_capital()))?;
        let rows = self.state.rows - best.rows;
        let all = (self.state.reference() + best.rows) as f64;
        let (mut before, mut since, mut distance) = (0, 0, 0.0_f64);
        let cells = self.state.gaps.iter().zip(&best.before).zip(&self.state.counts);
        for ((gap, old), count) in cells {
            before += gap + old;
            since += count - old;
            distance = distance.max((before as f64 / all - since as f64 / rows as f64).abs());
        }
        Some(Change { after_rows: best.rows, rows, distance })
    }

    /// Brings all ratios up to date with the counts.
    fn weigh(&mut self) {
        let State { gaps, counts, candidates, .. } = &mut self.state;
        for candidate in candidates {
            let before = gaps.iter().zip(&candidate.before);
            let base: Vec<f64> = before.map(|(gap, old)| *gap as f64 + *old as f64).collect();
            let since: Vec<u64> =
                counts.iter().zip(&candidate.before).map(|(now, old)| now - old).collect();
            candidate.ln_ratio = self.alternatives.ln_ratio(&base, &since);
        }
        let capitals = self.state.candidates.iter().map(Candidate::ln_capital);
        self.state.ln_e = capitals.fold(self.state.cash.ln(), ln_add);
        self.state.ln_largest = self.state.ln_largest.max(self.state.ln_e);
    }
}

impl State {
    /// The gaps of the reference, one more than its rows.
    fn reference(&self) -> u64 {
        self.gaps.iter().sum()
    }

    /// Puts capital on a change here and now, before the window that ends after so many rows is seen.
    ///
    /// Half of all is on a change before the first row. Of the rest, what has not been staked when `n`
    /// rows are through is `(1 + n/N)^(-1/2)`: a change is thought of at any row, and the windows do
    /// not matter.
    fn consider(&mut self, after: u64) {
        let reference = self.reference();
        let grain = reference.div_ceil(GRAIN);
        if self.candidates.last().is_some_and(|last| self.rows - last.rows < grain) {
            return;
        }
        let rest = 0.5 / (1.0 + after as f64 / reference as f64).sqrt();
        let stake = self.cash - rest;
        if stake > 0.0 {
            self.cash = rest;
            let (before, rows) = (self.counts.clone(), self.rows);
            self.candidates.push(Candidate { before, rows, ln_stake: stake.ln(), ln_ratio: 0.0 });
        }
    }

    /// With too many moments of change, gives up the one whose neighbours are nearest to each other
    /// for their age; its capital goes to the one before it. What was won is reinvested, not lost.
    fn thin(&mut self) {
        while self.candidates.len() > CANDIDATES {
            let age = |at: usize| (self.rows - self.candidates[at].rows) as f64;
            let gap = |at: &usize| age(at - 1) / age(at + 1);
            let inner = 1..self.candidates.len() - 1;
            let Some(at) = inner.min_by(|a, b| gap(a).total_cmp(&gap(b))) else { return };
            let given = self.candidates.remove(at).ln_capital();
            let heir = &mut self.candidates[at - 1];
            heir.ln_stake = ln_add(heir.ln_stake, given - heir.ln_ratio);
        }
    }
}

impl TryFrom<State> for Evidence {
    type Error = Error;

    fn try_from(state: State) -> Result<Self> {
        let refuse = |why: &str| Err(Error::invalid(format!("evidence can't be kept so: {why}")));
        if state.version != VERSION {
            return refuse(&format!("unknown version={}", state.version));
        }
        let cells = state.gaps.len();
        let sum =
            |counts: &[u64]| counts.iter().try_fold(0_u64, |sum, &count| sum.checked_add(count));
        if cells < 2 || state.gaps.contains(&0) || sum(&state.gaps).is_none() {
            return refuse("two cells or more are needed, each with a gap");
        }
        if state.counts.len() != cells || sum(&state.counts) != Some(state.rows) {
            return refuse("the counts do not belong to the cells");
        }
        let fits = |candidate: &Candidate| {
            candidate.before.len() == cells
                && sum(&candidate.before) == Some(candidate.rows)
                && candidate.rows < state.rows
                && candidate.before.iter().zip(&state.counts).all(|(old, now)| old <= now)
                && candidate.ln_capital().is_finite()
        };
        let in_order = state.candidates.is_sorted_by(|a, b| a.rows < b.rows);
        if !in_order || !state.candidates.iter().all(fits) {
            return refuse("a moment of change does not belong to the counts");
        }
        let largest = state.ln_largest.is_finite() && state.ln_largest >= state.ln_e.max(0.0);
        if !(state.cash > 0.0 && state.cash <= 1.0 && state.ln_e.is_finite() && largest) {
            return refuse("the capital is none");
        }
        let alternatives = Alternatives::new(&state.gaps);
        Ok(Self { state, alternatives })
    }
}

impl From<Evidence> for State {
    fn from(evidence: Evidence) -> Self {
        evidence.state
    }
}
