//! What drift may look like: laws of the counts that bet against the urn.
//!
//! A third of the weight is on *tilts*, which know their kind and so need few rows: the cells'
//! probabilities are multiplied by `exp(d z)` (a shift by `d` standard deviations, exactly so for
//! normal data) or by `exp((1 - 1/s^2) z^2 / 2)` (a spread `s` times as wide), `z` the normal score of
//! the cell. A third is on *peaks*: one cell, whichever, has another share, such as the last one when
//! values come that the reference has never seen. A third is on a *tree*, which knows nothing and
//! learns: cells are halved again and again, and each node is either as the urn has it or a Beta law of
//! less concentration. Such trees are those of Ma and Wong ("Coupling optional Pólya trees and the two sample problem", Journal of the
//! American Statistical Association 106, 2011) and of Holmes, Caron, Griffin and Stephens
//! ("Two-sample Bayesian nonparametric hypothesis testing", Bayesian Analysis 10, 2015).
//!
//! Each of them is a law of sequences of cells, so its ratio to the urn's has expectation 1.

use statrs::function::erf::erfc_inv;

use super::rising::{ln_add, ln_rising};

/// Shifts in standard deviations, each upwards and downwards.
const SHIFTS: [f64; 4] = [0.06, 0.16, 0.4, 1.0];
/// Spreads, each wider and narrower.
const SPREADS: [f64; 2] = [1.25, 1.8];
/// The prior probability that a node of the tree differs is half its share, but no less than this.
const RARELY: f64 = 1.0 / 64.0;
/// By how much the concentrations that a node tries differ.
const THINNER: f64 = 8.0;

/// The laws that bet against an urn with these gaps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alternatives {
    /// The factors of the cells, for each tilt.
    tilts: Vec<Vec<f64>>,
    nodes: Vec<Node>,
}

/// Cells `low..high`, halved at `cut`.
#[derive(Debug, Clone, PartialEq)]
struct Node {
    low: usize,
    cut: usize,
    high: usize,
    ln_differs: f64,
    ln_same: f64,
}

impl Alternatives {
    pub(super) fn new(gaps: &[u64]) -> Self {
        let scores = normal_scores(gaps);
        let shifts = SHIFTS.iter().flat_map(|&shift| [shift, -shift]).map(|shift| (shift, 0.0));
        let spreads = SPREADS.iter().flat_map(|&spread| [spread, 1.0 / spread]);
        let spreads = spreads.map(|spread| (0.0, (1.0 - 1.0 / (spread * spread)) / 2.0));
        let factor = |(first, second): (f64, f64)| {
            scores.iter().map(|z| (first * z + second * z * z).exp()).collect()
        };
        let tilts = shifts.chain(spreads).map(factor).collect();
        let mut nodes = Vec::new();
        let below = cumulated(gaps.iter().map(|&gap| gap as f64));
        plant(&below, 0, gaps.len(), &mut nodes);
        Self { tilts, nodes }
    }

    /// The logarithm of the mixture's probability of the `since` counts over that of the urn which
    /// holds `base` in each cell.
    pub(super) fn ln_ratio(&self, base: &[f64], since: &[u64]) -> f64 {
        let tilts = self.tilted(base, since) - (self.tilts.len() as f64).ln();
        let peaks = peaked(base, since) - (base.len() as f64).ln();
        ln_add(ln_add(tilts, peaks), self.tree(base, since)) - f64::ln(3.0)
    }

    /// The sum of the ratios of all tilts. A tilted urn holds as much as the urn itself, so that only
    /// the cells' own factors differ.
    fn tilted(&self, base: &[f64], since: &[u64]) -> f64 {
        let held = || base.iter().zip(since).enumerate().filter(|(_, (_, count))| **count > 0);
        let urn: f64 = held().map(|(_, (&base, &count))| ln_rising(base, count)).sum();
        let all: f64 = base.iter().sum();
        let ratio = |factors: &Vec<f64>| {
            let tilted: f64 = factors.iter().zip(base).map(|(factor, base)| factor * base).sum();
            let scale = all / tilted;
            let cell = |(cell, (&base, &count)): (usize, (&f64, &u64))| {
                ln_rising((base * factors[cell] * scale).max(f64::MIN_POSITIVE), count)
            };
            held().map(cell).sum::<f64>() - urn
        };
        self.tilts.iter().map(ratio).fold(f64::NEG_INFINITY, ln_add)
    }

    fn tree(&self, base: &[f64], since: &[u64]) -> f64 {
        let weights = cumulated(base.iter().copied());
        let mut sum = 0;
        let counts: Vec<u64> = std::iter::once(0)
            .chain(since.iter().map(|count| {
                sum += count;
                sum
            }))
            .collect();
        let node = |node: &Node| {
            let weight = |from: usize, to: usize| weights[to] - weights[from];
            let count = |from: usize, to: usize| counts[to] - counts[from];
            let weights = [weight(node.low, node.cut), weight(node.cut, node.high)];
            let counts = [count(node.low, node.cut), count(node.cut, node.high)];
            if counts == [0, 0] {
                return 0.0;
            }
            ln_add(node.ln_same, node.ln_differs + ln_thinner(weights, counts))
        };
        self.nodes.iter().map(node).sum()
    }
}

/// The sum of the ratios of all peaks. Within the other cells nothing differs, so one cell against all
/// others is what is left.
fn peaked(base: &[f64], since: &[u64]) -> f64 {
    let all: f64 = base.iter().sum();
    let count: u64 = since.iter().sum();
    let cell =
        |(weight, here): (&f64, &u64)| ln_thinner([*weight, all - weight], [*here, count - here]);
    base.iter().zip(since).map(cell).fold(f64::NEG_INFINITY, ln_add)
}

/// The mean ratio of Beta laws of less concentration around the same share to the urn's own.
fn ln_thinner(weights: [f64; 2], counts: [u64; 2]) -> f64 {
    let all = counts[0] + counts[1];
    let ln_law = |[left, right]: [f64; 2]| {
        ln_rising(left, counts[0]) + ln_rising(right, counts[1]) - ln_rising(left + right, all)
    };
    let urn = ln_law(weights);
    let (mut sum, mut laws, mut thinner) = (f64::NEG_INFINITY, 0.0, 0.25);
    while laws == 0.0 || (weights[0] + weights[1]) * thinner >= 1.0 {
        sum = ln_add(sum, ln_law(weights.map(|weight| weight * thinner)));
        laws += 1.0;
        thinner /= THINNER;
    }
    sum - f64::ln(laws) - urn
}

/// Normal scores of the middles of the cells.
fn normal_scores(gaps: &[u64]) -> Vec<f64> {
    let below = cumulated(gaps.iter().map(|&gap| gap as f64));
    let all = below[gaps.len()];
    let score = |pair: &[f64]| {
        let middle = (pair[0] + pair[1]) / (2.0 * all);
        -std::f64::consts::SQRT_2 * erfc_inv(2.0 * middle)
    };
    below.windows(2).map(score).collect()
}

/// The sums of the first 0, 1, 2 ... of them.
fn cumulated(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    let next = values.map(|value| {
        sum += value;
        sum
    });
    std::iter::once(0.0).chain(next).collect()
}

/// Halves `low..high` where its gaps are parted most evenly, and so on.
fn plant(below: &[f64], low: usize, high: usize, nodes: &mut Vec<Node>) {
    if high - low < 2 {
        return;
    }
    let middle = (below[low] + below[high]) / 2.0;
    let uneven = |cut: &usize| (below[*cut] - middle).abs();
    let nearest = (low + 1..high).min_by(|a, b| uneven(a).total_cmp(&uneven(b)));
    let cut = nearest.unwrap_or(low + 1);
    let share = (below[high] - below[low]) / below[below.len() - 1];
    let differs = f64::max(share / 2.0, RARELY);
    nodes.push(Node { low, cut, high, ln_differs: differs.ln(), ln_same: (-differs).ln_1p() });
    plant(below, low, cut, nodes);
    plant(below, cut, high, nodes);
}
