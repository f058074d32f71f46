//! Published values, an independent computation in integers, and the cases that break others.

use proptest::prelude::*;

use super::*;

fn floats(values: &[f64]) -> Sample<f64> {
    Sample::new(values.iter().copied())
}

fn integers(values: &[i128]) -> Sample<i128> {
    Sample::new(values.iter().copied())
}

fn linspace(to: f64, count: u32, shift: f64) -> Sample<f64> {
    Sample::new((0..count).map(|i| 1.0 + (to - 1.0) * f64::from(i) / f64::from(count - 1) + shift))
}

fn value<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> f64 {
    ks(reference, current).map_or(f64::NAN, |ks| ks.value)
}

fn p<T: Point>(reference: &Sample<T>, current: &Sample<T>) -> PValue {
    ks(reference, current)
        .and_then(|ks| ks_p_value(&ks, reference, current))
        .expect("both sides hold values")
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * b.abs()
}

/// SciPy's own tests of `ks_2samp` (`scipy/stats/tests/test_stats.py`, `TestKSTwoSamples`), exact
/// two-sided p-values, to 1e-11 relative.
#[test]
fn ks_agrees_with_scipys_goldens() {
    let x100 = linspace(100.0, 100, 0.0);
    let cases = [
        (floats(&[0.0]), floats(&[1.0]), 1.0, 1.0),
        (floats(&[1.01, 2.01]), floats(&[1.0, 2.0, 3.0]), 1.0 / 3.0, 1.0),
        (floats(&[0.99, 1.99]), floats(&[1.0, 2.0, 3.0]), 2.0 / 3.0, 0.6),
        (floats(&[1.01, 2.01]), floats(&[1.0, 2.0, 3.0, 4.0]), 0.5, 14.0 / 15.0),
        (floats(&[0.99, 1.99]), floats(&[1.0, 2.0, 3.0, 4.0]), 0.75, 6.0 / 15.0),
        (x100.clone(), linspace(100.0, 100, 2.1), 0.03, 0.999_999_999_996_205_5),
        (x100.clone(), linspace(100.0, 110, 20.1), 232.0 / 1100.0, 0.015_739_183_865_607_353),
        (x100, linspace(100.0, 110, 19.9), 229.0 / 1100.0, 0.017_803_803_861_026_313),
    ];
    for (index, (reference, current, distance, expected)) in cases.iter().enumerate() {
        assert!(close(value(reference, current), *distance, 1e-15), "{index}");
        let p = p(reference, current);
        assert!(close(p.p, *expected, 1e-11), "{index}: {p:?}");
        assert!(close(p.log_p.exp(), *expected, 1e-11), "{index}: {p:?}");
        assert_eq!(p.law, Law::Exact);
    }
}

/// Every split of the pooled values of 4 against 5 rows with ties, one by one.
#[test]
fn exact_ks_p_values_respect_ties() {
    let pooled = [1, 1, 1, 2, 2, 3, 3, 3, 3];
    let split = |mask: u32| {
        let side = |bit| integers(&pooled_side(&pooled, mask, bit));
        (side(1), side(0))
    };
    let observed = split(0b0_0001_1101);
    let bound = ks(&observed.0, &observed.1).map(|ks| ks.numerator);
    let splits: Vec<u32> = (0..1 << 9).filter(|mask: &u32| mask.count_ones() == 4).collect();
    let reached = splits.iter().filter(|&&mask| {
        let (a, b) = split(mask);
        ks(&a, &b).map(|ks| ks.numerator) >= bound
    });
    let expected = reached.count() as f64 / splits.len() as f64;
    assert!(expected < 0.5 && close(p(&observed.0, &observed.1).p, expected, 1e-13));
}

fn pooled_side(pooled: &[i128], mask: u32, bit: u32) -> Vec<i128> {
    let rows = pooled.iter().enumerate();
    rows.filter(|(row, _)| mask >> row & 1 == bit).map(|(_, &value)| value).collect()
}

/// A p-value too small for `f64`: 2 / C(2000, 1000); its logarithm is there.
#[test]
fn the_logarithm_carries_a_tail_that_underflows() {
    let (low, high) = (linspace(2.0, 1000, 0.0), linspace(2.0, 1000, 5.0));
    let p = p(&low, &high);
    assert_eq!(p.p, 0.0);
    assert!(close(p.log_p, -1381.4, 1e-3), "{p:?}");
    let far = Sample::new((0..60_000).map(|i| f64::from(i) + 1e6));
    let law = super::ks_p_value(&ks(&low, &far).expect("values"), &low, &far).expect("values");
    assert!(law.law == Law::Series && law.log_p < -1000.0 && law.log_p.is_finite());
}

/// SciPy's documentation of `wasserstein_distance` (weights as repetitions), and its reference
/// tests: distance of shifted data is the shift.
#[test]
fn wasserstein_agrees_with_scipys_examples() {
    let w = |a: &[f64], b: &[f64]| wasserstein(&floats(a), &floats(b));
    assert_eq!(w(&[0.0, 1.0, 3.0], &[5.0, 6.0, 8.0]), Some(5.0));
    // wasserstein_distance([0, 1], [0, 1], [3, 1], [2, 2]) == 0.25
    assert_eq!(w(&[0.0, 0.0, 0.0, 1.0], &[0.0, 0.0, 1.0, 1.0]), Some(0.25));
    assert_eq!(w(&[1.0, 2.0, 3.0], &[3.0, 1.0, 2.0]), Some(0.0));
}

/// `mannwhitneyu` in SciPy's documentation: U1 = 17 of 20 pairs; and Mann & Whitney's moments:
/// z = (17 - 10) / sqrt(20 * 10 / 12).
#[test]
fn mann_whitney_agrees_with_scipys_example() {
    let men = floats(&[19.0, 22.0, 16.0, 29.0, 24.0]);
    let women = floats(&[20.0, 11.0, 17.0, 12.0]);
    let u = mann_whitney(&women, &men).expect("both sides hold values");
    assert_eq!((u.value, u.effect), (17.0, Some(0.85)));
    assert!(u.z.is_some_and(|z| close(z, 7.0 / (200.0_f64 / 12.0).sqrt(), 1e-14)));
}

/// Mood 1954: without ties the mean is m (N^2 - 1) / 12 and the variance
/// n m (N + 1) (N^2 - 4) / 180.
#[test]
fn mood_has_the_published_moments() {
    let current = integers(&[4, 5, 6, 9]);
    let reference = integers(&[1, 2, 3, 7, 8, 10, 11]);
    let statistic = mood(&reference, &current).expect("both sides hold values");
    // Ranks 4, 5, 6, 9 of 11, middle rank 6: 4 + 1 + 0 + 9.
    assert_eq!(statistic.value, 14.0);
    let (mean, variance) = (4.0 * 120.0 / 12.0, 4.0 * 7.0 * 12.0 * 117.0 / 180.0_f64);
    assert!(statistic.z.is_some_and(|z| close(z, (14.0 - mean) / variance.sqrt(), 1e-13)));
    // The other side's squares are 25, 16, 9, 1, 4, 16, 25.
    assert!(statistic.effect.is_some_and(|e| close(e, (14.0 / 4.0) / (96.0 / 7.0), 1e-14)));
}

/// The computing form of Sokal & Rohlf (Biometry, ch. 17), f ln f over cells less rows and columns.
#[test]
fn g_agrees_with_the_entropy_form() {
    let (a, b) = ([12_u64, 16, 0], [22_u64, 50, 3]);
    let ln = |x: u64| {
        if x == 0 { 0.0 } else { x as f64 * (x as f64).ln() }
    };
    let cells: f64 = a.iter().chain(&b).map(|&x| ln(x)).sum();
    let columns: f64 = a.iter().zip(b).map(|(x, y)| ln(x + y)).sum();
    let expected = 2.0 * (cells - columns - ln(28) - ln(75) + ln(103));
    assert!(g(&a, &b).is_some_and(|g| close(g, expected, 1e-11)));
    assert_eq!(g(&[5], &[9]), Some(0.0));
    assert_eq!(g(&[0, 0], &[1, 2]), None);
    assert_eq!(total_variation(&[1, 1, 0], &[0, 0, 7]), Some(1.0));
    assert_eq!(total_variation(&[1, 3], &[25, 75]), Some(0.0));
}

#[test]
fn psi_treats_empty_bins_as_asked() {
    let at = |empty| psi(&[100, 0], &[90, 10], empty).unwrap_or(f64::NAN);
    let share = |count: f64| (count + 0.5) / 101.0;
    let half = (share(90.0) - share(100.0)) * (share(90.0) / share(100.0)).ln()
        + (share(10.0) - share(0.0)) * (share(10.0) / share(0.0)).ln();
    assert!(close(at(EmptyBins::HalfCount), half, 1e-14));
    assert_eq!(at(EmptyBins::Raw), f64::INFINITY);
    let floor = (0.9 - 1.0) * 0.9_f64.ln() + (0.1 - 1e-4) * 1000.0_f64.ln();
    assert!(close(at(EmptyBins::Floor), floor, 1e-14));
    assert!(at(EmptyBins::Epsilon) > 1.5 && at(EmptyBins::Epsilon).is_finite());
    assert_eq!(psi(&[0, 5], &[0, 9], EmptyBins::Raw), Some(0.0));
    assert_eq!(psi(&[0, 0], &[1, 0], EmptyBins::HalfCount), None);
}

#[test]
fn decile_edges_are_computed_in_integers() {
    // (n - 1) / 10 is an integer: every edge is an order statistic, to the last bit.
    let sample = Sample::new((0..41).map(|i| f64::from(i) * 0.1));
    let expected: Vec<f64> = (1..10).map(|k| f64::from(4 * k) * 0.1).collect();
    assert_eq!(decile_edges(&sample), expected);
    assert_eq!(bin_counts(&sample, &expected), [5, 4, 4, 4, 4, 4, 4, 4, 4, 4]);
    assert_eq!(decile_edges(&integers(&[-7, 4])), [-6, -5, -4, -3, -2, -1, 0, 1, 2]);
    assert_eq!(decile_edges(&floats(&[3.0; 20])), [3.0]);
    assert_eq!(bin_counts(&floats(&[2.0, 3.0, 4.0]), &[3.0]), [2, 1]);
    let sides = (i128::from(i64::MIN), i128::from(u64::MAX));
    let edges = decile_edges(&integers(&[sides.0, sides.1]));
    assert_eq!(edges[4], (sides.0 + sides.1).div_euclid(2));
    let wide = decile_edges(&integers(&[i128::MIN, i128::MAX]));
    assert!(wide.windows(2).all(|pair| pair[0] < pair[1]) && wide.len() == 9);
    assert!(decile_edges(&floats(&[-f64::MAX, f64::MAX])).iter().all(|edge| edge.is_finite()));
}

#[test]
fn an_empty_side_is_none_and_never_zero() {
    let (none, some) = (floats(&[f64::NAN, f64::INFINITY]), floats(&[1.0]));
    for (a, b) in [(&none, &some), (&some, &none), (&none, &none)] {
        assert!(ks(a, b).is_none() && wasserstein(a, b).is_none() && moments(a, b).is_none());
        assert!(mann_whitney(a, b).is_none() && mood(a, b).is_none());
    }
}

#[test]
fn constants_and_single_values_are_data() {
    let (five, six) = (floats(&[5.0; 3]), floats(&[6.0; 7]));
    assert_eq!((value(&five, &five), value(&five, &six)), (0.0, 1.0));
    assert_eq!(wasserstein(&five, &five), Some(0.0));
    assert_eq!(wasserstein(&five, &six), Some(1.0));
    assert_eq!(p(&five, &five).p, 1.0);
    let statistic = mann_whitney(&five, &five).expect("values");
    assert_eq!((statistic.z, statistic.effect), (None, Some(0.5)));
    assert_eq!(mood(&five, &five).expect("values").effect, None);
    assert_eq!(moments(&five, &six).map(|m| (m.mean_shift, m.std_shift)), Some((1.0, 0.0)));
    let one = floats(&[1.0]);
    assert_eq!(p(&one, &floats(&[2.0])).p, 1.0);
    assert!(mood(&one, &one).expect("values").z.is_none());
}

#[test]
fn zeros_are_one_value_whatever_their_sign() {
    assert_eq!(value(&floats(&[0.0, -0.0]), &floats(&[-0.0])), 0.0);
    assert!(floats(&[-0.0]).min().is_some_and(f64::is_sign_positive));
}

#[test]
fn offsets_and_extremes_lose_nothing() {
    let at = |offset: f64| {
        let side = |step: f64| Sample::new((0..500).map(|i| offset + 2.0 * step * f64::from(i)));
        (side(1.0), side(2.0))
    };
    let (near, far) = (at(0.0), at(1e16));
    assert_eq!(wasserstein(&near.0, &near.1), wasserstein(&far.0, &far.1));
    let shifts = [near, far].map(|pair| moments(&pair.0, &pair.1).expect("values"));
    assert_eq!(shifts[0].mean_shift, shifts[1].mean_shift);
    assert_eq!(shifts[0].std_shift, shifts[1].std_shift);
    let huge = |sign: f64| floats(&[sign * 1.5e308, sign * 1.6e308, sign * 1.7e308]);
    assert!(wasserstein(&huge(1.0), &floats(&[1.5e308])).is_some_and(|w| close(w, 1e307, 1e-14)));
    assert_eq!(wasserstein(&huge(1.0), &huge(-1.0)), Some(f64::INFINITY));
    let moments = moments(&huge(1.0), &huge(1.0)).expect("values");
    assert!(close(moments.reference.0, 1.6e308, 1e-14) && moments.reference.1.is_finite());
    let (low, high) = (integers(&[i128::from(i64::MIN)]), integers(&[i128::from(u64::MAX)]));
    assert!(wasserstein(&low, &high).is_some_and(|w| close(
        w,
        27_670_116_110_564_327_423.0,
        1e-15
    )));
    let big = 1_i128 << 63;
    assert_eq!(value(&integers(&[big, big + 1]), &integers(&[big + 1, big + 2])), 0.5);
    let decimals = (integers(&[i128::MIN]), integers(&[i128::MAX]));
    assert!(wasserstein(&decimals.0, &decimals.1).is_some_and(|w| close(
        w,
        2_f64.powi(128),
        1e-15
    )));
    let tiny = (floats(&[0.0]), floats(&[5e-324]));
    assert_eq!(wasserstein(&tiny.0, &tiny.1), Some(5e-324));
}

/// The same definitions in integers only, without a merge and without sorting: for the law of the
/// columns at hand quadratic time does not matter.
mod rational {
    pub(super) fn ks(a: &[i128], b: &[i128]) -> (u128, u128) {
        let at_most = |side: &[i128], x: i128| side.iter().filter(|&&y| y <= x).count() as u128;
        let (n, m) = (a.len() as u128, b.len() as u128);
        let apart = |x: i128| (at_most(a, x) * m).abs_diff(at_most(b, x) * n);
        (a.iter().chain(b).map(|&x| apart(x)).max().unwrap_or(0), n * m)
    }

    /// By the coupling of quantiles: both sides repeated to a common length, sorted, term by term.
    pub(super) fn wasserstein(a: &[i128], b: &[i128]) -> (u128, u128) {
        let repeat = |side: &[i128], times: usize| {
            let mut all: Vec<i128> = side.iter().flat_map(|&x| vec![x; times]).collect();
            all.sort_unstable();
            all
        };
        let (left, right) = (repeat(a, b.len()), repeat(b, a.len()));
        let sum = left.iter().zip(&right).map(|(x, y)| x.abs_diff(*y)).sum();
        (sum, (a.len() * b.len()) as u128)
    }

    /// Counts in the bins of the deciles as exact tenths: x <= edge as 10 x <= 10 edge.
    pub(super) fn decile_counts(a: &[i128], side: &[i128]) -> Vec<u64> {
        let mut sorted = a.to_vec();
        sorted.sort_unstable();
        let mut edges: Vec<i128> = (1..10)
            .map(|k| {
                let (index, rest) = ((a.len() - 1) * k / 10, ((a.len() - 1) * k % 10) as i128);
                let low = sorted[index];
                let high = if rest == 0 { low } else { sorted[index + 1] };
                10 * low + rest * (high - low)
            })
            .collect();
        edges.dedup();
        let mut counts = vec![0; edges.len() + 1];
        for x in side {
            counts[edges.iter().filter(|&&edge| 10 * x > edge).count()] += 1;
        }
        counts
    }

    pub(super) fn u_doubled(a: &[i128], b: &[i128]) -> u128 {
        let pairs = b.iter().flat_map(|x| a.iter().map(move |y| x.cmp(y) as i8 + 1));
        pairs.map(|score| score as u128).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn all_agrees_with_the_computation_in_integers(
        a in prop::collection::vec(-40_i64..40, 1..60),
        b in prop::collection::vec(-40_i64..40, 1..60),
    ) {
        let wide = |side: &[i64]| side.iter().map(|&x| i128::from(x)).collect::<Vec<_>>();
        let (a, b) = (wide(&a), wide(&b));
        let lanes = (integers(&a), integers(&b));
        let as_floats = |side: &[i128]| Sample::new(side.iter().map(|&x| x as f64));
        let float_lanes = (as_floats(&a), as_floats(&b));
        let expected = rational::ks(&a, &b);
        for found in [ks(&lanes.0, &lanes.1), ks(&float_lanes.0, &float_lanes.1)] {
            let found = found.expect("both sides hold values");
            prop_assert_eq!((found.numerator, found.denominator), expected);
            prop_assert_eq!(found.value, expected.0 as f64 / expected.1 as f64);
        }
        let area = rational::wasserstein(&a, &b);
        let area = area.0 as f64 / area.1 as f64;
        for found in [wasserstein(&lanes.0, &lanes.1), wasserstein(&float_lanes.0, &float_lanes.1)] {
            let found = found.unwrap_or(f64::NAN);
            prop_assert!((found - area).abs() <= 1e-13 * area, "{} {}", found, area);
        }
        for side in [&a, &b] {
            let expected = rational::decile_counts(&a, side);
            let edges = decile_edges(&float_lanes.0);
            prop_assert_eq!(bin_counts(&as_floats(side), &edges), expected.clone());
            // Rounding an edge down to an integer can join edges, never move an integer.
            let edges = decile_edges(&lanes.0);
            let counts = bin_counts(&integers(side), &edges);
            prop_assert_eq!(counts.iter().sum::<u64>(), expected.iter().sum::<u64>());
            if edges.len() + 1 == expected.len() {
                prop_assert_eq!(counts, expected);
            }
        }
        let u = mann_whitney(&lanes.0, &lanes.1).map(|u| u.value);
        prop_assert_eq!(u, Some(rational::u_doubled(&a, &b) as f64 / 2.0));
    }

    #[test]
    fn a_sample_is_the_same_in_any_order_and_portion(
        values in prop::collection::vec(prop::num::f64::ANY, 0..80),
        cut in 0_usize..80,
    ) {
        let whole = floats(&values);
        let cut = cut.min(values.len());
        let mut parts = floats(&values[cut..]);
        parts.merge(&floats(&values[..cut]));
        prop_assert_eq!(&parts, &whole);
        prop_assert!(whole.runs().windows(2).all(|pair| pair[0].0 < pair[1].0));
        prop_assert_eq!(whole.len() as usize, values.iter().filter(|v| v.is_finite()).count());
    }
}
