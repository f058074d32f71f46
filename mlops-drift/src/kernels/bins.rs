//! Counting values above a few edges.

/// A number that can be counted in bins.
pub(crate) trait Column: Copy + PartialOrd + Default {
    /// As large as the largest: nothing is above it.
    const MOST: Self;
    /// Whether all of them are neither infinite nor NaN.
    fn all_usable(values: &[Self]) -> bool;
    /// Itself where the lowest bit is set, else 0.
    fn masked(self, bit: u64) -> Self;
    /// How many of at most [`BLOCK`] values are above the edge.
    fn above(values: &[Self], edge: Self) -> u64;
}

/// Counts in integers as wide as the values, so that both fill the same vectors.
macro_rules! count_above_one {
    ($count:ty) => {
        #[inline(always)]
        fn above(values: &[Self], edge: Self) -> u64 {
            let one = |value: &Self| <$count>::from(*value > edge);
            let count = values.iter().map(one).fold(0, <$count>::wrapping_add);
            u64::from(count)
        }
    };
}

macro_rules! floating {
    ($type:ty, $bits:ty) => {
        impl Column for $type {
            const MOST: Self = Self::INFINITY;

            #[inline(always)]
            fn all_usable(values: &[Self]) -> bool {
                // All of them, not the first: a loop without an early end can be put on vectors.
                let one = |value: &Self| <$bits>::from(!(value.abs() < Self::INFINITY));
                values.iter().map(one).fold(0, |a, b| a | b) == 0
            }

            #[inline(always)]
            fn masked(self, bit: u64) -> Self {
                let mask = (0 as $bits).wrapping_sub((bit & 1) as $bits);
                Self::from_bits(self.to_bits() & mask)
            }

            count_above_one!($bits);
        }
    };
}
floating!(f64, u64);
floating!(f32, u32);

macro_rules! whole {
    ($type:ty) => {
        impl Column for $type {
            const MOST: Self = Self::MAX;

            #[inline(always)]
            fn all_usable(_: &[Self]) -> bool {
                true
            }

            #[inline(always)]
            fn masked(self, bit: u64) -> Self {
                self & (0 as $type).wrapping_sub((bit & 1) as $type)
            }

            count_above_one!(u64);
        }
    };
}
whole!(i64);
whole!(i128);

/// Edges that are compared together.
pub(crate) const TOGETHER: usize = 9;
/// Values of a block at most.
pub(crate) const BLOCK: usize = 1_024;
/// Values that one word of validity holds.
const WORD: usize = 64;

dispatch! {
    /// Adds to `above` how many of at most [`BLOCK`] values lie above each edge, and says whether all of them
    /// were usable; if not, nothing is added. Values whose bit of `valid` is not set are left out; no
    /// words mean that all are there.
    fn count_above[T: Column](
        values: &[T],
        valid: &[u64],
        edges: &[T; TOGETHER],
        above: &mut [u64; TOGETHER],
    ) -> bool = count;
}

#[inline(always)]
fn count<T: Column>(
    values: &[T],
    valid: &[u64],
    edges: &[T; TOGETHER],
    above: &mut [u64; TOGETHER],
) -> bool {
    if valid.is_empty() {
        if !T::all_usable(values) {
            return false;
        }
        for (above, edge) in above.iter_mut().zip(edges) {
            *above += T::above(values, *edge);
        }
        return true;
    }
    // What is missing is counted as 0, and taken off again.
    let mut there = [T::default(); BLOCK];
    let (whole, rest) = values.as_chunks::<WORD>();
    let (there_whole, _) = there.as_chunks_mut::<WORD>();
    let mut words = valid.iter().copied();
    for ((there, values), word) in there_whole.iter_mut().zip(whole).zip(&mut words) {
        mask(there, values, word);
    }
    if let Some(word) = words.next() {
        let mut last = [T::default(); WORD];
        last[..rest.len()].copy_from_slice(rest);
        if let Some(there) = there_whole.get_mut(whole.len()) {
            mask(there, &last, word);
        }
    }
    let there = &there[..values.len().min(BLOCK)];
    if !T::all_usable(there) {
        return false;
    }
    let held: u64 = valid.iter().map(|word| u64::from(word.count_ones())).sum();
    let missing = there.len() as u64 - held;
    for (above, edge) in above.iter_mut().zip(edges) {
        let as_zero = if T::default() > *edge { missing } else { 0 };
        *above += T::above(there, *edge) - as_zero;
    }
    true
}

/// The values whose bit is set; 0 for the others.
#[inline(always)]
fn mask<T: Column>(there: &mut [T; WORD], values: &[T; WORD], word: u64) {
    for at in 0..WORD {
        there[at] = values[at].masked(word.wrapping_shr(at as u32));
    }
}
