//! Sums beside exact integers, and in every order.

use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::*;

fn sum<S: Total>(terms: &[f64]) -> S {
    let mut sum = S::default();
    terms.iter().for_each(|&term| sum.add(term));
    sum
}

fn exact(terms: &[f64]) -> f64 {
    sum::<ExactSum>(terms).pair().0
}

/// Any finite double, subnormals included.
fn any_double(random: &mut Xoshiro256PlusPlus) -> f64 {
    loop {
        let value = f64::from_bits(random.random());
        if value.is_finite() {
            return value;
        }
    }
}

#[test]
fn sums_are_rounded_once() {
    assert_eq!(exact(&[]), 0.0);
    assert_eq!(exact(&[1e308, 1.0, 1e-320, -1e308]), 1.0);
    assert_eq!(exact(&[0.1; 10]), 1.0);
    assert_eq!(exact(&[1e16, 1.0, -1e16, 1.0]), 2.0);
    assert_eq!(exact(&[f64::MAX, f64::MAX, -f64::MAX]), f64::MAX);
    assert_eq!(exact(&[f64::MAX, f64::MAX]), f64::INFINITY);
    assert_eq!(exact(&[5e-324, 5e-324, -5e-324]), 5e-324);
    assert_eq!(exact(&[-1.0, 2_f64.powi(-60)]), -1.0);
    // Half way between two numbers: to the even one; the least bit beyond it decides.
    let (one, half) = (1.0, 2_f64.powi(-53));
    assert_eq!(exact(&[one, half]), 1.0);
    assert_eq!(exact(&[one, half, 5e-324]), 1.0 + f64::EPSILON);
    assert_eq!(exact(&[one, f64::EPSILON, half, -5e-324]), 1.0 + f64::EPSILON);
    assert_eq!(sum::<ExactSum>(&[1.0, f64::INFINITY]).pair().0, f64::INFINITY);
    assert!(sum::<ExactSum>(&[f64::NEG_INFINITY, f64::INFINITY]).pair().0.is_nan());
}

proptest! {
    #[test]
    fn exact_sums_agree_with_integers(terms in prop::collection::vec(any::<i64>(), 0..50)) {
        // Integers below 2^53, scaled by powers of two: their sum fits an i128.
        let scaled: Vec<(i64, i32)> =
            terms.iter().map(|&term| (term >> 11, (term & 31) as i32)).collect();
        let whole: i128 = scaled.iter().map(|&(m, e)| i128::from(m) << e).sum();
        let floats: Vec<f64> =
            scaled.iter().map(|&(m, e)| m as f64 * 2_f64.powi(e - 40)).collect();
        let (high, low) = sum::<ExactSum>(&floats).pair();
        prop_assert_eq!(high, whole as f64 * 2_f64.powi(-40));
        prop_assert_eq!(low, (whole - whole as f64 as i128) as f64 * 2_f64.powi(-40));
    }

    #[test]
    fn order_and_split_leave_no_trace(seed in any::<u64>()) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut terms: Vec<f64> = (0..60).map(|_| any_double(&mut random)).collect();
        let whole: ExactSum = sum(&terms);
        terms.shuffle(&mut random);
        let (left, right) = terms.split_at(random.random_range(0..60));
        let mut merged: ExactSum = sum(left);
        merged.merge(&sum(right));
        prop_assert_eq!(&merged, &whole);
        let text = serde_json::to_string(&merged)?;
        prop_assert_eq!(&text, &serde_json::to_string(&whole)?);
        prop_assert_eq!(serde_json::from_str::<ExactSum>(&text)?, whole);

        let mut small: Vec<f64> = (0..60).map(|_| random.random()).collect();
        let whole: Fixed = sum(&small);
        small.shuffle(&mut random);
        let mut merged: Fixed = sum(&small[..20]);
        merged.merge(&sum(&small[20..]));
        prop_assert_eq!(merged, whole);
        prop_assert_eq!(serde_json::from_str::<Fixed>(&serde_json::to_string(&whole)?)?, whole);
        // Doubles below 1 drawn from 53 bits have no bit below 2^-80: nothing was cut off.
        prop_assert_eq!(whole.value(), exact(&small));
    }
}

#[test]
fn a_large_mean_does_not_eat_a_small_deviation() {
    let mut mean = Mean::<ExactSum>::default();
    (0..100).for_each(|i| mean.add(1e9 + f64::from(i % 2) * 1e-3));
    // 1e9 + 1e-3 is not a number, but the nearest one is a step away.
    let step = (1e9 + 1e-3) - 1e9;
    assert_eq!(mean.value(), Some(1e9 + step / 2.0));
    let expected = step * step / 4.0 / 99.0;
    let found = mean.error_squared().unwrap_or(f64::NAN);
    assert!((found / expected - 1.0).abs() < 1e-6, "{found} {expected}");

    let mut constant = Mean::<Fixed>::default();
    (0..10).for_each(|_| constant.add(0.3));
    assert!(constant.error_squared().is_some_and(|error| error < 1e-20));
    let mut one = Mean::<Fixed>::default();
    assert_eq!((one.value(), one.error_squared()), (None, None));
    one.add(0.25);
    assert_eq!((one.value(), one.error_squared()), (Some(0.25), None));
}

#[test]
fn damaged_sums_are_refused() {
    for text in [
        r#"{"digits":[[68,1]],"infinite":[0,0]}"#,
        r#"{"digits":[[1,4294967296]],"infinite":[0,0]}"#,
    ] {
        assert!(serde_json::from_str::<ExactSum>(text).is_err(), "{text}");
    }
    assert!(serde_json::from_str::<Fixed>(r#""1.5""#).is_err());
}
