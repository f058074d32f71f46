//! The statistics as plain functions: correct by sorting, with integers where integers will do.
//!
//! Numeric ones take two [`Sample`]s, reference first; those of categories and bins take counts.
//! An empty side gives `None`, never 0. NaN and infinities are left out when a sample is made,
//! -0.0 equals 0.0, and constant data is data like any other. Rows with weights have
//! [a module of their own](weighted).

mod anderson_darling;
mod category;
mod cramer_von_mises;
mod divergence;
mod ks;
mod ks_law;
mod moments;
mod psi;
mod rank;
mod sample;
mod shares;
mod sliding;
mod sum;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_bins;
mod wasserstein;
pub mod weighted;

pub(crate) use anderson_darling::anderson_darling_of;
pub use anderson_darling::{AndersonDarling, anderson_darling, anderson_darling_log_p};
pub use category::{chi_square, g, total_variation};
pub use cramer_von_mises::{cramer_von_mises, energy_distance};
pub(crate) use cramer_von_mises::{cramer_von_mises_of, energy_distance_of};
pub use divergence::{hellinger, jensen_shannon, kullback_leibler, l_infinity};
pub use ks::{Ks, ks};
pub(crate) use ks_law::ks_p_value_of;
pub use ks_law::{Law, PValue, ks_p_value};
pub use moments::{Moments, moments};
pub use psi::{EmptyBins, bin_counts, decile_edges, psi};
pub use rank::{RankStatistic, mann_whitney, mood};
pub(crate) use rank::{mann_whitney_of, mood_of};
pub use sample::{Point, Sample};
pub(crate) use sample::{Pooled, pool};
pub use sliding::{EdgeCells, SlidingKs, SlidingPromise, sliding_critical};
pub(crate) use sum::Sum;
pub use wasserstein::wasserstein;
