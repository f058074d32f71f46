//! Value tests by exchange of whole clusters, on at most 32 coarse cells.

use rand::RngExt;

use super::draw::Random;
use super::scores::{Scored, largest_z};
use super::sequential::sequential;
use crate::reference::{ColumnState, STRIDE, State};
use crate::statistic::g;

/// Beyond this many clusters neighbours are joined.
pub(crate) const MAX_CLUSTERS: usize = 4_096;

/// Counts of whole clusters: those of the reference first, then the current ones.
#[derive(Debug, Clone)]
pub(crate) struct Units {
    counts: Vec<[u64; STRIDE]>,
    reference: usize,
}

impl Units {
    /// The clusters of one column, in the order of their keys.
    pub(crate) fn new(reference: (&State, &ColumnState), current: (&State, &ColumnState)) -> Self {
        let all = reference.0.slots().count() + current.0.slots().count();
        let join = all.div_ceil(MAX_CLUSTERS).max(1);
        let mut counts = joined(reference.0, reference.1, join);
        let first = counts.len();
        counts.extend(joined(current.0, current.1, join));
        Self { counts, reference: first }
    }

    /// Only the clusters that hold a usable value.
    pub(crate) fn with_values(&self) -> Self {
        let holds = |unit: &&[u64; STRIDE]| unit[1..].iter().any(|&count| count > 0);
        let (before, after) = self.counts.split_at(self.reference);
        let mut counts: Vec<_> = before.iter().filter(holds).copied().collect();
        let reference = counts.len();
        counts.extend(after.iter().filter(holds).copied());
        Self { counts, reference }
    }

    /// How many clusters each side has.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        (self.reference as u64, (self.counts.len() - self.reference) as u64)
    }

    fn totals(&self) -> [u64; STRIDE] {
        let mut totals = [0; STRIDE];
        self.counts.iter().for_each(|unit| add(&mut totals, unit));
        totals
    }
}

fn joined(state: &State, column: &ColumnState, join: usize) -> Vec<[u64; STRIDE]> {
    let slots: Vec<usize> = state.slots().collect();
    let unit = |slots: &[usize]| {
        let mut sum = [0; STRIDE];
        for slot in slots {
            if let Some(counts) = column.clusters.get(slot * STRIDE..(slot + 1) * STRIDE) {
                sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
        }
        sum
    };
    slots.chunks(join).map(unit).filter(|unit| unit[0] > 0).collect()
}

fn add(sum: &mut [u64; STRIDE], unit: &[u64; STRIDE]) {
    sum.iter_mut().zip(unit).for_each(|(sum, count)| *sum += count);
}

/// Weighted sums of clusters: each has a weight, and K sums of scores that are centred over all.
struct Linear<const K: usize> {
    units: Vec<(f64, [f64; K])>,
    weight: f64,
    deviation: [f64; K],
}

impl<const K: usize> Linear<K> {
    fn new(units: Vec<(f64, [f64; K])>) -> Self {
        let weight = units.iter().map(|unit| unit.0).sum();
        let mut square = [0.0; K];
        for (_, sums) in &units {
            square.iter_mut().zip(sums).for_each(|(square, sum)| *square += sum * sum);
        }
        // Sums that are 0 but for rounding can't vary.
        let least = 1e-20 * units.iter().map(|unit| unit.0 * unit.0).sum::<f64>();
        let deviation = square.map(|square| if square > least { square.sqrt() } else { 0.0 });
        Self { units, weight, deviation }
    }

    /// The difference of the two sides' mean scores, in units that are the same for every split.
    ///
    /// Means, not sums: when the current clusters all hold more rows than the reference's, sums
    /// would spread wider than under an exchange although no value has changed.
    fn z(&self, picked: impl Iterator<Item = usize>) -> [Option<f64>; K] {
        let (mut weight, mut sums) = (0.0, [0.0; K]);
        for index in picked {
            let unit = &self.units[index];
            weight += unit.0;
            sums.iter_mut().zip(unit.1).for_each(|(sum, score)| *sum += score);
        }
        let share = weight / self.weight;
        let both = share * (1.0 - share);
        let mut z = [None; K];
        for ((z, sum), deviation) in z.iter_mut().zip(sums).zip(self.deviation) {
            *z = (deviation > 0.0).then(|| sum.abs() / (both * deviation));
        }
        z
    }
}

/// Picks `size` of the indices below `all` without replacement, again and again.
struct Picker {
    order: Vec<usize>,
    size: usize,
}

impl Picker {
    fn new(all: usize, size: usize) -> Self {
        Self { order: (0..all).collect(), size: size.min(all - size) }
    }

    fn pick(&mut self, random: &mut Random) -> &[usize] {
        for next in 0..self.size {
            let other = random.random_range(next..self.order.len());
            self.order.swap(next, other);
        }
        &self.order[..self.size]
    }
}

fn permute<const K: usize>(
    linear: &Linear<K>,
    reference: usize,
    max_draws: u32,
    random: &mut Random,
) -> [Option<f64>; K] {
    let mut picker = Picker::new(linear.units.len(), reference);
    sequential(linear.z(0..reference), max_draws, || {
        largest_z(linear.z(picker.pick(random).iter().copied()))
    })
}

/// The joint p-values of location and scale, by midranks of the pooled coarse counts; `None` for one
/// that can't vary. Every unit holds a value.
pub(crate) fn location_and_scale(
    units: &Units,
    max_draws: u32,
    random: &mut Random,
) -> [Option<f64>; 2] {
    let scored = Scored::new(&units.totals()[1..]);
    let unit = |counts: &[u64; STRIDE]| {
        let rows: u64 = counts[1..].iter().sum();
        (rows as f64, scored.sums(&counts[1..]))
    };
    let linear = Linear::new(units.counts.iter().map(unit).collect());
    permute(&linear, units.reference, max_draws, random)
}

/// The p-value of a difference between the shares of rows without a usable value; `None` when there
/// is nothing to tell apart.
pub(crate) fn nulls(units: &Units, max_draws: u32, random: &mut Random) -> Option<f64> {
    let totals = units.totals();
    let usable = |counts: &[u64; STRIDE]| counts[1..].iter().sum::<u64>() as f64;
    let share = usable(&totals) / totals[0] as f64;
    let unit = |counts: &[u64; STRIDE]| {
        let rows = counts[0] as f64;
        (rows, [usable(counts) - rows * share])
    };
    let linear = Linear::new(units.counts.iter().map(unit).collect());
    let [p] = permute(&linear, units.reference, max_draws, random);
    p
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
    let [p] = sequential([Some(observed)], max_draws, || statistic(picker.pick(random)));
    p
}
