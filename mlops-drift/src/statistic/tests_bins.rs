//! Published values and plain computations of the distances between shares, and of the squared
//! distances between distribution functions.

use proptest::prelude::*;

use super::*;

fn integers(values: &[i64]) -> Sample<i128> {
    Sample::new(values.iter().map(|&value| i128::from(value)))
}

fn close(a: Option<f64>, b: f64, tolerance: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() <= tolerance * b.abs().max(1e-12))
}

/// Formula (7) of Scholz & Stephens 1987 for any number of samples, by counting.
fn scholz_stephens(samples: &[Vec<f64>]) -> f64 {
    let mut distinct: Vec<f64> = samples.iter().flatten().copied().collect();
    let all = distinct.len() as f64;
    let pooled = distinct.clone();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let at = |side: &[f64], z: f64| side.iter().filter(|&&x| x == z).count() as f64;
    let below = |side: &[f64], z: f64| side.iter().filter(|&&x| x < z).count() as f64;
    let mut sum = 0.0;
    for sample in samples {
        let n = sample.len() as f64;
        for &z in &distinct {
            let tied = at(&pooled, z);
            let b = below(&pooled, z) + tied / 2.0;
            let m = below(sample, z) + at(sample, z) / 2.0;
            let spread = b * (all - b) - all * tied / 4.0;
            if spread > 0.0 {
                sum += tied / all * (all * m - n * b).powi(2) / spread / n;
            }
        }
    }
    sum * (all - 1.0) / all
}

/// Scholz & Stephens 1987, section 7: the smoothness of paper in four laboratories, A² = 8.3926 with
/// midranks. With what they published the plain computation is checked, with it ours.
#[test]
fn the_plain_anderson_darling_is_that_of_the_paper() {
    let laboratories = [
        vec![38.7, 41.5, 43.8, 44.5, 45.5, 46.0, 47.7, 58.0],
        vec![39.2, 39.3, 39.7, 41.4, 41.8, 42.9, 43.3, 45.8],
        vec![34.0, 35.0, 39.0, 40.0, 43.0, 43.0, 44.0, 45.0],
        vec![34.0, 34.8, 34.8, 35.4, 37.2, 37.8, 41.2, 42.8],
    ];
    assert!((scholz_stephens(&laboratories) - 8.3926).abs() < 5e-4);
    let pair = [laboratories[1].clone(), laboratories[3].clone()];
    let sides = [Sample::new(pair[0].clone()), Sample::new(pair[1].clone())];
    let found = anderson_darling(&sides[0], &sides[1]).map(|ad| ad.value);
    assert!(close(found, scholz_stephens(&pair), 1e-13), "{found:?}");
}

/// Conover's example as SciPy's tests have it (`test_example_conover`): T = 0.262.
#[test]
fn cramer_von_mises_agrees_with_conovers_example() {
    let x = [7.6, 8.4, 8.6, 8.7, 9.3, 9.9, 10.1, 10.6, 11.2];
    let y = [5.2, 5.7, 5.9, 6.5, 6.8, 8.2, 9.1, 9.8, 10.8, 11.3, 11.5, 12.3, 12.5, 13.4, 14.6];
    let found = cramer_von_mises(&Sample::new(x), &Sample::new(y));
    assert!(found.is_some_and(|t| (t - 0.262).abs() < 1e-3), "{found:?}");
}

#[test]
fn published_divergences() {
    // Kullback & Leibler's divergence of a binomial and a uniform law (Kullback 1959, example 2.1).
    let (p, q) = ([36, 48, 16], [100, 100, 100]);
    assert!(close(kullback_leibler(&p, &q, EmptyBins::Raw), 0.085_299_6, 1e-5));
    assert!(close(kullback_leibler(&q, &p, EmptyBins::Raw), 0.097_455_0, 1e-5));
    let both = 0.085_299_6 + 0.097_455_0;
    assert!(close(psi(&p, &q, EmptyBins::Raw), both, 1e-5), "both ways are Jeffreys'");
    // SciPy's documentation of `jensenshannon`, whose first example is in nats.
    let expected = 0.464_501_404_022_458_93 / 2_f64.ln().sqrt();
    assert!(close(jensen_shannon(&[7, 0], &[4, 4]), expected, 1e-14));
    assert_eq!(jensen_shannon(&[5, 0, 0], &[0, 9, 0]), Some(1.0));
    // SciPy's documentation of `chi2_contingency`.
    let found = chi_square(&[10, 10, 20], &[20, 20, 20]);
    assert!(close(found, 2.777_777_777_777_777_7, 1e-15), "{found:?}");
    // 1 - sqrt(1/2) is the squared distance of (1, 0) and (1/2, 1/2).
    assert!(close(hellinger(&[3, 0], &[2, 2]), (1.0 - 0.5_f64.sqrt()).sqrt(), 1e-14));
    assert_eq!(l_infinity(&[1, 1, 2], &[10, 0, 30]), Some(0.25));
}

#[test]
fn sides_that_have_nothing_in_common_and_sides_that_are_empty() {
    let (old, new) = ([4, 0], [0, 6]);
    assert_eq!(hellinger(&old, &new), Some(1.0));
    assert_eq!(l_infinity(&old, &new), Some(1.0));
    assert_eq!(kullback_leibler(&old, &new, EmptyBins::Raw), Some(f64::INFINITY));
    assert!(close(chi_square(&old, &new), 10.0, 1e-15));
    for empty in [EmptyBins::HalfCount, EmptyBins::Floor, EmptyBins::Epsilon] {
        assert!(kullback_leibler(&old, &new, empty).is_some_and(|d| d > 1.0 && d.is_finite()));
    }
    let (same, none) = ([3_u64, 0, 5], [0_u64; 3]);
    for distance in [hellinger, jensen_shannon, l_infinity, chi_square, total_variation] {
        assert_eq!(distance(&same, &[6, 0, 10]), Some(0.0));
        assert_eq!((distance(&same, &none), distance(&none, &same)), (None, None));
        assert_eq!((distance(&same, &[1, 2]), distance(&[], &[])), (None, None));
    }
    assert_eq!(kullback_leibler(&same, &none, EmptyBins::HalfCount), None);
}

#[test]
fn squared_distances_of_constants_and_of_empty_sides() {
    let (five, six) = (integers(&[5; 3]), integers(&[6; 4]));
    assert_eq!(energy_distance(&five, &five), Some(0.0));
    assert_eq!(energy_distance(&five, &six), Some(2_f64.sqrt()));
    assert_eq!(anderson_darling(&five, &five).map(|ad| (ad.value, ad.log_p)), Some((0.0, 0.0)));
    // Two equal constants: all midranks are (N + 1) / 2, by hand.
    let found = cramer_von_mises(&integers(&[5]), &integers(&[5]));
    assert!(close(found, (0.25 + 0.25) / 2.0 - 3.0 / 12.0, 1e-15), "{found:?}");
    let none = integers(&[]);
    assert!(energy_distance(&five, &none).is_none() && cramer_von_mises(&none, &five).is_none());
    assert!(anderson_darling(&none, &five).is_none() && anderson_darling(&five, &none).is_none());
    let huge = |sign: f64| Sample::new([sign * 1.7e308]);
    let far = energy_distance(&huge(1.0), &huge(-1.0));
    assert!(close(far, (2.0 * 3.4_f64).sqrt() * 1e154, 1e-14), "{far:?}");
}

#[test]
fn weights_are_repetitions_wherever_only_shares_count() {
    let bins = |weights: [f64; 3]| weighted::Bins::new(3, weights.into_iter().enumerate());
    let (old, new) = (bins([2.0, 3.0, 5.0]), bins([4.0, 4.0, 0.5]));
    let (old, new) = (old.expect("finite"), new.expect("finite"));
    let (r, c) = ([4_u64, 6, 10], [8_u64, 8, 1]);
    assert!(close(weighted::jensen_shannon(&old, &new), jensen_shannon(&r, &c).unwrap(), 1e-14));
    assert!(close(weighted::hellinger(&old, &new), hellinger(&r, &c).unwrap(), 1e-14));
    assert!(close(weighted::total_variation(&old, &new), total_variation(&r, &c).unwrap(), 1e-14));
    assert!(close(weighted::l_infinity(&old, &new), l_infinity(&r, &c).unwrap(), 1e-14));
    let raw = EmptyBins::Raw;
    assert!(close(weighted::psi(&old, &new, raw), psi(&r, &c, raw).unwrap(), 1e-13));
    let found = weighted::kullback_leibler(&old, &new, raw);
    assert!(close(found, kullback_leibler(&r, &c, raw).unwrap(), 1e-13));
    // wasserstein_distance([0, 1], [0, 1], [3, 1], [2, 2]) == 0.25 in SciPy's documentation.
    let w = weighted::wasserstein(&[(0.0, 3.0), (1.0, 1.0)], &[(1.0, 2.0), (0.0, 2.0)]);
    assert_eq!(w, Some(0.25));
}

/// Rows of equal weight are rows, whatever the weight: n of them count as n.
#[test]
fn equal_weights_are_no_weights() {
    let rows = [0_usize, 0, 1, 2, 2, 2, 2];
    let other = [0_usize, 1, 1, 1, 2];
    let counts = |rows: &[usize]| -> Vec<u64> {
        (0..4).map(|bin| rows.iter().filter(|&&row| row == bin).count() as u64).collect()
    };
    for weight in [0.001, 1.0, 1e9] {
        let bins = |rows: &[usize]| weighted::Bins::new(4, rows.iter().map(|&row| (row, weight)));
        let (old, new) = (bins(&rows).expect("finite"), bins(&other).expect("finite"));
        assert!((old.effective_rows() - 7.0).abs() < 1e-12);
        let half = EmptyBins::HalfCount;
        let (r, c) = (counts(&rows), counts(&other));
        assert!(close(weighted::psi(&old, &new, half), psi(&r, &c, half).unwrap(), 1e-12));
        assert!(close(weighted::g(&old, &new), g(&r, &c).unwrap(), 1e-12));
        assert!(close(weighted::chi_square(&old, &new), chi_square(&r, &c).unwrap(), 1e-12));
    }
    assert!(close(weighted::effective_rows(&[1.0, 2.0, 1.0]), 16.0 / 6.0, 1e-15));
}

#[test]
fn weights_that_are_none_are_refused() {
    for weight in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(weighted::Bins::new(1, [(0, 1.0), (0, weight)]).is_none());
        assert!(weighted::effective_rows(&[1.0, weight]).is_none());
        assert!(weighted::wasserstein(&[(0.0, weight)], &[(1.0, 1.0)]).is_none());
    }
    assert!(weighted::Bins::new(2, [(2, 1.0)]).is_none() && weighted::Bins::new(2, []).is_none());
    assert!(
        weighted::Bins::new(1, [(0, 0.0)]).is_none() && weighted::effective_rows(&[]).is_none()
    );
    assert!(weighted::wasserstein(&[(f64::NAN, 1.0)], &[(1.0, 1.0)]).is_none());
    assert_eq!(weighted::wasserstein(&[(f64::NAN, 9.0), (0.0, 1.0)], &[(2.0, 4.0)]), Some(2.0));
    let (one, two) = (weighted::Bins::new(1, [(0, 1.0)]), weighted::Bins::new(2, [(0, 1.0)]));
    let (one, two) = (one.expect("finite"), two.expect("finite"));
    assert!(
        weighted::psi(&one, &two, EmptyBins::Raw).is_none() && weighted::g(&one, &two).is_none()
    );
}

/// `2 E|X - Y| - E|X - X'| - E|Y - Y'|` (Székely & Rizzo 2013), times `(n m)²`, in integers.
fn energy_squared(a: &[i64], b: &[i64]) -> f64 {
    let sum = |x: &[i64], y: &[i64]| -> i128 {
        x.iter().flat_map(|u| y.iter().map(move |v| i128::from(u.abs_diff(*v)))).sum()
    };
    let (n, m) = (a.len() as i128, b.len() as i128);
    let whole = 2 * n * m * sum(a, b) - m * m * sum(a, a) - n * n * sum(b, b);
    whole as f64 / ((n * m) as f64).powi(2)
}

/// Anderson's T by the midranks of every value, counted one by one, in integers over `12 n m N`.
fn anderson_t(a: &[i64], b: &[i64]) -> f64 {
    let (n, m) = (a.len() as i128, b.len() as i128);
    let doubled_rank = |x: i64| -> i128 {
        let pooled = || a.iter().chain(b);
        let below = pooled().filter(|&&y| y < x).count() as i128;
        2 * below + pooled().filter(|&&y| y == x).count() as i128 + 1
    };
    let side = |side: &[i64]| -> i128 {
        let mut sorted = side.to_vec();
        sorted.sort_unstable();
        let apart = |(i, &x): (usize, &i64)| (doubled_rank(x) - 2 * (i as i128 + 1)).pow(2);
        sorted.iter().enumerate().map(apart).sum()
    };
    let whole = 3 * (n * side(a) + m * side(b)) - 2 * n * m * (4 * n * m - 1);
    whole as f64 / (12 * n * m * (n + m)) as f64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn squared_distances_agree_with_plain_sums(
        a in prop::collection::vec(-30_i64..30, 1..40),
        b in prop::collection::vec(-30_i64..30, 1..40),
    ) {
        let (old, new) = (integers(&a), integers(&b));
        let squared = energy_distance(&old, &new).map(|d| d * d).unwrap_or(f64::NAN);
        let expected = energy_squared(&a, &b);
        prop_assert!((squared - expected).abs() < 1e-12 * expected.max(1.0), "{squared} {expected}");
        prop_assert_eq!(cramer_von_mises(&old, &new), Some(anderson_t(&a, &b)));
        let floats = |side: &[i64]| side.iter().map(|&x| x as f64).collect::<Vec<f64>>();
        let plain = scholz_stephens(&[floats(&a), floats(&b)]);
        let found = anderson_darling(&old, &new).map_or(f64::NAN, |ad| ad.value);
        prop_assert!((found - plain).abs() < 1e-12 * plain.max(1.0), "{found} {plain}");
        prop_assert_eq!(
            anderson_darling(&Sample::new(floats(&a)), &Sample::new(floats(&b))).map(|ad| ad.value),
            Some(found)
        );
    }

    /// Without ties the criterion is the mean square of the differences of the distribution functions.
    #[test]
    fn the_criterion_is_a_mean_square(mask in 1_u64..(1 << 20) - 1) {
        let side = |bit: u64| (0..20).filter(|row| mask >> row & 1 == bit).collect::<Vec<i64>>();
        let (a, b) = (side(1), side(0));
        let (n, m) = (a.len() as f64, b.len() as f64);
        let at_most = |side: &[i64], x: i64| side.iter().filter(|&&y| y <= x).count() as f64;
        let square = |x: i64| (at_most(&a, x) / n - at_most(&b, x) / m).powi(2);
        let expected = n * m / 400.0 * (0..20).map(square).sum::<f64>();
        let found = cramer_von_mises(&integers(&a), &integers(&b)).unwrap_or(f64::NAN);
        prop_assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
}
