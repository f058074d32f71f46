//! Exchange of rows against complete enumeration, and bounds against draws.

use super::*;
use crate::decision::draw::random;
use crate::decision::marginal::surprise;

#[test]
fn joined_cells_are_few_and_keep_every_row() {
    let counts = (0..5_000_u64).map(|k| (k % 3, if k == 70 { 900 } else { k % 2 }));
    let cells = Cells::join(counts.clone());
    assert!((150..=POOLED_CELLS).contains(&cells.reference.len()));
    assert_eq!(cells.sizes(), counts.fold((0, 0), |sum, c| (sum.0 + c.0, sum.1 + c.1)));
    assert!(cells.totals().contains(&901), "the heavy value has a cell of its own");
    assert_eq!(Cells::join([(1, 2), (0, 0), (3, 4)].into_iter()).totals(), [3, 0, 7]);
    let many = Cells::largest((0..300).map(|k| (k, 1)).collect());
    assert_eq!((many.reference.len(), many.current[255]), (256, 45));
    // Many of one size: the sides can be called the other way round.
    let rare = |k: u64| (k * 7 % 3, 2 - k * 7 % 3);
    let cells = Cells::largest((0..900).map(rare).collect());
    let swapped = Cells::largest((0..900).map(rare).map(|(r, c)| (c, r)).collect());
    assert_eq!((&cells.reference, &cells.current), (&swapped.current, &swapped.reference));
    assert_eq!(cells.sizes(), (900, 900));
}

/// All splits of 5 against 4 rows, one by one, with the surprise of each written out.
#[test]
fn draws_agree_with_complete_enumeration() {
    let totals = [2_u64, 1, 3, 2, 1];
    let rows: Vec<usize> = vec![0, 0, 1, 2, 2, 2, 3, 3, 4];
    let statistics = Ordered::new(&totals, 4);
    let tail = statistics.scored.tail();
    let surprises = |counts: &[u64]| {
        let [location, scale, shape] = statistics.of(counts).map(|value| value.expect("varies"));
        [surprise(location), surprise(scale), tail.surprise(shape)]
    };
    for current in [[0_u64, 0, 1, 2, 1], [1, 0, 1, 1, 1], [1, 0, 3, 0, 0]] {
        let reference = totals.iter().zip(current).map(|(t, c)| t - c).collect();
        let cells = Cells { reference, current: current.to_vec() };
        let observed = surprises(&current);
        let (mut splits, mut reached) = (0.0, [0.0; ORDERED]);
        for mask in (0_u32..1 << 9).filter(|mask| mask.count_ones() == 4) {
            let mut counts = [0; 5];
            (0..9).filter(|row| mask >> row & 1 == 1).for_each(|row| counts[rows[row]] += 1);
            splits += 1.0;
            let largest = surprises(&counts).into_iter().fold(f64::NEG_INFINITY, f64::max);
            for kind in 0..ORDERED {
                reached[kind] += f64::from(u8::from(largest >= observed[kind] - 1e-7));
            }
        }
        assert_eq!(splits, 126.0);
        let p = ordered(&cells, 4_999, &mut random(3, "x", "values"));
        for kind in 0..ORDERED {
            let exact: f64 = reached[kind] / splits;
            let seen = p[kind].unwrap_or(f64::NAN);
            // Drawing stops at 50 matches of the leading kind: a relative error of a seventh, three
            // of them.
            assert!((seen - exact).abs() < 0.4 * exact, "{current:?} {kind}: {seen} {exact}");
        }
    }
}

#[test]
fn the_bounds_beyond_the_draws_are_bounds() {
    let totals = [200_u64, 200, 200, 200];
    let (statistics, draws) = (Ordered::new(&totals, 100), 20_000);
    let mut random = random(11, "x", "values");
    let sampler = RowSampler::new(&totals, 100);
    let mut counts = [0; 4];
    let (mut sums, mut shapes, mut gs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..draws {
        sampler.draw(&mut random, &mut counts);
        sums.push(statistics.scored.sums(&counts, 100.0).linear[0].abs());
        shapes.push(statistics.of(&counts)[2].unwrap_or(0.0));
        gs.push(g(&totals.map(|t| t - 25), &counts).unwrap_or(0.0));
    }
    for drawn in [&mut sums, &mut shapes, &mut gs] {
        drawn.sort_by(f64::total_cmp);
    }
    for p in [0.001, 0.000_2] {
        let at = draws - (p * f64::from(draws as u32)) as usize;
        let tail = |sign: f64| {
            let scores: Vec<f64> = statistics.scored.scores(0).map(|score| score * sign).collect();
            ln_upper(&scores, &totals, 100, sums[at]).exp()
        };
        let bound = tail(1.0) + tail(-1.0);
        assert!(bound > p && bound < (600.0 * p).max(0.1), "{p} {bound}");
        assert!(ln_tables(&totals, 100) - gs[at] / 2.0 > f64::ln(p));
        assert!(shape_upper(&statistics.scored, &totals, 100, shapes[at]) > p);
    }
}

/// The bound of shape is one of a mean by its largest term: loose, yet it falls as exp(-a / 2).
#[test]
fn the_bound_of_shape_falls() {
    let totals = [50_u64, 3, 200, 90, 700];
    let scored = Scored::new(&totals);
    let bound = |a: f64| shape_upper(&scored, &totals, 300, a);
    assert_eq!(bound(0.5), 1.0);
    let mut last = 1.0;
    for a in [60.0, 90.0, 130.0, 200.0] {
        let next = bound(a);
        assert!(next < last / 5.0 && next > f64::exp(-a), "{a}: {next:e}");
        last = next;
    }
    assert_eq!(bound(1e6), 0.0, "no split is that uneven");
}

/// A shift far beyond all draws needs none: every p-value is a bound, below the least of the draws.
#[test]
fn far_changes_of_tied_data_are_found_without_draws() {
    let cells = Cells { reference: vec![900, 600, 300, 100], current: vec![100, 300, 600, 900] };
    let p = ordered(&cells, 999, &mut random(1, "x", "values"));
    assert!(p[0].is_some_and(|p| p < 1e-50) && p[2].is_some_and(|p| p < 1e-20), "{p:?}");
    // The spread of ranks is the same on both sides.
    assert!(p[1].is_some_and(|p| p > 0.5), "{p:?}");
}

#[test]
fn a_constant_has_no_p_value() {
    let cells = Cells { reference: vec![7], current: vec![9] };
    assert_eq!(ordered(&cells, 99, &mut random(1, "x", "values")), [None; ORDERED]);
    // Two equally frequent values can't spread.
    let even = Cells { reference: vec![5, 5], current: vec![6, 6] };
    let p = ordered(&even, 99, &mut random(1, "x", "values"));
    assert!(p[0].is_some() && p[1].is_none() && p[2].is_some());
}
