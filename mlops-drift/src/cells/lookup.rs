//! In which cell a value lies, by a table that was chosen for the column when it was fitted.

use super::number::Number;
use crate::kernels::{Places, Slots, Table};

/// Slots of equal width over the range of the edges.
#[derive(Debug, Clone)]
pub(crate) struct Even {
    low: f64,
    scale: f64,
    places: Places,
}

impl Slots<f64> for Even {
    #[inline(always)]
    fn slot(&self, value: f64) -> u32 {
        // Outside of the range, and infinite in between, the nearest end.
        self.places.nearest((value - self.low) * self.scale)
    }
}

/// Slots of equal width in the leading digits: fine near where the edges are, for heavy tails.
#[derive(Debug, Clone)]
pub(crate) struct Digits {
    first: u64,
    /// For each sign and exponent from `first` on: its first slot, and bits of the fraction dropped.
    segments: Vec<(u32, u32)>,
}

const FRACTION: u32 = 52;

impl Slots<f64> for Digits {
    #[inline(always)]
    fn slot(&self, value: f64) -> u32 {
        // -0.0 must find the cell of 0.0.
        let key = (value + 0.0).key();
        let at =
            ((key >> FRACTION).saturating_sub(self.first) as usize).min(self.segments.len() - 1);
        let (base, drop) = self.segments[at];
        base.wrapping_add(((key & ((1 << FRACTION) - 1)) >> drop) as u32)
    }
}

/// Slots of a power of two over the range of the edges, for integers.
#[derive(Debug, Clone)]
pub(crate) struct Shift {
    low: i64,
    shift: u32,
    last: u64,
}

impl Slots<i64> for Shift {
    #[inline(always)]
    fn slot(&self, value: i64) -> u32 {
        // Below the range 0; a difference that fills all 64 bits is right as an unsigned number.
        let above = value.max(self.low).wrapping_sub(self.low) as u64;
        (above >> self.shift).min(self.last) as u32
    }
}

/// Slots of equal width within each number of binary digits above the lowest edge, for integers of
/// heavy tails.
#[derive(Debug, Clone)]
pub(crate) struct Lengths {
    low: i64,
    /// For each number of digits, 0 to 64: its first slot, and digits dropped.
    segments: Vec<(u32, u32)>,
}

impl Slots<i64> for Lengths {
    #[inline(always)]
    fn slot(&self, value: i64) -> u32 {
        let above = value.max(self.low).wrapping_sub(self.low) as u64;
        let digits = (u64::BITS - above.leading_zeros()) as usize;
        let (base, drop) = self.segments[digits];
        let rest = above & (1_u64 << digits.saturating_sub(1)).wrapping_sub(1);
        base.wrapping_add((rest >> drop) as u32)
    }
}

/// No table at all.
#[derive(Debug, Clone)]
pub(crate) enum Nowhere {}

impl<T> Slots<T> for Nowhere {
    fn slot(&self, _: T) -> u32 {
        match *self {}
    }
}

/// The way from a value to its cell.
#[derive(Debug, Clone)]
pub(crate) enum Lookup<A, B> {
    Plain(Table<A>),
    Tailed(Table<B>),
    /// By bisection.
    Search,
}

/// How many slots there are for each edge.
const SLOTS_AN_EDGE: usize = 4;
/// A plain table with more crowded values than this gives way to the other.
const BEARABLE: f64 = 0.02;

fn better<A: Slots<T>, B: Slots<T>, T: Copy>(plain: Table<A>, tailed: Table<B>) -> Lookup<A, B> {
    if plain.crowded() <= BEARABLE.max(tailed.crowded()) {
        Lookup::Plain(plain)
    } else {
        Lookup::Tailed(tailed)
    }
}

/// Bits of a segment of `held` edges: none, or enough for four slots an edge.
fn bits_for(held: usize) -> u32 {
    if held == 0 { 0 } else { (held * SLOTS_AN_EDGE).next_power_of_two().ilog2() }
}

pub(crate) fn for_floats(edges: &[f64]) -> Lookup<Even, Digits> {
    let (Some(&low), Some(&high)) = (edges.first(), edges.last()) else {
        return Lookup::Search;
    };
    let size = (edges.len() * SLOTS_AN_EDGE).next_power_of_two();
    let last = (size - 1) as f64;
    let width = high - low;
    let scale = if width > 0.0 { (last / width).min(f64::MAX) } else { 0.0 };
    let even = Even { low, scale, places: Places::new(size) };
    // One segment before the first edge's exponent and one behind the last one's.
    let first = (low.key() >> FRACTION).saturating_sub(1);
    let count = ((high.key() >> FRACTION) - first + 2) as usize;
    let mut held = vec![0_usize; count];
    edges.iter().for_each(|edge| held[((edge.key() >> FRACTION) - first) as usize] += 1);
    let mut base = 0_u32;
    let segments = held.into_iter().map(|held| {
        let bits = bits_for(held);
        let segment = (base, FRACTION - bits);
        base += 1 << bits;
        segment
    });
    let digits = Digits { first, segments: segments.collect() };
    better(Table::new(even, size, edges), Table::new(digits, base as usize, edges))
}

pub(crate) fn for_integers(edges: &[i64]) -> Lookup<Shift, Lengths> {
    let (Some(&low), Some(&high)) = (edges.first(), edges.last()) else {
        return Lookup::Search;
    };
    let width = high.wrapping_sub(low) as u64;
    let most = (edges.len() * SLOTS_AN_EDGE).next_power_of_two();
    let shift = (u64::BITS - width.leading_zeros()).saturating_sub(most.ilog2());
    let last = width >> shift;
    let plain = Table::new(Shift { low, shift, last }, last as usize + 1, edges);
    let mut held = [0_usize; 65];
    let digits =
        |edge: &i64| (u64::BITS - (edge.wrapping_sub(low) as u64).leading_zeros()) as usize;
    edges.iter().for_each(|edge| held[digits(edge)] += 1);
    let mut base = 0_u32;
    let segments = held.into_iter().enumerate().map(|(digits, held)| {
        let fraction = (digits as u32).saturating_sub(1);
        let bits = bits_for(held).min(fraction);
        let segment = (base, fraction - bits);
        base += 1 << bits;
        segment
    });
    let segments: Vec<(u32, u32)> = segments.collect();
    better(plain, Table::new(Lengths { low, segments }, base as usize, edges))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees<A: Slots<T>, B: Slots<T>, T: Number + PartialOrd>(
        lookup: &Lookup<A, B>,
        edges: &[T],
        never: T,
        values: impl Iterator<Item = T>,
    ) {
        let mut padded = edges.to_vec();
        padded.extend([never, never]);
        for value in values {
            let wanted = edges.partition_point(|edge| *edge <= value);
            let found = match lookup {
                Lookup::Plain(table) => table.cell(&padded, value),
                Lookup::Tailed(table) => table.cell(&padded, value),
                Lookup::Search => wanted,
            };
            assert_eq!(found.min(edges.len()), wanted, "{value:?} {lookup:?}");
        }
    }

    fn around(edges: &[f64]) -> Vec<f64> {
        let mut values = vec![f64::MIN, -1.0, -5e-324, 0.0, 5e-324, 1.0, 1e16, 1e300, f64::MAX];
        for pair in edges.windows(2) {
            values.extend([
                pair[0].next_down(),
                pair[0],
                pair[0].next_up(),
                pair[0] / 2.0 + pair[1] / 2.0,
            ]);
        }
        values.extend(edges.last().map(|last| last.next_up()));
        values.retain(|value| value.is_finite());
        values
    }

    #[test]
    fn every_table_finds_the_cell_that_bisection_finds() {
        let even: Vec<f64> = (0..4_000).map(|k| f64::from(k) * 0.37 - 20.0).collect();
        let tailed: Vec<f64> =
            (1..3_000).map(|k| (f64::from(k) / 3_000.0 * 3.1 - 1.55).tan()).collect();
        let far: Vec<f64> = (0..2_000).map(|k| 1e16 + f64::from(k) * 2.0).collect();
        let wide = vec![f64::MIN, -1e300, -2.0, 0.0, 5e-324, 3.0, 1e300, f64::MAX];
        for edges in [even, tailed, far, wide, vec![7.0]] {
            agrees(&for_floats(&edges), &edges, f64::INFINITY, around(&edges).into_iter());
        }
        assert!(matches!(for_floats(&[0.0, 1.0, 2.0]), Lookup::Plain(_)));
        let cauchy: Vec<f64> =
            (1..3_000).map(|k| (f64::from(k) / 3_000.0 * 3.138 - 1.569).tan()).collect();
        assert!(matches!(for_floats(&cauchy), Lookup::Tailed(_)));
    }

    #[test]
    fn integers_are_found_up_to_their_ends() {
        let hours: Vec<i64> = (0..24).collect();
        let powers: Vec<i64> = (0..62).map(|k| 1 << k).collect();
        let ends = vec![i64::MIN, -5, 0, 9, i64::MAX - 1, i64::MAX];
        let log: Vec<i64> =
            (0..3_000).map(|k| (f64::from(k) / 100.0).exp() as i64 + i64::from(k)).collect();
        for edges in [hours, powers, ends, log, vec![3]] {
            let near = edges.iter().flat_map(|e| [e.saturating_sub(1), *e, e.saturating_add(1)]);
            let values = near.chain([i64::MIN, -1, 0, 1, i64::MAX]);
            agrees(&for_integers(&edges), &edges, i64::MAX, values);
        }
    }
}
