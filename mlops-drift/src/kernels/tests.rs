//! What runs on this processor against the same code compiled for any.

use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn counts_above_edges_are_those_of_a_plain_count(
        values in proptest::collection::vec(-10.0_f64..10.0, 0..300),
        seed in any::<u64>(),
        masked in any::<bool>(),
    ) {
        let edges = [-9.0, -5.0, -1.0, 0.0, 0.5, 2.0, 7.0, f64::INFINITY, f64::INFINITY];
        let mut valid: Vec<u64> = (0..values.len().div_ceil(64) as u32)
            .map(|k| seed.rotate_left(k * 7 + 1))
            .collect();
        if let Some(last) = valid.last_mut() {
            // Bits beyond the last value are not set, as in an array's.
            *last &= u64::MAX >> (63 - (values.len() - 1) % 64);
        }
        let is_valid = |row: usize| !masked || valid[row / 64] >> (row % 64) & 1 == 1;
        let mut above = [0; 9];
        let words: &[u64] = if masked { &valid } else { &[] };
        prop_assert!(count_above(&values, words, &edges, &mut above));
        let narrow: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        let mut above_narrow = [0; 9];
        prop_assert!(count_above(&narrow, words, &edges.map(|e| e as f32), &mut above_narrow));
        for (at, edge) in edges.iter().enumerate() {
            let rows = || (0..values.len()).filter(|&row| is_valid(row));
            prop_assert_eq!(above[at], rows().filter(|&row| values[row] > *edge).count() as u64);
            let narrow = rows().filter(|&row| narrow[row] > *edge as f32).count() as u64;
            prop_assert_eq!(above_narrow[at], narrow);
        }
    }

    #[test]
    fn a_value_that_is_no_number_is_noticed(at in 0_usize..100, kind in 0_usize..3) {
        let mut values = vec![1.0; 100];
        values[at] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][kind];
        let mut above = [0; 9];
        prop_assert!(!count_above(&values, &[], &[0.0; 9], &mut above));
        prop_assert_eq!(above, [0; 9]);
        let all = [u64::MAX, u64::MAX >> 28];
        let mut valid = all;
        valid[at / 64] &= !(1 << (at % 64));
        prop_assert!(count_above(&values, &valid, &[0.0; 9], &mut above));
        prop_assert_eq!(above, [99; 9]);
    }

    #[test]
    fn sums_of_squares_are_the_same_in_any_order(
        mut values in proptest::collection::vec(-1e3_f64..1e3, 1..1_000),
    ) {
        let there = split_squares(&values, 1.5, 1.0);
        values.reverse();
        prop_assert_eq!(there, split_squares(&values, 1.5, 1.0));
        let plain: f64 = values.iter().map(|value| (value - 1.5).powi(2)).sum();
        prop_assert!((there.high + there.low - plain).abs() <= 1e-9 * plain.max(1e-9));
    }
}

#[test]
fn places_stay_inside() {
    let places = Places::new(10);
    let found = [-5.0, 0.0, 3.9, 9.0, 1e300, f64::INFINITY, f64::NAN].map(|x| places.nearest(x));
    assert_eq!(found, [0, 0, 3, 9, 9, 9, 0]);
    assert_eq!(Places::new(0).nearest(4.0), 0);
}
