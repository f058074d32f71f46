//! The building blocks against plain loops, closed forms and published values.

use super::pair::Cells;
use super::significance::{chi_square_one_sample, chi_square_point, chi_square_table, z};
use super::{Column, Method, Peer, Verdict, bins, distance};
use crate::statistic::Sample;

#[track_caller]
fn near(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance * expected.abs(), "{value} against {expected}");
}

fn cells(reference: &[u64], current: &[u64]) -> Cells {
    reference.iter().copied().zip(current.iter().copied()).collect()
}

#[test]
fn sturges_makes_as_many_bins_as_its_formula_says() {
    // log2(100) + 1 = 7.64 bins at least, so 8 of width 99 / 8.
    let edges = bins::sturges(0_i128, 99, 100).edges;
    assert_eq!(edges.len(), 9);
    near(edges[1], 99.0 / 8.0, 1e-15);
    // Bins of integers are at least one wide, those of floating point need not be.
    assert_eq!(bins::sturges(0_i128, 3, 1_000).edges.len(), 4);
    assert_eq!(bins::sturges(0.0, 3.0, 1_000).edges.len(), 12);
    assert_eq!(bins::sturges(5.0, 5.0, 10).edges, [4.5, 5.5]);
    // The range of these two has no f64.
    let wide = bins::sturges(-f64::MAX, f64::MAX, 100).edges;
    assert!(wide.len() == 9 && wide.iter().all(|edge| edge.is_finite()), "{wide:?}");
    // These edges would all be one number, so they count from the lowest value.
    let far = bins::sturges(u64::MAX as i128 - 99, u64::MAX as i128, 100);
    let values = Sample::new((0..100).map(|row| u64::MAX as i128 - row));
    assert_eq!(far.counts(&values), [13, 12, 13, 12, 12, 13, 12, 13]);
}

/// Doane's count from its formula, on values whose moments are known: 0 (nine times) and 1 (once) have
/// skewness (1 - 2p) / sqrt(p (1 - p)) with p = 1/10.
#[test]
fn doane_makes_more_bins_for_skewed_data() {
    let values = (0..100).map(|row| if row % 10 == 0 { 1.0 } else { 0.0 });
    let skew = 0.8 / 0.3;
    let scale = (6.0 * 98.0 / (101.0 * 103.0_f64)).sqrt();
    let expected = (1.0 + 100_f64.log2() + (1.0 + skew / scale).log2()).ceil();
    assert_eq!(bins::doane(&Sample::new(values)).edges.len(), expected as usize + 1);
    assert_eq!(bins::doane(&Sample::new([7.0; 50])).edges.len(), 2);
    assert_eq!(bins::doane(&Sample::new([1.0, 2.0])).edges.len(), 2);
}

#[test]
fn counts_agree_with_a_plain_loop() {
    let values: Vec<f64> = (0..500).map(|row| f64::from(row * 7919 % 500) / 50.0 - 3.0).collect();
    let edges = vec![-2.0, -1.5, 0.0, 0.1, 5.0];
    let mut expected = vec![0; 4];
    for value in &values {
        for bin in 0..4 {
            let closed = bin == 3 && *value == edges[4];
            expected[bin] += u64::from(*value >= edges[bin] && *value < edges[bin + 1] || closed);
        }
    }
    let bins = bins::Bins { origin: None, edges };
    assert_eq!(bins.counts(&Sample::new(values)), expected);
}

#[test]
fn distances_have_their_closed_forms() {
    let apart = cells(&[5, 0], &[0, 7]);
    near(distance::jensen_shannon(&apart).unwrap_or(0.0), std::f64::consts::LN_2.sqrt(), 1e-15);
    near(distance::hellinger(&apart).unwrap_or(0.0), 1.0, 1e-15);
    assert_eq!(distance::l_infinity(&apart), Some(1.0));
    let same = cells(&[2, 4], &[1, 2]);
    assert_eq!(distance::jensen_shannon(&same), Some(0.0));
    assert_eq!(distance::hellinger(&same), Some(0.0));
    // 1 - BC with BC = sqrt(.5 * .2) + sqrt(.5 * .8).
    let half = cells(&[1, 1], &[2, 8]);
    let expected = (1.0 - 0.1_f64.sqrt() - 0.4_f64.sqrt()).sqrt();
    near(distance::hellinger(&half).unwrap_or(0.0), expected, 1e-14);
    assert_eq!(distance::l_infinity(&half), Some(0.3));
    for empty in [cells(&[0], &[3]), cells(&[3], &[0])] {
        assert_eq!(distance::jensen_shannon(&empty), None);
        assert_eq!(distance::l_infinity(&empty), None);
    }
}

#[test]
fn empty_shares_are_filled_as_evidently_does() {
    // The smallest share is large: an empty one becomes 1e-4.
    let value = distance::psi_filled(&cells(&[5, 5], &[0, 10])).unwrap_or(0.0);
    near(value, (0.5 - 1e-4) * (0.5 / 1e-4_f64).ln() - 0.5 * 0.5_f64.ln(), 1e-14);
    // It is at most 1e-4: an empty one becomes a millionth of it.
    let value = distance::psi_filled(&cells(&[50, 50, 0], &[9_999, 0, 1])).unwrap_or(0.0);
    let (p, least) = (0.9999_f64, 1e-10_f64);
    // The third cell, filled on the other side, holds 1e-4 on both and adds nothing.
    let expected = (0.5 - p) * (0.5 / p).ln() + (0.5 - least) * (0.5 / least).ln();
    near(value, expected, 1e-13);
    // Filled, then normalised to q = (1, 1e-4) / 1.0001 against a half each.
    let value = distance::kullback_leibler_filled(&cells(&[4, 0], &[3, 3])).unwrap_or(0.0);
    let q = [1.0 / 1.0001, 1e-4 / 1.0001_f64];
    near(value, q.iter().map(|q: &f64| q * (2.0 * q).ln()).sum(), 1e-13);
}

/// The examples of SciPy's `chisquare` and `chi2_contingency`, with the digits of their documentation.
#[test]
fn chi_square_agrees_with_the_published_examples() {
    let found = chi_square_one_sample(&cells(&[16, 16, 16, 16, 16, 8], &[16, 18, 16, 14, 12, 12]));
    near(found.statistic, 3.5, 1e-14);
    near(found.p, 0.623_387_627_749_582_2, 1e-12);
    let found = chi_square_table(&cells(&[10, 10, 20], &[20, 20, 20]));
    near(found.statistic, 2.777_777_777_777_777_7, 1e-14);
    near(found.p, 0.249_352_208_777_296_2, 1e-12);
    // Two by two: (|ad - bc| - N/2)^2 N / (row and column sums).
    let found = chi_square_table(&cells(&[12, 30], &[25, 23]));
    let expected = (12.0_f64 * 23.0 - 30.0 * 25.0).abs() - 45.0;
    near(found.statistic, expected.powi(2) * 90.0 / (37.0 * 53.0 * 42.0 * 48.0), 1e-13);
    // A correction never goes past no difference at all.
    assert_eq!(chi_square_table(&cells(&[10, 10], &[10, 10])).statistic, 0.0);
    assert_eq!(chi_square_table(&cells(&[10, 0], &[5, 0])).p, 1.0);
    let unseen = chi_square_one_sample(&cells(&[5, 5, 0], &[5, 5, 1]));
    assert_eq!((unseen.statistic, unseen.p), (f64::INFINITY, 0.0));
}

/// The 5 % points of any table of chi-square.
#[test]
fn the_points_of_chi_square_are_those_of_the_tables() {
    for (freedom, point) in [(1, 3.841_459), (9, 16.918_978), (30, 43.772_972)] {
        near(chi_square_point(0.05, freedom), point, 1e-7);
    }
    assert_eq!(chi_square_point(0.05, 0), 0.0);
}

/// Two degrees: the square of Z is the uncorrected chi-square of the table.
#[test]
fn the_square_of_z_is_chi_square() {
    let found = z(&cells(&[12, 30], &[25, 23]));
    let product: f64 = 12.0 * 23.0 - 30.0 * 25.0;
    near(found.statistic.powi(2), product.powi(2) * 90.0 / (37.0 * 53.0 * 42.0 * 48.0), 1e-13);
    near(z(&cells(&[50, 50], &[50, 50])).p, 1.0, 0.0);
    assert_eq!(z(&cells(&[5], &[9])).p, 1.0);
    // The tail stays where 1 - (1 - p) would have lost it.
    assert!(z(&cells(&[200, 0], &[0, 200])).p > 1e-90);
}

#[test]
fn evidently_chooses_by_type_size_and_distinct_values() {
    let floats = |n: usize, levels: usize| -> Column {
        Column::floats(&(0..n).map(|row| (row % levels) as f64).collect::<Vec<_>>())
    };
    let integers = |n: i64, levels: i64| -> Column {
        Column::integers(&(0..n).map(|row| row % levels).collect::<Vec<_>>())
    };
    let labels = |n: usize, levels: usize| -> Column {
        let names = ["a", "b", "c", "d"];
        Column::labels(&(0..n).map(|row| Some(names[row % levels])).collect::<Vec<_>>())
    };
    let chosen = |column: &Column| Peer::Evidently.check(column, column).findings[0].method;
    for (column, method) in [
        (floats(1_000, 6), Method::KolmogorovSmirnov),
        (floats(1_000, 5), Method::ChiSquare),
        (floats(1_000, 2), Method::Z),
        (floats(1_001, 6), Method::WassersteinNormed),
        (floats(1_001, 5), Method::JensenShannon),
        (integers(1_000, 11), Method::KolmogorovSmirnov),
        (integers(1_000, 10), Method::ChiSquare),
        (integers(1_001, 10), Method::JensenShannon),
        (integers(1_001, 11), Method::WassersteinNormed),
        (labels(1_000, 2), Method::Z),
        (labels(1_000, 3), Method::ChiSquare),
        (labels(1_001, 3), Method::JensenShannon),
    ] {
        assert_eq!(chosen(&column), method, "{} rows", column.len());
        assert_eq!(Peer::Evidently.check(&column, &column).verdict, Verdict::Stable);
    }
}
