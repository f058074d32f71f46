//! Evidence that the new revision is worse, which may be looked at any time.
//!
//! # The construction
//! Requests are counted in blocks: what came between two looks. In a block the new revision
//! answered `m` requests and the stable one `n`; `K` of all were events (errors, or slow), `k` of
//! those the new revision's. Whatever the common rate is, and however it moves from block to block,
//! only one thing is left open given `m`, `n` and `K`: whose events they were. Were the odds ratio of
//! the two revisions at most `t` (the tolerated one; 1 is "not worse"), `k` would follow Fisher's
//! noncentral hypergeometric distribution with that odds ratio. For an odds ratio `r t` with `r > 1`,
//! and `w = m / (m + n)`,
//!
//! ```text
//! E(r) = (π/τ)^k ((1-π)/(1-τ))^(K-k)      τ = w t / (w t + 1 - w)     π = w r t / (w r t + 1 - w)
//! ```
//!
//! has expectation 1 at most:
//! - `k` is a sum of independent yes-or-no variables (Vatutin and Mikhailov, Theory of Probability and
//!   its Applications 27, 1982), so of all convex functions, `E` among them, it has no larger
//!   expectation than a Binomial(K, E[k]/K) variable (Hoeffding, Journal of the American
//!   Statistical Association 58, 1963);
//! - `E[k] <= K τ`: the distribution satisfies `E[k (n-K+k)] = t E[(m-k)(K-k)]`, which with
//!   `Var k <= E[k] (1 - E[k]/K)` and `t >= 1` gives `n E[k] <= t m (K - E[k])`;
//! - for a lower odds ratio `k` is stochastically smaller, and `E` grows with `k`;
//! - for Binomial(K, τ) the expectation of `E` is 1.
//!
//! So the product of `E(r)` over blocks, and any mixture of such products over `r` that was fixed
//! beforehand, is a nonnegative supermartingale: by Ville's inequality it passes `1/alpha` at any
//! time at all with probability at most `alpha` (Ramdas, Grünwald, Vovk and Shafer, "Game-theoretic
//! statistics and safe anytime-valid inference", Statistical Science 38(4), 2023). Conditioning on
//! the total, with a mixture over what is left, is that of Lindon and Malek, "Anytime-valid
//! inference for multinomial count data", NeurIPS 2022, there for random splits of known
//! probability; taking the counted share of each block makes it hold for deterministic and
//! sticky splits as well.
//!
//! # Guaranteed, and not
//! Guaranteed for any number of looks, any rates, rates that move with the time (of both
//! revisions alike) and any split: a revision whose odds of an event are at most the tolerated
//! ones in each block is found worse with probability `alpha` at most. It takes for granted that
//! requests of a block fail independently given the block, and that how many requests come does not
//! depend on how they fare. Bursts that hit one revision only (one broken connection, a hundred
//! errors) and clients that retry against the same revision break that. The power is only measured:
//! the program `power_table` prints it.
//!
//! A beta-binomial Bayes factor with the same prior on both rates would do without blocks, but it is no
//! supermartingale when the common rate is unknown: its false alarms can only be measured.

use serde::{Deserialize, Serialize};

/// How many odds ratios are mixed.
const GRID: usize = 12;

/// The odds ratios, beyond the tolerated one, that evidence is gathered for: half powers of two from
/// 1.4 to 64, of equal weight.
fn grid() -> impl Iterator<Item = f64> {
    (1..=GRID).map(|step| (step as f64 / 2.0).exp2())
}

/// How many requests there were, and how many of them were events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Requests.
    pub requests: u64,
    /// Events among them: errors, or slow answers.
    pub events: u64,
}

impl Tally {
    /// Events per request; `None` without requests.
    #[must_use]
    pub fn rate(self) -> Option<f64> {
        (self.requests > 0).then(|| self.events as f64 / self.requests as f64)
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { requests: self.requests + other.requests, events: self.events + other.events }
    }
}

/// What one look adds: the requests since the look before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Block {
    /// Of the stable revision.
    pub stable: Tally,
    /// Of the new one, over the same time.
    pub canary: Tally,
}

/// Evidence gathered so far, for one kind of event.
///
/// Empty and one-sided blocks add nothing, neither for nor against.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// The logarithm of the product over blocks, for each odds ratio of the grid.
    logs: [f64; GRID],
}

impl Evidence {
    /// Adds a block in which both revisions answered, against an odds ratio of at most `tolerated`
    /// (1 or more).
    pub fn compare(&mut self, block: Block, tolerated: f64) {
        let (new, old) = (block.canary.requests as f64, block.stable.requests as f64);
        if new <= 0.0 || old <= 0.0 {
            return;
        }
        let ours = block.canary.events as f64;
        let all = ours + block.stable.events as f64;
        let tolerated = tolerated.max(1.0);
        for (log, odds) in self.logs.iter_mut().zip(grid()) {
            let null = new * tolerated + old;
            let other = new * tolerated * odds + old;
            *log += ours * odds.ln() - all * (other / null).ln();
        }
    }

    /// Adds requests of the new revision alone, against a rate of at most `ceiling`, in `(0, 1)`:
    /// likelihood ratios of Bernoulli variables, which are supermartingales for every rate below.
    pub fn bound(&mut self, canary: Tally, ceiling: f64) {
        if ceiling <= 0.0 || ceiling >= 1.0 {
            return;
        }
        let (events, requests) = (canary.events as f64, canary.requests as f64);
        for (log, odds) in self.logs.iter_mut().zip(grid()) {
            *log += events * odds.ln() - requests * (1.0 - ceiling + ceiling * odds).ln();
        }
    }

    /// The evidence: 1 says nothing, `1/alpha` refutes at level `alpha`.
    #[must_use]
    pub fn value(&self) -> f64 {
        let top = self.logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = self.logs.iter().map(|log| (log - top).exp()).sum();
        (top + (sum / GRID as f64).ln()).exp().min(f64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::special::ln_gamma;
    use super::*;

    fn ln_choose(n: u64, k: u64) -> f64 {
        let ln = |n: u64| ln_gamma(n as f64 + 1.0);
        ln(n) - ln(k) - ln(n - k)
    }

    /// The expectation of one block's evidence, by summing over Fisher's distribution.
    fn expectation([m, n, total]: [u64; 3], odds: f64, tolerated: f64) -> f64 {
        let values: Vec<(f64, f64)> = (total.saturating_sub(n)..=total.min(m))
            .map(|k| {
                let stable = Tally { requests: n, events: total - k };
                let canary = Tally { requests: m, events: k };
                let mut evidence = Evidence::default();
                evidence.compare(Block { stable, canary }, tolerated);
                let ln_weight = ln_choose(m, k) + ln_choose(n, total - k) + k as f64 * odds.ln();
                (ln_weight, evidence.value())
            })
            .collect();
        let top = values.iter().map(|(weight, _)| *weight).fold(f64::NEG_INFINITY, f64::max);
        let weights: f64 = values.iter().map(|(weight, _)| (weight - top).exp()).sum();
        values.iter().map(|(weight, value)| (weight - top).exp() * value).sum::<f64>() / weights
    }

    #[test]
    fn one_block_is_worth_at_most_one_wherever_the_new_revision_is_not_worse() {
        for [m, n] in [[1, 1], [1, 99], [5, 95], [50, 50], [300, 700], [90, 10], [2_000, 40]] {
            for total in [0, 1, 2, 5, 20, 60].into_iter().filter(|total| *total <= m + n) {
                for tolerated in [1.0, 1.3, 4.0] {
                    for odds in [0.1, 0.8, 1.0, 1.3, 4.0].into_iter().filter(|o| *o <= tolerated) {
                        let got = expectation([m, n, total], odds, tolerated);
                        assert!(got <= 1.0 + 1e-9, "{m} {n} {total} {odds} {tolerated}: {got}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_bound_is_worth_at_most_one_up_to_the_ceiling() {
        for (requests, ceiling) in [(1, 0.5), (30, 0.05), (200, 0.01)] {
            for rate in [0.3 * ceiling, ceiling] {
                let value = |events: u64| {
                    let mut evidence = Evidence::default();
                    evidence.bound(Tally { requests, events }, ceiling);
                    let ln = ln_choose(requests, events)
                        + events as f64 * rate.ln()
                        + (requests - events) as f64 * (-rate).ln_1p();
                    ln.exp() * evidence.value()
                };
                let got: f64 = (0..=requests).map(value).sum();
                assert!(got <= 1.0 + 1e-9, "{requests} {ceiling} {rate}: {got}");
            }
        }
    }

    #[test]
    fn nothing_is_learned_from_one_arm_or_from_no_event() {
        let mut evidence = Evidence::default();
        let tally = |requests, events| Tally { requests, events };
        evidence.compare(Block { stable: tally(0, 0), canary: tally(100, 100) }, 1.0);
        evidence.compare(Block { stable: tally(100, 0), canary: tally(0, 0) }, 1.0);
        evidence.compare(Block { stable: tally(100, 0), canary: tally(100, 0) }, 1.0);
        assert_eq!(evidence.value(), 1.0);
    }

    /// All-zero baselines were a blind spot of rank tests (spinnaker #5622, kayenta #377).
    #[test]
    fn a_few_errors_against_none_are_evidence() {
        let mut evidence = Evidence::default();
        let block = Block {
            stable: Tally { requests: 900, events: 0 },
            canary: Tally { requests: 100, events: 6 },
        };
        evidence.compare(block, 1.0);
        assert!(evidence.value() > 1e4, "{}", evidence.value());
    }

    #[test]
    fn a_better_revision_never_becomes_suspicious() {
        let mut evidence = Evidence::default();
        let block = Block {
            stable: Tally { requests: 500, events: 50 },
            canary: Tally { requests: 500, events: 5 },
        };
        (0..100).for_each(|_| evidence.compare(block, 1.0));
        assert!(evidence.value() < 1e-6);
    }
}
