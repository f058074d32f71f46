//! Counting values above a few edges.

/// A number that can be counted in bins.
pub(crate) trait Column: Copy + PartialOrd {
    /// Not above any edge; what stands for a value that is missing.
    const LEAST: Self;
    /// Above every edge, or as large as the largest.
    const MOST: Self;
    /// Whether it is neither infinite nor NaN.
    fn is_usable(self) -> bool;
}

impl Column for f64 {
    const LEAST: Self = Self::MIN;
    const MOST: Self = Self::INFINITY;

    #[inline(always)]
    fn is_usable(self) -> bool {
        self.abs() < Self::INFINITY
    }
}

impl Column for f32 {
    const LEAST: Self = Self::MIN;
    const MOST: Self = Self::INFINITY;

    #[inline(always)]
    fn is_usable(self) -> bool {
        self.abs() < Self::INFINITY
    }
}

impl Column for i64 {
    const LEAST: Self = Self::MIN;
    const MOST: Self = Self::MAX;

    #[inline(always)]
    fn is_usable(self) -> bool {
        true
    }
}

impl Column for i128 {
    const LEAST: Self = Self::MIN;
    const MOST: Self = Self::MAX;

    #[inline(always)]
    fn is_usable(self) -> bool {
        true
    }
}

/// Edges that are compared together.
pub(crate) const TOGETHER: usize = 9;
/// Values of a block at most.
pub(crate) const BLOCK: usize = 1_024;
/// Values that one word of validity holds.
const WORD: usize = 64;
const LANES: usize = 8;

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
    let mut counts = [[0_u32; LANES]; TOGETHER];
    let mut unusable = [0_u32; LANES];
    let mut add = |chunk: &[T; LANES]| {
        for lane in 0..LANES {
            unusable[lane] |= u32::from(!chunk[lane].is_usable());
        }
        for (edge, counts) in edges.iter().zip(&mut counts) {
            for lane in 0..LANES {
                counts[lane] += u32::from(chunk[lane] > *edge);
            }
        }
    };
    if valid.is_empty() {
        let (chunks, rest) = values.as_chunks::<LANES>();
        chunks.iter().for_each(&mut add);
        let mut last = [T::LEAST; LANES];
        last[..rest.len()].copy_from_slice(rest);
        add(&last);
    } else {
        for (word, values) in valid.iter().zip(values.chunks(WORD)) {
            let (chunks, rest) = values.as_chunks::<LANES>();
            let mut bits = *word;
            let mut masked = |chunk: &[T; LANES]| {
                let mut kept = *chunk;
                for (lane, value) in kept.iter_mut().enumerate() {
                    *value = if bits >> lane & 1 == 1 { *value } else { T::LEAST };
                }
                bits >>= LANES;
                add(&kept);
            };
            chunks.iter().for_each(&mut masked);
            let mut last = [T::LEAST; LANES];
            last[..rest.len()].copy_from_slice(rest);
            if !rest.is_empty() {
                masked(&last);
            }
        }
    }
    let usable = unusable == [0; LANES];
    if usable {
        for (above, counts) in above.iter_mut().zip(counts) {
            *above += counts.iter().copied().map(u64::from).sum::<u64>();
        }
    }
    usable
}
