//! How long to rest between two tries: the one place that says so, for stores and for steps.

use std::time::Duration;

use backon::ExponentialBuilder;

/// `most` pauses. Each is drawn between the half and the whole of a length that begins with `first` and
/// doubles up to `cap`, so none is longer than `cap`.
pub(crate) fn pauses(first: Duration, cap: Duration, most: usize) -> ExponentialBuilder {
    // The draw is added on top of the delay and after the cap, up to as much again: hence the halves.
    ExponentialBuilder::default()
        .with_min_delay(first.min(cap) / 2)
        .with_max_delay(cap / 2)
        .with_max_times(most)
        .with_jitter()
}

#[cfg(test)]
mod tests {
    use backon::BackoffBuilder as _;

    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap_and_are_drawn_from_their_upper_half() {
        let (first, cap) = (Duration::from_millis(50), Duration::from_secs(1));
        for seed in 0..200 {
            let drawn: Vec<Duration> =
                pauses(first, cap, 8).with_jitter_seed(seed).build().collect();
            assert_eq!(drawn.len(), 8);
            for (number, pause) in (0..).zip(&drawn) {
                let whole = cap.min(first * 2_u32.pow(number));
                assert!(*pause >= whole / 2 && *pause <= whole, "seed={seed} {drawn:?}");
            }
        }
    }

    #[test]
    fn pauses_vary() {
        let first = |seed| {
            let mut pauses =
                pauses(Duration::from_secs(1), Duration::MAX, 1).with_jitter_seed(seed).build();
            pauses.next()
        };
        let drawn: std::collections::BTreeSet<_> = (0..50).map(first).collect();
        assert!(drawn.len() > 25, "{drawn:?}");
    }

    #[test]
    fn a_first_pause_longer_than_the_cap_is_capped() {
        let drawn = pauses(Duration::from_secs(9), Duration::from_secs(1), 50).build();
        assert!(drawn.into_iter().all(|pause| pause <= Duration::from_secs(1)));
    }
}
