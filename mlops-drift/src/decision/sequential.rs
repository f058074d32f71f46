//! Permutation p-values that stop drawing once they are precise enough.

/// Draws at least as extreme as the observation after which drawing stops.
const MATCHES: u32 = 50;

/// The p-values of observed statistics within their joint law, by sequential Monte Carlo (Besag &
/// Clifford 1991): after `MATCHES` draws that reach the `leading` one drawing stops and the estimates
/// are their plain shares; after `max_draws` the observation counts as one of the draws. Both are
/// valid p-values: P(p <= a) <= a.
///
/// `draw` says of one permutation which of the observed statistics it reaches; those that are not
/// `tested` have no p-value.
pub(crate) fn sequential<const K: usize>(
    tested: [bool; K],
    leading: usize,
    max_draws: u32,
    mut draw: impl FnMut() -> [bool; K],
) -> [Option<f64>; K] {
    let mut reached = [0_u32; K];
    for drawn in 1..=max_draws {
        for (count, hit) in reached.iter_mut().zip(draw()) {
            *count += u32::from(hit);
        }
        if reached[leading] == MATCHES {
            return share(tested, reached, 0, drawn);
        }
    }
    share(tested, reached, 1, max_draws)
}

/// The p-value of one statistic by itself.
pub(crate) fn sequential_one(max_draws: u32, mut draw: impl FnMut() -> bool) -> Option<f64> {
    let [p] = sequential([true], 0, max_draws, || [draw()]);
    p
}

fn share<const K: usize>(
    tested: [bool; K],
    reached: [u32; K],
    own: u32,
    drawn: u32,
) -> [Option<f64>; K] {
    let mut p = [None; K];
    for ((p, tested), reached) in p.iter_mut().zip(tested).zip(reached) {
        *p = tested.then(|| f64::from(reached + own) / f64::from(drawn + own));
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_a_share_when_it_stops_and_counts_itself_when_it_does_not() {
        // A hundred values evenly spread over 0..1, each as often as any other.
        let mut next = 0_u32;
        let p = sequential([true, false, true], 0, 10_000, || {
            next = (next + 37) % 100;
            [next >= 50, true, next >= 25]
        });
        let close = |p: Option<f64>, expected: f64| p.is_some_and(|p| (p - expected).abs() < 0.02);
        assert!(close(p[0], 0.5) && close(p[2], 0.75) && p[1].is_none(), "{p:?}");
        assert_eq!(sequential_one(999, || false), Some(0.001));
        assert_eq!(sequential_one(999, || true), Some(1.0));
    }
}
