//! The statistics as plain functions: correct by sorting, with integers where integers will do.
//!
//! Numeric ones take two [`Sample`]s, reference first; those of categories and bins take counts.
//! An empty side gives `None`, never 0. NaN and infinities are left out when a sample is made,
//! -0.0 equals 0.0, and constant data is data like any other.

mod category;
mod ks;
mod ks_law;
mod moments;
mod psi;
mod rank;
mod sample;
mod sliding;
mod sum;
#[cfg(test)]
mod tests;
mod wasserstein;

pub use category::{g, total_variation};
pub use ks::{Ks, ks};
pub use ks_law::{Law, PValue, ks_p_value};
pub use moments::{Moments, moments};
pub use psi::{EmptyBins, bin_counts, decile_edges, psi};
pub use rank::{RankStatistic, mann_whitney, mood};
pub(crate) use sample::pool;
pub use sample::{Point, Sample};
pub use sliding::{EdgeCells, SlidingKs, SlidingPromise, sliding_critical};
pub(crate) use sum::Sum;
pub use wasserstein::wasserstein;
