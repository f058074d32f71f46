//! Counting values above a few edges.

/// A number that can be counted in bins.
pub(crate) trait Column: Copy + PartialOrd + Default {
    /// As large as the largest: nothing is above it.
    const MOST: Self;
    /// Whether all of them are neither infinite nor NaN.
    fn all_usable(values: &[Self]) -> bool;
    /// Those whose bit is set, and 0 for the others.
    fn masked(values: &[Self; NIBBLE], bits: usize) -> [Self; NIBBLE];
    /// How many of at most [`BLOCK`] values are above each edge.
    fn above(values: &[Self], edges: [Self; A_PASS]) -> [u64; A_PASS];
}

/// Edges that one pass over a block compares with: few enough for every count to stay in a register.
const A_PASS: usize = 3;

/// Counts in integers as wide as the values, so that both fill the same vectors.
macro_rules! count_above_some {
    ($count:ty) => {
        #[inline(always)]
        fn above(values: &[Self], edges: [Self; A_PASS]) -> [u64; A_PASS] {
            let mut counts = [0; A_PASS];
            for value in values {
                for (count, edge) in counts.iter_mut().zip(edges) {
                    *count = <$count>::wrapping_add(*count, <$count>::from(*value > edge));
                }
            }
            counts.map(u64::from)
        }
    };
}

/// Values that are masked together.
const NIBBLE: usize = 4;

/// For all bits of four values, what to mask them with.
macro_rules! masks {
    ($bits:ty) => {{
        let mut masks = [[0; NIBBLE]; 16];
        let mut bits = 0;
        while bits < 16 {
            let mut at = 0;
            while at < NIBBLE {
                masks[bits][at] = if bits >> at & 1 == 1 { !0 } else { 0 };
                at += 1;
            }
            bits += 1;
        }
        masks
    }};
}

macro_rules! floating {
    ($type:ty, $bits:ty) => {
        impl Column for $type {
            const MOST: Self = Self::INFINITY;

            #[inline(always)]
            fn all_usable(values: &[Self]) -> bool {
                // All of them, not the first: a loop without an early end can be put on vectors.
                let one = |value: &Self| <$bits>::from(!value.is_finite());
                values.iter().map(one).fold(0, |a, b| a | b) == 0
            }

            #[inline(always)]
            fn masked(values: &[Self; NIBBLE], bits: usize) -> [Self; NIBBLE] {
                const MASKS: [[$bits; NIBBLE]; 16] = masks!($bits);
                let mask = &MASKS[bits & 15];
                std::array::from_fn(|at| Self::from_bits(values[at].to_bits() & mask[at]))
            }

            count_above_some!($bits);
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
            fn masked(values: &[Self; NIBBLE], bits: usize) -> [Self; NIBBLE] {
                const MASKS: [[$type; NIBBLE]; 16] = masks!($type);
                let mask = &MASKS[bits & 15];
                std::array::from_fn(|at| values[at] & mask[at])
            }

            count_above_some!(u64);
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
    /// words mean that all are there. `scratch` is room to work in.
    fn count_above[T: Column](
        values: &[T],
        valid: &[u64],
        scratch: &mut [T; BLOCK],
        edges: &[T; TOGETHER],
        above: &mut [u64; TOGETHER],
    ) -> bool = count;
}

dispatch! {
    /// Whether all values are neither infinite nor NaN.
    fn all_usable[T: Column](values: &[T]) -> bool = T::all_usable;
}

#[inline(always)]
fn count<T: Column>(
    values: &[T],
    valid: &[u64],
    scratch: &mut [T; BLOCK],
    edges: &[T; TOGETHER],
    above: &mut [u64; TOGETHER],
) -> bool {
    if valid.is_empty() {
        if !T::all_usable(values) {
            return false;
        }
        add_above(values, edges, 0, above);
        return true;
    }
    // What is missing is counted as 0, and taken off again.
    let (whole, rest) = values.as_chunks::<WORD>();
    let (there_whole, _) = scratch.as_chunks_mut::<WORD>();
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
    let there = &scratch[..values.len().min(BLOCK)];
    if !T::all_usable(there) {
        return false;
    }
    let held: u64 = valid.iter().map(|word| u64::from(word.count_ones())).sum();
    let missing = there.len() as u64 - held;
    add_above(there, edges, missing, above);
    true
}

/// Adds the counts of values of which so many are a 0 that is not there.
#[inline(always)]
fn add_above<T: Column>(
    values: &[T],
    edges: &[T; TOGETHER],
    missing: u64,
    above: &mut [u64; TOGETHER],
) {
    let (edges, _) = edges.as_chunks::<A_PASS>();
    let (above, _) = above.as_chunks_mut::<A_PASS>();
    for (edges, above) in edges.iter().zip(above) {
        let counts = T::above(values, *edges);
        for ((above, count), edge) in above.iter_mut().zip(counts).zip(edges) {
            let as_zero = if T::default() > *edge { missing } else { 0 };
            *above += count - as_zero;
        }
    }
}

/// The values whose bit is set; 0 for the others.
#[inline(always)]
fn mask<T: Column>(there: &mut [T; WORD], values: &[T; WORD], word: u64) {
    let (there, _) = there.as_chunks_mut::<NIBBLE>();
    let (values, _) = values.as_chunks::<NIBBLE>();
    let mut bits = word;
    for (there, values) in there.iter_mut().zip(values) {
        *there = T::masked(values, bits as usize);
        bits >>= NIBBLE;
    }
}
