//! Value tests by exchange of whole clusters, on at most 32 coarse cells.

use super::draw::Random;
use super::marginal::{ORDERED, Observed, Tail, Thresholds, reaches};
use super::scores::{Scored, rayleigh, unit};
use super::sequential::{sequential, sequential_one};
use super::units::{Picker, Units, add};
use crate::reference::STRIDE;
use crate::statistic::g;

/// Steps of the power iteration.
const STEPS: usize = 6;

/// Difference of the two sides' mean scores, in units that are the same for every split.
///
/// Means, not sums: when the current clusters all hold more rows than the reference's, sums would
/// spread wider than under an exchange although no value has changed.
struct Means {
    rows: f64,
    /// What makes a difference of means the sum of an even split.
    even: f64,
}

impl Means {
    /// `picked` of all clusters stand for one side, of `rows` rows.
    fn new(picked: usize, all: usize, rows: f64) -> Self {
        let share = picked as f64 / all as f64;
        Self { rows, even: share * (1.0 - share) }
    }

    /// What a sum over `size` rows of centred scores is multiplied by.
    fn factor(&self, size: f64) -> f64 {
        let share = size / self.rows;
        self.even / (share * (1.0 - share))
    }
}

/// The variance of a sum over `picked` of `all` clusters drawn without replacement, but for the sum
/// of their squares.
fn drawn_variance(picked: usize, all: usize) -> f64 {
    let (picked, all) = (picked as f64, all as f64);
    picked * (all - picked) / (all * (all - 1.0))
}

/// The statistics of ordered coarse cells when whole clusters are exchanged.
struct Ordered {
    scored: Scored,
    means: Means,
    deviation: [f64; 2],
    /// The mean of the sum of squares under exchange, by which it is divided as A² has mean 1.
    expected: f64,
    tail: Tail,
}

impl Ordered {
    fn new(units: &Units, picked: usize) -> Self {
        let totals = units.totals();
        let scored = Scored::new(&totals[1..]);
        let variance = drawn_variance(picked, units.counts.len());
        let rows: f64 = totals[1..].iter().map(|&count| count as f64).sum();
        let (mut squares, mut least) = ([0.0; 2], 0.0);
        let mut apart: Vec<Vec<f64>> = Vec::with_capacity(units.counts.len());
        for unit in &units.counts {
            let size = unit[1..].iter().sum::<u64>() as f64;
            let sums = scored.sums(&unit[1..], size);
            squares.iter_mut().zip(sums.linear).for_each(|(square, sum)| *square += sum * sum);
            // Sums that are 0 but for rounding can't vary.
            least += 1e-20 * size * size;
            apart.push(scored.apart(&unit[1..], size).collect());
        }
        let deviation =
            squares.map(|square| if square > least { (variance * square).sqrt() } else { 0.0 });
        let weights: Vec<f64> = scored.weights().collect();
        let weigh = |x: &Vec<f64>| -> f64 { x.iter().zip(&weights).map(|(x, w)| x * x * w).sum() };
        let expected = variance * apart.iter().map(weigh).sum::<f64>();
        let tail = heaviest(&weights, &apart, variance / expected);
        let means = Means::new(picked, units.counts.len(), rows);
        Self { scored, means, deviation, expected, tail }
    }

    fn of(&self, counts: &[u64; STRIDE]) -> Observed {
        let size = counts[1..].iter().sum::<u64>() as f64;
        let sums = self.scored.sums(&counts[1..], size);
        let factor = self.means.factor(size);
        let z = |kind: usize| {
            let deviation = self.deviation[kind];
            (deviation > 0.0).then(|| sums.linear[kind].abs() * factor / deviation)
        };
        let shape = self.scored.shape_varies() && self.expected > 0.0;
        [z(0), z(1), shape.then(|| sums.squared * factor * factor / self.expected)]
    }
}

/// The heaviest weight of the sum of squares, whose weights add up to 1 with this `scale`.
fn heaviest(weights: &[f64], apart: &[Vec<f64>], scale: f64) -> Tail {
    // What every unit adds to the mean points more or less along the heaviest direction.
    let mut x: Vec<f64> = weights.iter().map(|&weight| f64::from(u8::from(weight > 0.0))).collect();
    let mut found = 1.0;
    for _ in 0..STEPS {
        let mut y = vec![0.0; x.len()];
        for unit in apart {
            let along: f64 = unit.iter().zip(&x).zip(weights).map(|((u, x), w)| u * x * w).sum();
            y.iter_mut().zip(unit).for_each(|(y, u)| *y += scale * along * u);
        }
        found = rayleigh(weights.iter().copied(), &x, &y);
        x = unit(y);
    }
    Tail::new(found)
}

/// The joint p-values of location, scale and shape, by midranks of the pooled coarse counts; `None`
/// for one that can't vary. Every unit holds a value.
pub(crate) fn ordered(units: &Units, max_draws: u32, random: &mut Random) -> Observed {
    let mut picker = Picker::new(units.counts.len(), units.reference);
    let statistics = Ordered::new(units, picker.size);
    let (before, after) = units.counts.split_at(units.reference);
    // Either side says the same; what is drawn is the smaller one.
    let side = if before.len() == picker.size { before } else { after };
    let observed = statistics.of(&sum(side.iter()));
    let Some(thresholds) = Thresholds::new(observed, statistics.tail) else {
        return [None; ORDERED];
    };
    sequential(thresholds.tested(), thresholds.leading(), max_draws, || {
        let picked = picker.pick(random).iter().map(|&index| &units.counts[index]);
        thresholds.reached(statistics.of(&sum(picked)))
    })
}

fn sum<'a>(units: impl Iterator<Item = &'a [u64; STRIDE]>) -> [u64; STRIDE] {
    let mut sum = [0; STRIDE];
    units.for_each(|unit| add(&mut sum, unit));
    sum
}

/// The p-value of a difference between the shares of rows without a usable value; `None` when there
/// is nothing to tell apart.
pub(crate) fn nulls(units: &Units, max_draws: u32, random: &mut Random) -> Option<f64> {
    let totals = units.totals();
    let usable = |counts: &[u64; STRIDE]| counts[1..].iter().sum::<u64>() as f64;
    let rows = totals[0] as f64;
    let share = usable(&totals) / rows;
    let off = |unit: &[u64; STRIDE]| usable(unit) - unit[0] as f64 * share;
    let squares = units.counts.iter().map(|unit| off(unit).powi(2)).sum::<f64>();
    let least = 1e-20 * units.counts.iter().map(|unit| (unit[0] as f64).powi(2)).sum::<f64>();
    if squares <= least {
        return None;
    }
    let mut picker = Picker::new(units.counts.len(), units.reference);
    let means = Means::new(picker.size, units.counts.len(), rows);
    let deviation = (drawn_variance(picker.size, units.counts.len()) * squares).sqrt();
    let z = |counts: &[u64; STRIDE]| off(counts).abs() * means.factor(counts[0] as f64) / deviation;
    let observed = z(&sum(units.counts[..units.reference].iter()));
    sequential_one(max_draws, || {
        let picked = picker.pick(random).iter().map(|&index| &units.counts[index]);
        reaches(z(&sum(picked)), observed)
    })
}

/// The p-value of G over the coarse cells, made comparable between splits of different size; `None`
/// for a single category. Every unit holds a value.
pub(crate) fn categories(units: &Units, max_draws: u32, random: &mut Random) -> Option<f64> {
    let totals = units.totals();
    let held: Vec<usize> = (1..STRIDE).filter(|&cell| totals[cell] > 0).collect();
    if held.len() < 2 {
        return None;
    }
    let compact: Vec<Vec<u64>> =
        units.counts.iter().map(|unit| held.iter().map(|&cell| unit[cell]).collect()).collect();
    let all: Vec<u64> = held.iter().map(|&cell| totals[cell]).collect();
    let total = all.iter().sum::<u64>() as f64;
    let (mut one, mut other) = (vec![0; held.len()], vec![0; held.len()]);
    let mut statistic = |picked: &[usize]| {
        one.fill(0);
        for &index in picked {
            one.iter_mut().zip(&compact[index]).for_each(|(sum, count)| *sum += count);
        }
        let rests = other.iter_mut().zip(&all).zip(&one);
        rests.for_each(|((rest, all), one)| *rest = all - one);
        let size = one.iter().sum::<u64>() as f64;
        // G grows with the smaller side, so a split is judged by G over its effective size.
        let share = size / total;
        g(&one, &other).unwrap_or(0.0) / (share * (1.0 - share))
    };
    let reference: Vec<usize> = (0..units.reference).collect();
    let observed = statistic(&reference);
    let mut picker = Picker::new(compact.len(), units.reference);
    sequential_one(max_draws, || reaches(statistic(picker.pick(random)), observed))
}
