//! From counts to verdicts: tests calibrated by exchange, corrected for their number, with floors.
//!
//! A column brings up to three tests. Its *values*: location (Mann-Whitney), scale (Mood) and shape
//! (Anderson-Darling) taken together for numbers, G for categories. Its *nulls*: the share of rows without a usable value.
//! Its *range*: values outside of everything the reference holds. What is exchanged between the two
//! sides are single rows, or whole clusters where rows share their fate.

mod clusters;
mod coins;
mod correct;
mod draw;
mod exact;
mod joint;
mod marginal;
mod rows;
mod scores;
mod sequential;
mod tail;
mod test;
mod units;
mod verdict;

pub use correct::Correction;
pub(crate) use rows::Cells;
pub(crate) use test::{Compared, Exchange, Tested, nulls, range, values};
pub(crate) use units::Units;
pub(crate) use verdict::{Evidence, Outcome, decide};
