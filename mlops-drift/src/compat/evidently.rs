//! Evidently 0.7.23: `DataDriftPreset` and the tests that it takes by name.

use super::column::{Column, Rows};
use super::finding::{Compared, Finding, Method};
use super::pair::{self, Cells, Pair};
use super::report::Found;
use super::significance::{self, Test};
use super::{bins, distance, epps_singleton, goodness, location, scipy, two_sample};
use crate::statistic::{Point, Sample, ks, moments, wasserstein};

/// Beyond so many reference values distances decide instead of tests.
const SMALL: u64 = 1_000;
/// An integer column with so few distinct current values is categorical.
const FEW_INTEGERS: usize = 10;
/// So few distinct values on both sides are judged by category, whatever the type.
const FEW_VALUES: usize = 5;
/// So few distinct reference values are no reason for bins.
const UNBINNED: usize = 20;
/// The level of the tests, and the threshold of the distances.
const ALPHA: f64 = 0.05;
const FAR: f64 = 0.1;
/// The level of Anderson-Darling, Cramer-von Mises, G and Fisher.
const WIDE: f64 = 0.1;
/// What the deviation counts for at least.
const LEAST_DEVIATION: f64 = 0.001;

/// Judges a column with usable values on both sides; the type goes by the current one.
pub(super) fn check(pair: &Pair<'_>, current: &Column) -> Found {
    match pair {
        Pair::Categories(..) if is_text(current) => Found::unchecked(
            "more than half of the current values are distinct: text, whose classifier is not reproduced",
        ),
        Pair::Categories(..) => categorical(&pair.cells()),
        Pair::Integers(_, rows) if pair::sample(rows).runs().len() <= FEW_INTEGERS => {
            categorical(&pair.cells())
        }
        Pair::Integers(r, c) => numeric(&pair::sample(r), &pair::sample(c)),
        // Integers that are floating point on the reference side only.
        Pair::Floats(_, rows)
            if matches!(current.0, Rows::Integers(_))
                && pair::sample(rows).runs().len() <= FEW_INTEGERS =>
        {
            categorical(&pair.cells())
        }
        Pair::Floats(r, c) => numeric(&pair::sample(r), &pair::sample(c)),
    }
}

fn is_text(current: &Column) -> bool {
    let Rows::Categories { rows, free: true } = &current.0 else { return false };
    let known = rows.iter().flatten().count();
    let distinct = rows.iter().flatten().collect::<std::collections::BTreeSet<_>>().len();
    2 * distinct > known
}

fn categorical(cells: &Cells) -> Found {
    let default = match distance::totals(cells).0 {
        ..=SMALL if cells.len() > 2 => Method::ChiSquare,
        ..=SMALL => Method::Z,
        _ => Method::JensenShannon,
    };
    let on_request = [
        Method::Psi,
        Method::JensenShannon,
        Method::KullbackLeibler,
        Method::Hellinger,
        Method::ChiSquare,
        Method::G,
        Method::Fisher,
    ];
    Found::of(first(default, &on_request).map(|method| by_cells(method, cells)).collect())
}

fn numeric<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Found {
    let cells = pair::cells(reference, current);
    let default = match reference.len() {
        ..=SMALL if cells.len() > FEW_VALUES => Method::KolmogorovSmirnov,
        ..=SMALL if cells.len() > 2 => Method::ChiSquare,
        ..=SMALL => Method::Z,
        _ if cells.len() > FEW_VALUES => Method::WassersteinNormed,
        _ => Method::JensenShannon,
    };
    let on_request = [
        Method::KolmogorovSmirnov,
        Method::WassersteinNormed,
        Method::Psi,
        Method::JensenShannon,
        Method::KullbackLeibler,
        Method::Hellinger,
        Method::Energy,
        Method::MannWhitney,
        Method::T,
        Method::AndersonDarling,
        Method::CramerVonMises,
        Method::EppsSingleton,
    ];
    let binned = binned(reference, current, &cells);
    let finding = |method| match method {
        Method::KolmogorovSmirnov => kolmogorov_smirnov(reference, current),
        Method::WassersteinNormed => wasserstein_normed(reference, current),
        Method::Hellinger => {
            let cells = hellinger_cells(reference, current, cells.len() as u64);
            by_cells(method, &cells)
        }
        Method::Energy => energy(reference, current),
        Method::MannWhitney => tested(method, location::u_less(reference, current), ALPHA),
        Method::T => tested(method, location::t(reference, current), ALPHA),
        Method::AndersonDarling => {
            tested(method, goodness::anderson_darling(reference, current), WIDE)
        }
        Method::CramerVonMises => {
            let found = tested(method, goodness::cramer_von_mises(reference, current), WIDE);
            Finding { drifted: found.p_value.map(|p| p <= WIDE), ..found }
        }
        Method::EppsSingleton => tested(method, epps_singleton::test(reference, current), ALPHA),
        Method::ChiSquare | Method::Z => by_cells(method, &cells),
        other => by_cells(other, &binned),
    };
    Found::of(first(default, &on_request).map(finding).collect())
}

/// The default first, then the others, each once.
fn first(default: Method, others: &[Method]) -> impl Iterator<Item = Method> {
    let others = others.iter().copied().filter(move |method| *method != default);
    std::iter::once(default).chain(others)
}

fn by_cells(method: Method, cells: &Cells) -> Finding {
    let test = |found: Test| tested(method, Some(found), ALPHA);
    let far = |value: Option<f64>| Finding::distance(method, value, FAR);
    match method {
        Method::ChiSquare => test(significance::chi_square_one_sample(cells)),
        Method::Z => test(significance::z(cells)),
        Method::G => tested(method, significance::g_one_sample(cells), WIDE),
        Method::Fisher => tested(method, significance::fisher(cells), WIDE),
        Method::Psi => far(distance::psi_filled(cells)),
        Method::JensenShannon => far(distance::jensen_shannon(cells)),
        Method::KullbackLeibler => far(distance::kullback_leibler_filled(cells)),
        Method::Hellinger => far(distance::hellinger(cells)),
        other => Finding::description(other, None),
    }
}

fn tested(method: Method, found: Option<Test>, level: f64) -> Finding {
    match found {
        Some(found) => Finding::test(method, found.statistic, found.p, level),
        None => Finding { compared: Compared::PValue, ..Finding::description(method, None) },
    }
}

/// The energy distance, drift above the threshold.
fn energy<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Finding {
    let value = scipy::energy(reference, current);
    let drifted = value.map(|value| value > FAR);
    Finding { drifted, ..Finding::distance(Method::Energy, value, FAR) }
}

/// Kolmogorov-Smirnov, drift up to the level itself.
fn kolmogorov_smirnov<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Finding {
    let method = Method::KolmogorovSmirnov;
    let Some(ks) = ks(reference, current) else { return tested(method, None, ALPHA) };
    let p = two_sample::p_value(&ks, reference.len(), current.len());
    Finding { drifted: Some(p <= ALPHA), ..Finding::test(method, ks.value, p, ALPHA) }
}

fn wasserstein_normed<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> Finding {
    let deviation = moments(reference, current).map(|moments| moments.reference.1);
    let value = wasserstein(reference, current)
        .zip(deviation)
        .map(|(distance, deviation)| distance / deviation.max(LEAST_DEVIATION));
    Finding::distance(Method::WassersteinNormed, value, FAR)
}

/// Sturges' bins of both sides together, or the values themselves where the reference has few.
fn binned<T: Point>(reference: &Sample<T>, current: &Sample<T>, cells: &Cells) -> Cells {
    if reference.runs().len() <= UNBINNED {
        return cells.clone();
    }
    let values = reference.len() + current.len();
    histogram(reference, current, values).unwrap_or_else(|| cells.clone())
}

/// Sturges' bins of the distinct values of both sides.
fn hellinger_cells<T: Point>(reference: &Sample<T>, current: &Sample<T>, distinct: u64) -> Cells {
    histogram(reference, current, distinct).unwrap_or_default()
}

fn histogram<T: Point>(reference: &Sample<T>, current: &Sample<T>, values: u64) -> Option<Cells> {
    let (low, high) = pair::range(reference, current)?;
    let bins = bins::sturges(low, high, values);
    Some(bins.counts(reference).into_iter().zip(bins.counts(current)).collect())
}
