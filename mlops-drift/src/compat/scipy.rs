//! SciPy 1.17.1: what its functions return; it judges nothing, so the level is the customary one.

use super::finding::{Finding, Method};
use super::pair::{self, Pair};
use super::report::Found;
use super::significance::chi_square_table;
use super::two_sample;
use crate::statistic::{Point, Sample, Sum, ks, pool, wasserstein};

/// The customary level.
const ALPHA: f64 = 0.05;

/// Judges a column with usable values on both sides.
pub(super) fn check(pair: &Pair<'_>) -> Found {
    match pair {
        Pair::Floats(r, c) => numeric(&pair::sample(r), &pair::sample(c)),
        Pair::Integers(r, c) => numeric(&pair::sample(r), &pair::sample(c)),
        Pair::Categories(..) => {
            let test = chi_square_table(&pair.cells());
            Found::of(vec![Finding::test(Method::ChiSquare, test.statistic, test.p, ALPHA)])
        }
    }
}

fn numeric<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Found {
    let tested = ks(reference, current).map(|ks| {
        let p = two_sample::p_value(&ks, reference.len(), current.len());
        Finding::test(Method::KolmogorovSmirnov, ks.value, p, ALPHA)
    });
    let described = [
        Finding::description(Method::Wasserstein, wasserstein(reference, current)),
        Finding::description(Method::Energy, energy(reference, current)),
    ];
    Found::of(tested.into_iter().chain(described).collect())
}

/// The energy distance of SciPy, `sqrt(2 int (F - G)^2)` (Székely 2002), in the root of the unit.
pub(super) fn energy<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Option<f64> {
    let (low, high) = pair::range(reference, current)?;
    let scale = T::scale(low, high);
    let (n, m) = (u128::from(reference.len()), u128::from(current.len()));
    let product = n as f64 * m as f64;
    let (mut i, mut j, mut previous) = (0_u128, 0_u128, low);
    let mut area = Sum::default();
    for point in pool(reference.runs(), current.runs()) {
        let apart = (i * m).abs_diff(j * n) as f64 / product;
        area.add(T::gap(previous, point.value, scale) * apart * apart);
        previous = point.value;
        i += u128::from(point.reference);
        j += u128::from(point.current);
    }
    Some((2.0 * area.value()).sqrt() / scale.sqrt())
}
