//! The sliding distance beside the plain one of the same window.

use std::collections::VecDeque;

use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::super::ks;
use super::*;

/// The plain distance of the window's cells from the reference's.
fn plain(counts: &[u64], window: &VecDeque<usize>) -> Option<Ks> {
    let repeat = |(cell, &count): (usize, &u64)| {
        std::iter::repeat_n(cell as i128, usize::try_from(count).unwrap_or(0))
    };
    let reference = Sample::new(counts.iter().enumerate().flat_map(repeat));
    ks(&reference, &Sample::new(window.iter().map(|&cell| cell as i128)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_push_gives_the_plain_distance_of_the_window(
        seed in any::<u64>(),
        cells in 1..40_usize,
        size in 1..50_usize,
    ) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut counts: Vec<u64> = (0..cells).map(|_| random.random_range(0..6)).collect();
        counts[0] += 1;
        let mut sliding = SlidingKs::new(&counts, size)?;
        let mut window = VecDeque::new();
        for _ in 0..3 * size + 5 {
            // Runs of one cell, too.
            let cell = if random.random() { cells - 1 } else { random.random_range(0..cells) };
            window.push_back(cell);
            if window.len() > size {
                window.pop_front();
            }
            let found = sliding.push(cell);
            prop_assert_eq!(sliding.len(), window.len());
            let expected = if window.len() < size { None } else { plain(&counts, &window) };
            prop_assert_eq!(found, expected);
            prop_assert_eq!(sliding.push(cells), None, "no such cell");
            prop_assert_eq!(sliding.distance(), expected);
        }
    }

    #[test]
    fn with_every_reference_value_as_an_edge_it_is_the_distance_of_the_values(seed in any::<u64>()) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut draw = || f64::from(random.random_range(-20..20_i32)) / 4.0;
        let reference = Sample::new((0..60).map(|_| draw()));
        let edges: Vec<f64> = reference.runs().iter().map(|run| run.0).collect();
        let cells = EdgeCells::new(&edges)?;
        let coarse = EdgeCells::new(&edges[..edges.len() / 2])?;
        let mut sliding = SlidingKs::new(&cells.counts(&reference), 25)?;
        let mut lower = SlidingKs::new(&coarse.counts(&reference), 25)?;
        let mut window = VecDeque::new();
        for _ in 0..80 {
            let value = draw() + 0.125;
            window.push_back(value);
            if window.len() > 25 {
                window.pop_front();
            }
            let found = cells.cell(value).and_then(|cell| sliding.push(cell));
            let bound = coarse.cell(value).and_then(|cell| lower.push(cell));
            if window.len() == 25 {
                let expected = ks(&reference, &Sample::new(window.iter().copied()));
                prop_assert_eq!(found, expected);
                prop_assert!(bound.map(|ks| ks.numerator) <= expected.map(|ks| ks.numerator));
            }
        }
    }
}

#[test]
fn integers_beyond_floats_keep_their_cells() -> Result<()> {
    let big = i128::from(u64::MAX);
    let cells = EdgeCells::new(&[big - 1, big])?;
    let found = [big - 2, big - 1, big, big + 1].map(|value| cells.cell(value));
    assert_eq!(found, [Some(0), Some(1), Some(3), Some(4)]);
    let cells = EdgeCells::new(&[-0.0, 1.0])?;
    assert_eq!([-0.0, 0.0].map(|value| cells.cell(value)), [Some(1); 2]);
    assert_eq!([f64::INFINITY, f64::NAN].map(|value| cells.cell(value)), [None; 2]);
    Ok(())
}

#[test]
fn large_references_are_rounded_once() -> Result<()> {
    let half = 1_u64 << 30;
    let mut sliding = SlidingKs::new(&[half, half, half], 1 << 24)?;
    for _ in 0..1 << 24 {
        sliding.push(1);
    }
    let found = sliding.distance().map(|ks| (ks.value, 3 * ks.numerator == ks.denominator));
    assert_eq!(found, Some((1.0 / 3.0, true)));
    Ok(())
}

#[test]
fn what_cannot_be_compared_is_refused() {
    assert!(EdgeCells::new(&[1.0, 1.0]).is_err());
    assert!(EdgeCells::new(&[2.0, 1.0]).is_err());
    assert!(EdgeCells::new(&[f64::NAN]).is_err());
    for (counts, window) in
        [(vec![], 5), (vec![0, 0], 5), (vec![1], 0), (vec![u64::MAX, 1], 5), (vec![1 << 60], 4)]
    {
        assert!(SlidingKs::new(&counts, window).is_err(), "{counts:?} {window}");
    }
}

/// Each run has a reference of its own, as in life: the promise holds over both.
#[test]
fn the_critical_distance_keeps_its_promise() -> Result<()> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(12);
    let mut draw = || (0..12).map(|_| random.random::<f64>()).sum::<f64>();
    let promise = SlidingPromise::new(400, 0.1).with_draws(149);
    let mut alarms = [0, 0];
    for _ in 0..200 {
        let reference = Sample::new((0..400).map(|_| draw()));
        let edges: Vec<f64> = (1..20).filter_map(|part| reference.quantile(part, 20)).collect();
        let cells = EdgeCells::new(&edges)?;
        let counts = cells.counts(&reference);
        let critical = sliding_critical(&counts, 50, &promise)?;
        for (alarms, shift) in alarms.iter_mut().zip([0.0, 1.0]) {
            let mut sliding = SlidingKs::new(&counts, 50)?;
            let far = (0..449).any(|_| {
                let distance = cells.cell(draw() + shift).and_then(|cell| sliding.push(cell));
                distance.is_some_and(|ks| ks.value > critical)
            });
            *alarms += u32::from(far);
        }
    }
    // Binomial(200, 0.1) is at most 35 with a probability of 0.999, and at least 5 of a promise half kept.
    assert!((5..=35).contains(&alarms[0]), "{alarms:?} of 200");
    assert_eq!(alarms[1], 200, "a shift by one deviation is never missed");
    Ok(())
}

#[test]
fn a_promise_that_can_not_be_kept_is_refused() {
    let promise = SlidingPromise::new(10, 0.05);
    for wrong in [
        promise.with_draws(18),
        SlidingPromise::new(0, 0.05),
        SlidingPromise::new(10, 1.0),
        SlidingPromise::new(10, f64::NAN),
    ] {
        assert!(sliding_critical(&[5, 5], 3, &wrong).is_err(), "{wrong:?}");
    }
    assert!(sliding_critical(&[0], 3, &promise).is_err());
    assert!(sliding_critical(&[5], 0, &promise).is_err());
    let again = || sliding_critical(&[5, 5, 9], 3, &promise.with_draws(19)).ok();
    assert!(again().is_some());
    assert_eq!(again(), again());
}
