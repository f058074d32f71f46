//! What two sides' cells say of the squared distances of their distribution functions.

use super::Anchors;
use super::number::Number;
use super::tally::Tally;
use crate::statistic::Sum;

/// Bounds of the energy distance, `sqrt(2 int (F - G)^2)`; `None` when a side is empty.
pub(crate) fn energy<T: Number>(
    anchors: &Anchors<T>,
    old: &Tally,
    new: &Tally,
) -> Option<[f64; 2]> {
    let (n, m) = (u128::from(old.len()), u128::from(new.len()));
    if n == 0 || m == 0 {
        return None;
    }
    let edges = anchors.edges();
    let down = match edges {
        [first, .., last] => T::scale(*first, *last),
        _ => 1.0,
    };
    let (mut i, mut j) = (0, 0);
    let mut sums = [Sum::default(); 2];
    for (at, (r, c)) in old.slots.iter().zip(&new.slots).enumerate() {
        (i, j) = (i + u128::from(r.at), j + u128::from(c.at));
        let area = if at == 0 || at == edges.len() {
            // Only current values lie out there; their squared area is largest when they are together.
            let far = if at == 0 { &new.below } else { &new.above };
            let area = far.share(m as f64, down) / m as f64;
            [area, area * c.inside as f64]
        } else {
            let width = T::gap(edges[at - 1], edges[at], down);
            let share = |i: u128, j: u128| i as f64 / n as f64 - j as f64 / m as f64;
            let ends = [share(i, j + u128::from(c.inside)), share(i + u128::from(r.inside), j)];
            let least = if ends[0] <= 0.0 && ends[1] >= 0.0 {
                0.0
            } else {
                ends[0].abs().min(ends[1].abs())
            };
            let largest = ends[0].abs().max(ends[1].abs());
            [least * least * width, largest * largest * width]
        };
        sums[0].add(area[0]);
        sums[1].add(area[1]);
        (i, j) = (i + u128::from(r.inside), j + u128::from(c.inside));
    }
    Some(sums.map(|sum| (2.0 * sum.value()).sqrt() / down.sqrt()))
}

/// Bounds of the Cramér-von Mises criterion with midranks; `None` when a side is empty.
///
/// With `d = i m - j n` behind each value in order, the criterion of distinct values is
/// `sum d² / (N² n m)`; where values are alike it is the mean over their orders and a correction
/// ([`Steps::alike`]).
pub(crate) fn cramer_von_mises(old: &Tally, new: &Tally) -> Option<[f64; 2]> {
    let (n, m) = (old.len() as f64, new.len() as f64);
    if n == 0.0 || m == 0.0 {
        return None;
    }
    let mut sums = [Sum::default(); 2];
    let (mut i, mut j) = (0_u64, 0_u64);
    let mut add = |old: u64, new: u64, alike: bool| {
        let before = i as f64 * m - j as f64 * n;
        let steps = Steps { before, old: old as f64, new: new as f64, n, m };
        let [low, high] = if alike { [steps.alike(); 2] } else { steps.bounds() };
        sums[0].add(low);
        sums[1].add(high);
        (i, j) = (i + old, j + new);
    };
    for (r, c) in old.slots.iter().zip(&new.slots) {
        add(r.at, c.at, true);
        add(r.inside, c.inside, r.inside + c.inside <= 1);
    }
    Some(sums.map(|sum| sum.value() / (n + m) / (n * m)))
}

/// Neighbouring values of both sides.
struct Steps {
    /// `i m - j n` in front of them.
    before: f64,
    old: f64,
    new: f64,
    n: f64,
    m: f64,
}

impl Steps {
    /// The mean of `sum d² / N` over all their orders.
    fn mean(&self) -> f64 {
        let Self { before, old, new, n, m } = *self;
        let all = old + new;
        if all == 0.0 {
            return 0.0;
        }
        let total = n + m;
        let moved = old * m - new * n;
        let straight = all * before * before
            + before * moved * (all + 1.0)
            + moved * moved * (all + 1.0) * (2.0 * all + 1.0) / (6.0 * all);
        straight / total + total * old * new * (all + 1.0) / (6.0 * all)
    }

    /// The same with midranks, if all of them are alike.
    fn alike(&self) -> f64 {
        let Self { old, new, n, m, .. } = *self;
        let correction = n * old * (old * old - 1.0 - new * (new + 2.0))
            + m * new * (new * new - 1.0 - old * (old + 2.0));
        self.mean() + correction / 12.0
    }

    /// Bounds over all their orders, some or all of them alike.
    fn bounds(&self) -> [f64; 2] {
        let Self { before, old, new, n, m } = *self;
        // As many as can be alike, all on one side.
        let most = (n * old * (old * old - 1.0) + m * new * (new * new - 1.0)) / 12.0;
        if old == 0.0 || new == 0.0 {
            let mean = self.mean();
            return [mean, mean + most];
        }
        let least = (n * old * new * (new + 2.0) + m * new * old * (old + 2.0)) / 12.0;
        let ends = [before - new * n, before + old * m];
        let nearest =
            if ends[0] <= 0.0 && ends[1] >= 0.0 { 0.0 } else { ends[0].abs().min(ends[1].abs()) };
        let farthest = ends[0].abs().max(ends[1].abs());
        let share = (old + new) / (n + m);
        [(share * nearest * nearest - least).max(0.0), share * farthest * farthest + most]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::lay;
    use crate::statistic::{self, Sample};

    fn column(count: u64, seed: u64, levels: f64) -> Vec<f64> {
        let value = |k: u64| (k * 2_654_435_761 + seed * 40_503) % 100_003;
        (0..count).map(|k| (value(k) as f64 / 100_003.0 * levels).floor()).collect()
    }

    #[test]
    fn bounds_hold_and_meet_where_every_value_is_known() {
        for (levels, most) in [(7.0, None), (1e9, None), (1e9, Some(40)), (500.0, Some(40))] {
            for (old, new) in [
                (column(300, 1, levels), column(170, 9, levels)),
                (column(2_000, 3, levels), column(2_500, 5, levels * 0.9)),
            ] {
                let mut sorted = old.clone();
                sorted.sort_unstable_by(f64::total_cmp);
                let (anchors, reference) = lay(&sorted, most);
                let mut current = Tally::new(anchors.len());
                current.add_all(&anchors, &new);
                let samples = [Sample::new(old), Sample::new(new)];
                let wanted = statistic::cramer_von_mises(&samples[0], &samples[1]).unwrap();
                let [low, high] = cramer_von_mises(&reference, &current).unwrap();
                assert!(
                    low <= wanted * (1.0 + 1e-9) && wanted <= high * (1.0 + 1e-9),
                    "{low} {wanted} {high}"
                );
                if levels == 7.0 {
                    assert!(high - low < 1e-9 * wanted, "{low} {wanted} {high}");
                }
                let wanted = statistic::energy_distance(&samples[0], &samples[1]).unwrap();
                let [low, high] = energy(&anchors, &reference, &current).unwrap();
                assert!(
                    low <= wanted * (1.0 + 1e-9) && wanted <= high * (1.0 + 1e-9),
                    "{low} {wanted} {high}"
                );
            }
        }
    }
}
