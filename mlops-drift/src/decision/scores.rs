//! Scores of cells by the midranks of their pooled counts.

/// Centred scores of location and scale for ordered cells.
pub(crate) struct Scored {
    /// By kind (location, scale) and cell; the mean over all rows is 0.
    pub(crate) scores: [Vec<f64>; 2],
    /// The sum of squared scores over all rows; 0 for scores that can't vary.
    pub(crate) spread: [f64; 2],
}

impl Scored {
    /// Midranks run from -1/2 to 1/2; location scores them as they are (Mann-Whitney), scale by
    /// their squares (Mood).
    pub(crate) fn new(totals: &[u64]) -> Self {
        let all: u64 = totals.iter().sum();
        let unit = 2.0 * all as f64;
        let mut before = 0_u64;
        let location: Vec<f64> = totals
            .iter()
            .map(|&here| {
                // Twice the centred midrank, in integers.
                let doubled = i128::from(before) * 2 + i128::from(here) - i128::from(all);
                before += here;
                doubled as f64 / unit
            })
            .collect();
        let weighted = |scores: &[f64]| -> f64 {
            scores.iter().zip(totals).map(|(score, &here)| score * here as f64).sum()
        };
        let squares: Vec<f64> = location.iter().map(|score| score * score).collect();
        let mean = weighted(&squares) / all as f64;
        let scale: Vec<f64> = squares.iter().map(|square| square - mean).collect();
        let scores = [location, scale];
        let spread = [0, 1].map(|kind: usize| {
            let squares: Vec<f64> = scores[kind].iter().map(|score| score * score).collect();
            let spread = weighted(&squares);
            // Equal scores differ from their mean by rounding alone.
            if spread > 1e-24 * all as f64 { spread } else { 0.0 }
        });
        Self { scores, spread }
    }

    /// The sums of the scores of these rows.
    pub(crate) fn sums(&self, counts: &[u64]) -> [f64; 2] {
        let mut sums = [0.0; 2];
        for ((location, scale), &count) in self.scores[0].iter().zip(&self.scores[1]).zip(counts) {
            sums[0] += location * count as f64;
            sums[1] += scale * count as f64;
        }
        sums
    }

    /// Absolute sums in units of their deviation; `None` where nothing can vary.
    pub(crate) fn standardised(&self, sums: [f64; 2], deviation: [f64; 2]) -> [Option<f64>; 2] {
        [0, 1].map(|kind| (deviation[kind] > 0.0).then(|| sums[kind].abs() / deviation[kind]))
    }
}

/// The largest of the statistics that can vary.
pub(crate) fn largest_z<const K: usize>(z: [Option<f64>; K]) -> f64 {
    z.into_iter().flatten().fold(0.0, f64::max)
}
