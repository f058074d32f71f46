//! Permutation p-values that stop drawing once they are precise enough.

/// Draws at least as extreme as the observation after which drawing stops.
const MATCHES: u32 = 50;

/// The p-value of each observed statistic against the joint law of their maximum, by sequential
/// Monte Carlo (Besag & Clifford 1991): after `MATCHES` draws at or above the largest observation
/// drawing stops and the estimates are their plain shares; after `max_draws` the observation counts
/// as one of the draws. Both are valid p-values: P(p <= a) <= a.
///
/// `draw` gives the maximum of the standardised statistics of one permutation. A statistic that is
/// `None` takes no part.
pub(crate) fn sequential<const K: usize>(
    observed: [Option<f64>; K],
    max_draws: u32,
    mut draw: impl FnMut() -> f64,
) -> [Option<f64>; K] {
    // A permutation that gives the very same split may differ from it by rounding.
    let bounds = observed.map(|value| value.map(|value| value * (1.0 - 1e-9) - 1e-12));
    let Some(largest) = bounds.into_iter().flatten().reduce(f64::max) else {
        return [None; K];
    };
    let mut reached = [0_u32; K];
    let mut leading = 0;
    for drawn in 1..=max_draws {
        let value = draw();
        for (count, bound) in reached.iter_mut().zip(bounds) {
            *count += u32::from(bound.is_some_and(|bound| value >= bound));
        }
        leading += u32::from(value >= largest);
        if leading == MATCHES {
            return share(bounds, reached, 0, drawn);
        }
    }
    share(bounds, reached, 1, max_draws)
}

fn share<const K: usize>(
    bounds: [Option<f64>; K],
    reached: [u32; K],
    own: u32,
    drawn: u32,
) -> [Option<f64>; K] {
    let mut p = [None; K];
    for ((p, bound), reached) in p.iter_mut().zip(bounds).zip(reached) {
        *p = bound.map(|_| f64::from(reached + own) / f64::from(drawn + own));
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
        let p = sequential([Some(0.5), None, Some(0.25)], 10_000, || {
            next = (next + 37) % 100;
            f64::from(next) / 100.0
        });
        let close = |p: Option<f64>, expected: f64| p.is_some_and(|p| (p - expected).abs() < 0.02);
        assert!(close(p[0], 0.5) && close(p[2], 0.75) && p[1].is_none(), "{p:?}");
        assert_eq!(sequential([Some(2.0)], 999, || 1.0), [Some(0.001)]);
        assert_eq!(sequential([None], 999, || 1.0), [None]);
    }
}
