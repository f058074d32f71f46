//! Cells against plain functions on sorted samples: the same answers, or an interval around them.

use super::*;
use crate::cells::lay::default_edges;
use crate::statistic::{self, Sample};
use proptest::prelude::*;

fn sorted<T: Number>(values: &[T]) -> Vec<T> {
    let mut values: Vec<T> = values.iter().filter_map(|value| value.canonical()).collect();
    values.sort_unstable_by(|a, b| a.order(*b));
    values
}

fn check<T: Number>(old: &[T], new: &[T], most: Option<usize>) {
    let (anchors, old_tally) = lay(&sorted(old), most);
    let mut new_tally = Tally::new(anchors.len());
    new_tally.add_all(&anchors, new);
    let samples = [Sample::new(old.iter().copied()), Sample::new(new.iter().copied())];
    let label = format!("{} {} {}", old.len(), new.len(), anchors.len());

    let edges = statistic::decile_edges(&samples[0]);
    assert_eq!(anchors.bin_edges(), edges, "{label}");
    for (tally, sample) in [(&old_tally, &samples[0]), (&new_tally, &samples[1])] {
        assert_eq!(anchors.bin_counts(tally), statistic::bin_counts(sample, &edges), "{label}");
        assert_eq!(tally.len(), sample.len());
    }

    let ks = statistic::ks(&samples[0], &samples[1]).unwrap();
    let distance = statistic::wasserstein(&samples[0], &samples[1]).unwrap();
    let bounds = bounds(&anchors, &old_tally, &new_tally).unwrap();
    assert!(
        bounds.ks[0] <= ks.numerator && ks.numerator <= bounds.ks[1],
        "{label} {bounds:?} {ks:?}"
    );
    let [low, high] = bounds.wasserstein;
    let slack = 1e-12 * distance.abs() + f64::MIN_POSITIVE;
    assert!(low - slack <= distance && distance <= high + slack, "{label} {low} {distance} {high}");

    let ranks = [0, new.len() as u64 / 2, new.len() as u64 - 1];
    let located: Vec<Located<T>> =
        ranks.iter().filter_map(|&rank| locate(&anchors, &new_tally, rank)).collect();
    let sought = Sought::new((&old_tally, &new_tally), &bounds, &located);
    let mut values = [sought.room(), sought.room()];
    sought.gather(&anchors, old, &mut values[0]);
    sought.gather(&anchors, new, &mut values[1]);
    let exact = refine(&anchors, (&old_tally, &new_tally), &bounds, &sought, values);
    assert_eq!(exact.ks, ks.numerator, "{label}");
    let close = (exact.wasserstein - distance).abs() <= 1e-12 * distance + f64::MIN_POSITIVE
        || exact.wasserstein == distance;
    assert!(close, "{label}: {} {distance}", exact.wasserstein);
    let new = sorted(new);
    for (&rank, &place) in ranks.iter().zip(&located) {
        assert_eq!(exact.value(1, place), Some(new[rank as usize]));
    }

    let scale = T::scale(
        if samples[0].min() < samples[1].min() { samples[0].min() } else { samples[1].min() }
            .unwrap(),
        if samples[0].max() > samples[1].max() { samples[0].max() } else { samples[1].max() }
            .unwrap(),
    );
    let wanted = statistic::moments(&samples[0], &samples[1]).unwrap();
    let found = [&old_tally, &new_tally].map(|tally| anchors.moments(tally, scale).unwrap());
    let shift = (found[1].0 - found[0].0) / scale;
    let spread = wanted.reference.1.max(wanted.current.1).max(wanted.mean_shift.abs());
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-7 * spread + 1e-318 || a == b;
    assert!(near(shift, wanted.mean_shift), "{label}: {shift} {}", wanted.mean_shift);
    assert!(near(found[0].1, wanted.reference.1 * scale), "{label}: {found:?} {wanted:?}");
    assert!(near(found[1].1, wanted.current.1 * scale), "{label}: {found:?} {wanted:?}");
}

/// Reproducible values in 0..1.
fn spread(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed;
    let mut next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64) / (1_u64 << 53) as f64
    };
    (0..count).map(|_| next()).collect()
}

fn columns(count: usize, seed: u64) -> Vec<(&'static str, Vec<f64>)> {
    let uniform = spread(seed, count);
    let map = |f: &dyn Fn(f64) -> f64| uniform.iter().map(|&u| f(u)).collect();
    vec![
        ("uniform", uniform.clone()),
        ("cauchy", map(&|u| (std::f64::consts::PI * (u - 0.5)).tan())),
        ("lognormal", map(&|u| (-(1.0 - u).ln()).powi(3).exp().min(1e200))),
        ("ties", map(&|u| (u * 7.0).floor())),
        ("offset", map(&|u| 1e16 + (u * 1000.0).floor() * 2.0)),
        ("huge", map(&|u| (u - 0.5) * 2.0 * f64::MAX)),
        ("tiny", map(&|u| (u * 1e6).floor() * 5e-324)),
        ("constant", map(&|_| 5.0)),
        ("outlier", map(&|u| if u < 0.001 { 1e9 } else { u })),
        (
            "signed zero",
            map(&|u| {
                if u < 0.3 {
                    -0.0
                } else if u < 0.6 {
                    0.0
                } else {
                    u - 0.8
                }
            }),
        ),
    ]
}

#[test]
fn floats_agree_with_sorted_samples() {
    for (size, other) in [(1, 1), (3, 50), (400, 300), (5_000, 7_000)] {
        for ((name, old), (_, new)) in columns(size, 7).iter().zip(&columns(other, 8)) {
            for most in [None, Some(16), Some(200)] {
                println!("{name} {size} {other} {most:?}");
                check(old, new, most);
                let shifted: Vec<f64> = new.iter().map(|x| x * 0.9 + 0.05).collect();
                check(old, &shifted, most);
            }
        }
    }
    check(&spread(1, 100), &[1e300, -1e300, 0.5], None);
    check(&[f64::MAX, f64::MIN], &[f64::MIN, 0.0, 1.0], None);
}

#[test]
fn integers_agree_with_sorted_samples() {
    let wide: Vec<i64> = spread(3, 3_000).iter().map(|u| ((u - 0.5) * 1.8e19) as i64).collect();
    let few: Vec<i64> = spread(4, 3_000).iter().map(|u| (u * 30.0) as i64).collect();
    let ends = [i64::MIN, -1, 0, 1, i64::MAX];
    for most in [None, Some(64)] {
        check(&wide, &few, most);
        check(&few, &wide, most);
        check(&wide[..1_000], &wide[1_000..], most);
        check(&ends, &wide, most);
        let large: Vec<i128> = wide.iter().map(|x| i128::from(*x) << 60).collect();
        check(&large[..1_000], &large[1_000..], most);
        check(&[i128::MIN, 5, i128::MAX], &large, most);
    }
}

#[test]
fn few_values_are_all_edges() {
    let (anchors, _) = lay(&sorted(&spread(1, 900)), None);
    assert!(anchors.len() >= 900);
    assert_eq!(default_edges(1_000_000), 16_000);
}

proptest! {
    #[test]
    fn any_split_and_order_gives_the_same_tally(
        values in proptest::collection::vec(-1e3_f64..1e6, 1..400),
        cut in 0_usize..400,
        seed in 0_u64..1_000,
    ) {
        let (anchors, _) = lay(&sorted(&spread(seed, 300)), Some(40));
        let mut whole = Tally::new(anchors.len());
        whole.add_all(&anchors, &values);
        let (left, right) = values.split_at(cut.min(values.len()));
        let mut halves = Tally::new(anchors.len());
        halves.add_all(&anchors, right);
        let mut other = Tally::new(anchors.len());
        left.iter().rev().for_each(|&value| other.add(&anchors, value));
        other.squares.settle();
        halves.merge(&other);
        prop_assert_eq!(whole, halves);
    }
}
