//! NannyML 0.13.1: `UnivariateDriftCalculator`, chunk by chunk.

use std::ops::Range;

use super::distance;
use super::finding::{Chunk, Finding, Method};
use super::pair::{Coded, Pair, sample};
use super::report::Found;
use super::significance::{Test, chi_square_table};
use super::{bins, pair};
use crate::statistic::{Point, ks, wasserstein};

/// How many chunks each side is cut into; what is left over is a further, shorter one.
const CHUNKS: usize = 10;
/// The threshold lies so many deviations above the mean of the reference's chunks.
const DEVIATIONS: f64 = 3.0;
/// The level of chi-square, which goes by its p-value.
const ALPHA: f64 = 0.05;

/// Judges a column with usable values on both sides.
pub(super) fn check(pair: &Pair<'_>) -> Found {
    match pair {
        Pair::Floats(r, c) => numeric(r, c),
        Pair::Integers(r, c) => numeric(r, c),
        Pair::Categories(r, c) => categorical(r, c),
    }
}

fn numeric<T: Point>(reference: &[T], current: &[T]) -> Found {
    let (Some(ours), Some(theirs)) = (chunks(reference.len()), chunks(current.len())) else {
        return too_few();
    };
    let whole = sample(reference);
    let bins = bins::doane(&whole);
    let fitted = bins.counts(&whole);
    let binned = |rows: &[T]| {
        let rows = sample(rows);
        (!rows.is_empty()).then(|| with_leftover(&fitted, &bins.counts(&rows), rows.len()))
    };
    let base_2 = |value: f64| value / std::f64::consts::LN_2.sqrt();
    let measure = |method: Method, rows: &[T]| match method {
        Method::JensenShannon => {
            binned(rows).and_then(|cells| distance::jensen_shannon(&cells)).map(base_2)
        }
        Method::Hellinger => binned(rows).and_then(|cells| distance::hellinger(&cells)),
        Method::KolmogorovSmirnov => ks(&whole, &sample(rows)).map(|ks| ks.value),
        _ => wasserstein(&whole, &sample(rows)),
    };
    let methods =
        [Method::JensenShannon, Method::KolmogorovSmirnov, Method::Wasserstein, Method::Hellinger];
    let finding = |method: Method| {
        let reference = ours.iter().filter_map(|rows| measure(method, &reference[rows.clone()]));
        let threshold = threshold(method, &reference.collect::<Vec<_>>());
        let values = theirs.iter().map(|rows| (rows, measure(method, &current[rows.clone()])));
        by_chunks(method, threshold, values)
    };
    Found::of(methods.map(finding).into())
}

fn categorical(reference: &Coded, current: &Coded) -> Found {
    let (Some(ours), Some(theirs)) = (chunks(reference.rows.len()), chunks(current.rows.len()))
    else {
        return too_few();
    };
    let fitted = reference.counts(0..reference.rows.len());
    let cells = |side: &Coded, rows: &Range<usize>| -> pair::Cells {
        fitted.iter().copied().zip(side.counts(rows.clone())).collect()
    };
    let measure = |method: Method, side: &Coded, rows: &Range<usize>| {
        let cells = cells(side, rows);
        match method {
            Method::LInfinity => distance::l_infinity(&cells),
            Method::Hellinger => distance::hellinger(&leftover_as_one(&cells)),
            _ => distance::jensen_shannon(&leftover_as_one(&cells))
                .map(|value| value / std::f64::consts::LN_2.sqrt()),
        }
    };
    let finding = |method: Method| {
        let values = ours.iter().filter_map(|rows| measure(method, reference, rows));
        let threshold = threshold(method, &values.collect::<Vec<_>>());
        let values = theirs.iter().map(|rows| (rows, measure(method, current, rows)));
        by_chunks(method, threshold, values)
    };
    let tests = theirs.iter().map(|rows| {
        let cells = cells(current, rows);
        (rows, (distance::totals(&cells).1 > 0).then(|| chi_square_table(&cells)))
    });
    let [jensen_shannon, hellinger, l_infinity] =
        [Method::JensenShannon, Method::Hellinger, Method::LInfinity].map(finding);
    Found::of(vec![jensen_shannon, chi_square(tests), hellinger, l_infinity])
}

fn too_few() -> Found {
    Found::unchecked(format!("fewer than {CHUNKS} rows on a side make no chunks"))
}

/// The rows of each chunk; `None` where there are fewer rows than chunks.
fn chunks(rows: usize) -> Option<Vec<Range<usize>>> {
    let size = rows / CHUNKS;
    (size > 0).then(|| (0..rows).step_by(size).map(|from| from..(from + size).min(rows)).collect())
}

/// Mean and three deviations (divided by n) of the reference's chunks; the distance of
/// Kolmogorov-Smirnov is at most 1.
fn threshold(method: Method, values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    let upper = mean + DEVIATIONS * variance.sqrt();
    if method == Method::KolmogorovSmirnov { upper.min(1.0) } else { upper }
}

/// The reference's bins beside the chunk's, and what lies outside of them in a bin of its own.
fn with_leftover(fitted: &[u64], counts: &[u64], rows: u64) -> pair::Cells {
    let outside = rows - counts.iter().sum::<u64>();
    let inside = fitted.iter().copied().zip(counts.iter().copied());
    inside.chain((outside > 0).then_some((0, outside))).collect()
}

/// Categories that the reference lacks, as one.
fn leftover_as_one(cells: &pair::Cells) -> pair::Cells {
    let unseen = cells.iter().filter(|cell| cell.0 == 0).map(|cell| cell.1).sum::<u64>();
    let seen = cells.iter().copied().filter(|cell| cell.0 > 0);
    seen.chain((unseen > 0).then_some((0, unseen))).collect()
}

fn by_chunks<'a>(
    method: Method,
    threshold: f64,
    values: impl Iterator<Item = (&'a Range<usize>, Option<f64>)>,
) -> Finding {
    let alert = |value: Option<f64>| value.is_some_and(|value| value > threshold);
    let chunks: Vec<Chunk> =
        values.map(|(rows, value)| chunk(rows, value, None, alert(value))).collect();
    let most = chunks.iter().filter_map(|chunk| chunk.statistic).fold(f64::NAN, f64::max);
    let drifted = Some(chunks.iter().any(|chunk| chunk.drifted));
    Finding { drifted, chunks, ..Finding::distance(method, Some(most), threshold) }
}

fn chi_square<'a>(tests: impl Iterator<Item = (&'a Range<usize>, Option<Test>)>) -> Finding {
    let chunks: Vec<Chunk> = tests
        .map(|(rows, test)| {
            let (statistic, p) = test.map(|test| (test.statistic, test.p)).unzip();
            chunk(rows, statistic, p, p.is_some_and(|p| p < ALPHA))
        })
        .collect();
    let most = chunks.iter().filter_map(|chunk| chunk.statistic).fold(f64::NAN, f64::max);
    let least = chunks.iter().filter_map(|chunk| chunk.p_value).fold(f64::NAN, f64::min);
    let drifted = Some(chunks.iter().any(|chunk| chunk.drifted));
    Finding { drifted, chunks, ..Finding::test(Method::ChiSquare, most, least, ALPHA) }
}

fn chunk(
    rows: &Range<usize>,
    statistic: Option<f64>,
    p_value: Option<f64>,
    drifted: bool,
) -> Chunk {
    Chunk { from: rows.start as u64, rows: rows.len() as u64, statistic, p_value, drifted }
}
