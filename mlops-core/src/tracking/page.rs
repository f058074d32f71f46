//! Pure helpers over metric points that every store shares.

use super::types::MetricPoint;

/// The latest of some points (see [`MetricPoint::recency`]); `None` when there is none.
#[must_use]
pub fn latest_of<'a>(points: impl IntoIterator<Item = &'a MetricPoint>) -> Option<MetricPoint> {
    points.into_iter().copied().max_by(MetricPoint::recency)
}

/// Thins `points` to at most `max` while keeping what the eye would miss: the first, the last, and
/// of each stretch between them the smallest and the largest value, in their order. A stretch that
/// holds a NaN keeps one.
///
/// With `max` below 4 only the first and the last `max` points survive.
#[must_use]
pub fn downsample(points: &[MetricPoint], max: usize) -> Vec<MetricPoint> {
    if points.len() <= max {
        return points.to_vec();
    }
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Vec::new();
    };
    if max < 4 {
        return [*last, *first].into_iter().take(max.min(2)).rev().collect();
    }
    let inner = &points[1..points.len() - 1];
    let stretches = (max - 2) / 2;
    let mut kept = Vec::with_capacity(max);
    kept.push(*first);
    for stretch in 0..stretches {
        let range = stretch * inner.len() / stretches..(stretch + 1) * inner.len() / stretches;
        kept.extend(extremes(&inner[range]));
    }
    kept.push(*last);
    kept
}

fn extremes(stretch: &[MetricPoint]) -> impl Iterator<Item = MetricPoint> + '_ {
    let by_value = |a: &&usize, b: &&usize| stretch[**a].value.total_cmp(&stretch[**b].value);
    let places: Vec<usize> = (0..stretch.len()).collect();
    let low = places.iter().min_by(by_value).copied();
    let high = places.iter().max_by(by_value).copied();
    let mut pair: Vec<usize> = [low, high].into_iter().flatten().collect();
    pair.sort_unstable();
    pair.dedup();
    pair.into_iter().map(|place| stretch[place])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn points(values: impl IntoIterator<Item = f64>) -> Vec<MetricPoint> {
        let point =
            |(step, value)| MetricPoint { step: step as i64, at: Timestamp::default(), value };
        values.into_iter().enumerate().map(point).collect()
    }

    #[test]
    fn downsample_keeps_ends_and_extremes_within_the_limit() {
        let mut values: Vec<f64> = (0..1000).map(f64::from).collect();
        values[400] = -7.0;
        values[600] = 1e9;
        let all = points(values);
        for max in [4, 10, 101, 999] {
            let thin = downsample(&all, max);
            assert!(thin.len() <= max);
            assert_eq!(thin.first(), all.first());
            assert_eq!(thin.last(), all.last());
            assert!(
                thin.iter().any(|p| p.value == -7.0) && thin.iter().any(|p| p.value == 1e9),
                "max={max}"
            );
            assert!(thin.is_sorted_by_key(|p| p.step));
        }
    }

    #[test]
    fn downsample_leaves_short_histories_alone_and_honours_tiny_limits() {
        let all = points([1.0, f64::NAN, 3.0]);
        assert_eq!(downsample(&all, 3), all);
        assert_eq!(downsample(&all, 2), [all[0], all[2]]);
        assert_eq!(downsample(&all, 1), [all[2]]);
        assert!(downsample(&all, 0).is_empty());
    }

    #[test]
    fn latest_does_not_depend_on_arrival() {
        let all = points([1.0, f64::NAN, 3.0]);
        let mut reversed = all.clone();
        reversed.reverse();
        assert_eq!(latest_of(&all), latest_of(&reversed));
        assert_eq!(latest_of(&all).unwrap().step, 2);
    }
}
