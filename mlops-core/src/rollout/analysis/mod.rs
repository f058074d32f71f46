//! Judging a rollout while it runs: statistics that may be looked at any time.
//!
//! | part | says |
//! |---|---|
//! | [`Evidence`] | how strongly counts speak for "worse", with a guaranteed rate of false alarms |
//! | [`Service`] | what the series of both revisions show: errors, slow answers, or no data |
//! | [`QualityEvidence`] | which model is better on the same rows |
//!
//! Service is judged by the split of traffic, quality by shadow scoring: a share of the traffic
//! is a small sample of rows, and the same rows seen by both models tell far more.

mod evidence;
mod quality;
mod service;
mod special;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use evidence::{Block, Evidence, Tally};
pub use quality::{PairedLoss, QualityEvidence, QualityRule, QualityVerdict};
pub use service::{Arms, Reading, Service};

use crate::error::{Error, Result};

/// What the evidence says about going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Enough was seen, and nothing speaks against it.
    Pass,
    /// The new revision is worse, beyond chance.
    Fail,
    /// Something speaks against it, not beyond chance.
    Inconclusive,
    /// Too little was seen, or what was seen can't be trusted.
    NoData,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::NoData => "no data",
        })
    }
}

/// A verdict and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The figures that it rests on.
    pub reason: String,
}

/// What is put up with in one kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventRule {
    /// The odds ratio of new to stable that is still no worse, 1 or more. For rare events that is how
    /// many times as often they may happen.
    pub tolerated: f64,
    /// The smallest difference of rates, as seen, that ends a rollout, in `[0, 1)`. Beneath it
    /// evidence is of no practical concern.
    pub floor: f64,
}

impl Default for EventRule {
    fn default() -> Self {
        Self { tolerated: 1.0, floor: 0.0 }
    }
}

impl EventRule {
    /// Puts up with this odds ratio.
    #[must_use]
    pub fn with_tolerated(self, tolerated: f64) -> Self {
        Self { tolerated, ..self }
    }

    /// Takes no difference below this seriously.
    #[must_use]
    pub fn with_floor(self, floor: f64) -> Self {
        Self { floor, ..self }
    }

    fn check(&self) -> Result<()> {
        let usable =
            self.tolerated.is_finite() && self.tolerated >= 1.0 && (0.0..1.0).contains(&self.floor);
        let Self { tolerated, floor } = self;
        let message = || format!("a rule makes no sense: tolerated={tolerated} floor={floor}");
        if usable { Ok(()) } else { Err(Error::invalid(message())) }
    }
}

/// How service is judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AnalysisOptions {
    /// The chance that a rollout of a revision that is no worse is ended, over all looks, steps
    /// and kinds of events together, in `(0, 1)`.
    pub alpha: f64,
    /// Errors; not judged without a rule.
    pub errors: Option<EventRule>,
    /// Requests over the latency bound; not judged without a rule.
    pub slow: Option<EventRule>,
    /// Evidence from here on is a doubt, though no proof: the verdict is inconclusive. 1 or more.
    pub doubt: f64,
    /// A series whose last request is older than this is no data.
    pub stale: Duration,
    /// How often the counts are looked at.
    pub look_every: Duration,
}

impl Default for AnalysisOptions {
    fn default() -> Self {
        Self {
            alpha: 0.01,
            errors: Some(EventRule::default()),
            slow: Some(EventRule::default()),
            doubt: 10.0,
            stale: Duration::from_secs(60),
            look_every: Duration::from_secs(10),
        }
    }
}

impl AnalysisOptions {
    /// Sets the chance of ending a good rollout.
    #[must_use]
    pub fn with_alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    /// Sets how errors are judged.
    #[must_use]
    pub fn with_errors(self, errors: Option<EventRule>) -> Self {
        Self { errors, ..self }
    }

    /// Sets how slow requests are judged.
    #[must_use]
    pub fn with_slow(self, slow: Option<EventRule>) -> Self {
        Self { slow, ..self }
    }

    /// Sets how often the counts are looked at.
    #[must_use]
    pub fn with_look_every(self, look_every: Duration) -> Self {
        Self { look_every, ..self }
    }

    /// Sets when a series is stale.
    #[must_use]
    pub fn with_stale(self, stale: Duration) -> Self {
        Self { stale, ..self }
    }

    /// # Errors
    /// `InvalidInput` for an option outside its range.
    pub fn check(&self) -> Result<()> {
        let (alpha, doubt) = (self.alpha, self.doubt);
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(Error::invalid(format!("alpha must lie between 0 and 1: alpha={alpha}")));
        }
        if !(doubt >= 1.0 && doubt.is_finite()) {
            return Err(Error::invalid(format!("doubt begins at 1: doubt={doubt}")));
        }
        self.errors.iter().chain(&self.slow).try_for_each(EventRule::check)
    }

    /// The share of alpha that each kind of event may spend.
    fn share(&self) -> f64 {
        let kinds = usize::from(self.errors.is_some()) + usize::from(self.slow.is_some());
        self.alpha / kinds.max(1) as f64
    }

    /// Evidence from here on ends a rollout.
    fn limit(&self) -> f64 {
        1.0 / ((1.0 - CEILING_SHARE) * self.share())
    }

    /// The level of the bound on the stable revision's rate.
    fn ceiling_alpha(&self) -> f64 {
        CEILING_SHARE * self.share()
    }
}

/// What of alpha goes into the bound on the stable revision's rate, which the last step (where it
/// answers nothing any more) is held against.
const CEILING_SHARE: f64 = 0.1;

#[cfg(test)]
mod tests;
