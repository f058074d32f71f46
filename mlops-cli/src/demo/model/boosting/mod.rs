//! Gradient boosting of histogram trees for a yes-or-no label.
//!
//! Each round fits a tree to the gradients of the log-loss (Friedman, "Greedy function
//! approximation", Annals of Statistics 29(5), 2001) by Newton steps. The same input, settings and
//! seed give the same model, bit for bit, on any number of threads. (`exp` is the platform's, so
//! two platforms may differ in the last digit.)

mod bins;
mod grow;
mod parallel;
#[cfg(test)]
mod tests;
mod tree;

use anyhow::{Result, ensure};
use ndarray::{Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use self::bins::Column;
use self::grow::Limits;
use self::tree::{MAX_DEPTH, Tree};
use super::random::SplitMix64;

/// Rows that are scored, or whose gradients are taken, as one piece of work.
const PIECE: usize = 4_096;
/// The smallest second derivative, for rows that the model is sure of.
const MIN_HESSIAN: f64 = 1e-12;

/// Settings of the boosting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BoostingConfig {
    /// Trees.
    pub(crate) rounds: u32,
    /// Questions from root to leaf, 1 to 12.
    pub(crate) depth: u8,
    /// What part of each Newton step is taken, in `(0, 1]`.
    pub(crate) learning_rate: f64,
    /// Added to the second derivative of each leaf.
    pub(crate) l2: f64,
    /// The least sum of second derivatives on each side of a split.
    pub(crate) min_child_weight: f64,
    /// The share of rows that each tree sees, in `(0, 1]`.
    pub(crate) row_share: f64,
    /// The share of features that each tree sees, in `(0, 1]`.
    pub(crate) column_share: f64,
    /// Bins a feature, 2 to 255, missing values apart.
    pub(crate) max_bins: u8,
    /// Seed of the samples of rows and features.
    pub(crate) seed: u64,
}

impl Default for BoostingConfig {
    fn default() -> Self {
        Self {
            rounds: 100,
            depth: 3,
            learning_rate: 0.1,
            l2: 1.0,
            min_child_weight: 5.0,
            row_share: 1.0,
            column_share: 1.0,
            max_bins: 255,
            seed: 0,
        }
    }
}

impl BoostingConfig {
    /// Refuses settings outside their range.
    ///
    /// # Errors
    /// The first setting that is outside, with its value.
    pub(crate) fn check(&self) -> Result<()> {
        let share = |value: f64| value > 0.0 && value <= 1.0;
        let weight = |value: f64| value >= 0.0 && value.is_finite();
        let depth = (1..=MAX_DEPTH).contains(&self.depth);
        ensure!(depth, "depth is out of range depth={}", self.depth);
        let rate = self.learning_rate;
        ensure!(share(rate), "learning rate is out of range learning_rate={rate}");
        ensure!(weight(self.l2), "l2 is out of range l2={}", self.l2);
        let child = self.min_child_weight;
        ensure!(weight(child), "child weight is out of range min_child_weight={child}");
        ensure!(self.l2 + child > 0.0, "l2 and min_child_weight are both 0");
        ensure!(share(self.row_share), "share is out of range row_share={}", self.row_share);
        let columns = self.column_share;
        ensure!(share(columns), "share is out of range column_share={columns}");
        ensure!(self.max_bins >= 2, "too few bins max_bins={}", self.max_bins);
        Ok(())
    }
}

/// A trained ensemble. Its numbers are `f32`, which a JSON file carries without loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Booster {
    width: usize,
    /// The log-odds of the training labels.
    base: f32,
    trees: Vec<Tree>,
}

impl Booster {
    /// Trains on a row a label. `on_round` gets the round, from 0, and the mean log-loss over the
    /// training rows after it.
    ///
    /// # Errors
    /// Settings out of range, labels of another number than rows, labels of one kind only, no
    /// feature, or more than `u32::MAX` rows.
    pub(crate) fn fit(
        features: &Array2<f32>,
        labels: &[bool],
        config: &BoostingConfig,
        on_round: &mut dyn FnMut(u32, f64),
    ) -> Result<Self> {
        Self::fit_on(parallel::workers(), features, labels, config, on_round)
    }

    fn fit_on(
        workers: usize,
        features: &Array2<f32>,
        labels: &[bool],
        config: &BoostingConfig,
        on_round: &mut dyn FnMut(u32, f64),
    ) -> Result<Self> {
        config.check()?;
        let base = base(features, labels)?;
        let rows = labels.len();
        let mut views: Vec<ArrayView1<'_, f32>> = features.columns().into_iter().collect();
        let columns =
            parallel::each(workers, &mut views, |view| Column::new(*view, config.max_bins));
        let limits = Limits {
            depth: config.depth,
            l2: config.l2,
            min_child_weight: config.min_child_weight,
            learning_rate: config.learning_rate,
            workers,
        };
        let matrix = features.as_standard_layout();
        let matrix = matrix.as_slice().unwrap_or_default();
        let mut margins = vec![f64::from(base); rows];
        let mut slopes = vec![[0.0; 2]; rows];
        let mut trees = Vec::new();
        take_slopes(workers, &margins, labels, &mut slopes);
        for round in 0..config.rounds {
            let mut random = SplitMix64::new(config.seed, u64::from(round));
            let chosen = sample_columns(&mut random, columns.len(), config.column_share);
            let order = sample_rows(&mut random, rows, config.row_share);
            let tree = grow::grow(&columns, &chosen, &slopes, order, &limits);
            add(workers, std::slice::from_ref(&tree), matrix, columns.len(), &mut margins);
            trees.push(tree);
            on_round(round, take_slopes(workers, &margins, labels, &mut slopes));
        }
        Ok(Self { width: columns.len(), base, trees })
    }

    /// The probability of a yes for each row.
    ///
    /// # Errors
    /// A matrix of another width than that of training.
    pub(crate) fn predict(&self, features: &Array2<f32>) -> Result<Vec<f64>> {
        let width = features.ncols();
        ensure!(width == self.width, "matrix has another width={width} trained={}", self.width);
        let matrix = features.as_standard_layout();
        let matrix = matrix.as_slice().unwrap_or_default();
        let mut margins = vec![f64::from(self.base); features.nrows()];
        add(parallel::workers(), &self.trees, matrix, width, &mut margins);
        margins.iter_mut().for_each(|margin| *margin = sigmoid(*margin));
        Ok(margins)
    }

    /// How many features a row has.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Refuses a model, read from a file, that could not score.
    ///
    /// # Errors
    /// The first part that is wrong.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(self.width > 0, "model has no feature");
        ensure!(self.base.is_finite(), "base is not finite base={}", self.base);
        self.trees.iter().try_for_each(|tree| tree.check(self.width))
    }
}

/// The logistic function.
pub(super) fn sigmoid(margin: f64) -> f64 {
    1.0 / (1.0 + (-margin).exp())
}

/// Checks the shape of the training data and returns the log-odds of its labels.
fn base(features: &Array2<f32>, labels: &[bool]) -> Result<f32> {
    let (rows, width) = features.dim();
    ensure!(rows == labels.len(), "rows={rows} are not as many as labels={}", labels.len());
    ensure!(u32::try_from(rows).is_ok(), "too many rows={rows}");
    ensure!((1..=usize::from(u16::MAX)).contains(&width), "no or too many features={width}");
    let positive = labels.iter().filter(|label| **label).count();
    ensure!(positive > 0 && positive < rows, "labels are all alike rows={rows} late={positive}");
    Ok((positive as f64 / (rows - positive) as f64).ln() as f32)
}

/// Adds what the trees say of each row.
fn add(workers: usize, trees: &[Tree], matrix: &[f32], width: usize, sums: &mut [f64]) {
    // A width of 0 never gets here; `max` keeps the split of the rows total.
    let rows = matrix.chunks(PIECE * width.max(1));
    let mut pieces: Vec<_> = rows.zip(sums.chunks_mut(PIECE)).collect();
    parallel::each(workers, &mut pieces, |(rows, sums)| {
        trees.iter().for_each(|tree| tree.add_values(rows, width, sums));
    });
}

/// Writes the derivatives of the log-loss by the margin, and returns the mean log-loss.
fn take_slopes(workers: usize, margins: &[f64], labels: &[bool], slopes: &mut [[f32; 2]]) -> f64 {
    let pieces = margins.chunks(PIECE).zip(labels.chunks(PIECE)).zip(slopes.chunks_mut(PIECE));
    let mut pieces: Vec<_> = pieces.collect();
    let losses = parallel::each(workers, &mut pieces, |((margins, labels), slopes)| {
        let mut loss = 0.0;
        for ((margin, label), slope) in margins.iter().zip(labels.iter()).zip(slopes.iter_mut()) {
            let small = (-margin.abs()).exp();
            let sure = 1.0 / (1.0 + small);
            let late = if *margin >= 0.0 { sure } else { small * sure };
            let label = f64::from(u8::from(*label));
            *slope = [(late - label) as f32, (small * sure * sure).max(MIN_HESSIAN) as f32];
            loss += margin.max(0.0) - margin * label + small.ln_1p();
        }
        loss
    });
    losses.iter().sum::<f64>() / margins.len() as f64
}

/// Ascending, at least one.
fn sample_columns(random: &mut SplitMix64, count: usize, share: f64) -> Vec<usize> {
    let wanted = ((count as f64 * share).round() as usize).clamp(1, count);
    let mut chosen: Vec<usize> = (0..count).collect();
    for at in 0..wanted {
        chosen.swap(at, at + random.below(count - at));
    }
    chosen.truncate(wanted);
    chosen.sort_unstable();
    chosen
}

/// Ascending; each row comes with the probability `share`.
fn sample_rows(random: &mut SplitMix64, count: usize, share: f64) -> Vec<u32> {
    let all = 0..count as u32;
    if share < 1.0 { all.filter(|_| random.unit() < share).collect() } else { all.collect() }
}
