//! scouter-ml 0.25.0: PSI against a profile, with the threshold of its server.

use super::distance::totals;
use super::finding::{Finding, Method};
use super::pair::{self, Cells, Coded, Pair};
use super::report::Found;
use super::significance::chi_square_point;
use crate::statistic::{EmptyBins, Point, Sample, bin_counts, psi};

/// The smallest reference of which it makes deciles.
const LEAST_ROWS: u64 = 10;
/// The level of its threshold.
const ALPHA: f64 = 0.05;

/// Judges a column with usable values on both sides.
pub(super) fn check(pair: &Pair<'_>) -> Found {
    match pair {
        Pair::Floats(r, c) => numeric(&pair::sample(r), &pair::sample(c)),
        Pair::Integers(r, c) => numeric(&pair::sample(r), &pair::sample(c)),
        Pair::Categories(r, c) => by_cells(&with_nulls(r, c)),
    }
}

/// Deciles of type 7; equal ones are kept, which leaves bins between them that are always empty.
fn numeric<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Found {
    if reference.len() < LEAST_ROWS {
        return Found::unchecked(format!("fewer than {LEAST_ROWS} usable reference values"));
    }
    let edges: Vec<T> = (1..10).filter_map(|tenth| reference.quantile(tenth, 10)).collect();
    let counts = (bin_counts(reference, &edges), bin_counts(current, &edges));
    by_cells(&counts.0.into_iter().zip(counts.1).collect())
}

/// A null is a category like another, as in a pandas frame.
fn with_nulls(reference: &Coded, current: &Coded) -> Cells {
    let counts = |side: &Coded| side.counts(0..side.rows.len());
    let cells = counts(reference).into_iter().zip(counts(current));
    let nulls = (reference.missing(), current.missing());
    cells.chain((nulls != (0, 0)).then_some(nulls)).collect()
}

fn by_cells(cells: &Cells) -> Found {
    let (reference, current): (Vec<u64>, Vec<u64>) = cells.iter().copied().unzip();
    let value = psi(&reference, &current, EmptyBins::Epsilon);
    let freedom = cells.len().saturating_sub(1) as u64;
    let threshold = chi_square_point(ALPHA, freedom) / totals(cells).1 as f64;
    let drifted = value.map(|value| value > threshold);
    Found::of(vec![Finding { drifted, ..Finding::distance(Method::Psi, value, threshold) }])
}
