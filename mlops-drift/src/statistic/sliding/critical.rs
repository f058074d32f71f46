//! From which distance on a sliding window raises an alarm, when every value is looked at.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::SlidingKs;
use crate::error::{Error, Result};

/// References are redrawn at no more than this size, or so many windows.
const MOST_REDRAWN: (u64, u64) = (20_000, 20);

/// What a sliding alarm should promise.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SlidingPromise {
    /// How many values, from the first full window on, the promise is for.
    pub horizon: usize,
    /// The probability of at least one false alarm within the horizon.
    pub alpha: f64,
    /// How many runs are simulated; 999.
    pub draws: u32,
    /// Where the simulation starts. One seed gives one result.
    pub seed: u64,
}

impl SlidingPromise {
    /// A promise for so many values.
    #[must_use]
    pub fn new(horizon: usize, alpha: f64) -> Self {
        Self { horizon, alpha, draws: 999, seed: 0 }
    }

    /// Sets how many runs are simulated, at least `1 / alpha - 1`.
    #[must_use]
    pub fn with_draws(mut self, draws: u32) -> Self {
        self.draws = draws;
        self
    }

    /// Sets where the simulation starts.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// The distance that a window of `window` values exceeds with a probability of at most `alpha` while
/// it slides over `horizon` values of no change: alarm where [`SlidingKs::push`] gives more.
///
/// By simulation: the reference is a sample itself, so each run draws another one of it, cell by
/// cell, beside a stream of independent values, and looks at every distance. The result is the
/// k-th largest of the runs' largest distances, k = alpha (draws + 1), rounded down. How good the promise is
/// hangs on the cells, which stand for the distribution: with about as many as the square root of the
/// reference's size each holds enough; a reference of only a few windows alarms a little more often. References
/// beyond 20,000 values (or 20 windows) are redrawn at that size,
/// which makes the distance a little too large. Values that depend on each other alarm more often.
///
/// ```
/// use mlops_drift::statistic::{SlidingPromise, sliding_critical};
///
/// let reference = vec![50; 20];
/// let once = sliding_critical(&reference, 100, &SlidingPromise::new(1, 0.05))?;
/// let often = sliding_critical(&reference, 100, &SlidingPromise::new(1_000, 0.05))?;
/// assert!(0.1 < once && once < often && often < 0.3);
/// # Ok::<(), mlops_drift::Error>(())
/// ```
///
/// # Errors
///
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) for an alpha outside of 0 to 1, a horizon of 0, too few draws for the
/// alpha, and what [`SlidingKs::new`] refuses.
pub fn sliding_critical(reference: &[u64], window: usize, promise: &SlidingPromise) -> Result<f64> {
    let SlidingPromise { horizon, alpha, draws, seed } = *promise;
    if !(alpha > 0.0 && alpha < 1.0) || horizon == 0 {
        return Err(Error::invalid(format!(
            "a promise needs an alpha between 0 and 1, and values: alpha={alpha} horizon={horizon}"
        )));
    }
    let rank = (alpha * (f64::from(draws) + 1.0)) as usize;
    if rank == 0 {
        return Err(Error::invalid(format!(
            "so few runs can't reach this alpha: draws={draws} alpha={alpha}"
        )));
    }
    // What can't slide over the reference itself can't be simulated.
    SlidingKs::new(reference, window)?;
    let urn = Urn::new(reference);
    let (most, windows) = MOST_REDRAWN;
    let size = urn.total().min(most.max(windows.saturating_mul(window as u64)));
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut largest = Vec::new();
    for _ in 0..draws {
        let mut redrawn = vec![0; reference.len()];
        (0..size).for_each(|_| redrawn[urn.draw(&mut random)] += 1);
        let mut sliding = SlidingKs::new(&redrawn, window)?;
        let mut run = 0.0_f64;
        for _ in 1..window {
            sliding.push(urn.draw(&mut random));
        }
        for _ in 0..horizon {
            let distance = sliding.push(urn.draw(&mut random));
            run = distance.map_or(run, |ks| run.max(ks.value));
        }
        largest.push(run);
    }
    largest.sort_unstable_by(|a, b| b.total_cmp(a));
    largest
        .get(rank - 1)
        .copied()
        .ok_or_else(|| Error::invalid(format!("there must be runs: draws={draws}")))
}

/// Cells to draw from, each as often as the reference has it.
struct Urn {
    /// How many values lie in this cell and those before it.
    upto: Vec<u64>,
}

impl Urn {
    fn new(counts: &[u64]) -> Self {
        let mut sum = 0;
        let upto = counts.iter().map(|count| {
            sum += count;
            sum
        });
        Self { upto: upto.collect() }
    }

    fn total(&self) -> u64 {
        self.upto.last().copied().unwrap_or(0)
    }

    fn draw(&self, random: &mut Xoshiro256PlusPlus) -> usize {
        let ball = random.random_range(0..self.total());
        self.upto.partition_point(|upto| *upto <= ball)
    }
}
