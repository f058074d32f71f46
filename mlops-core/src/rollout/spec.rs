//! What a rollout is to do: which revision takes over from which, how, and how it is judged.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::analysis::{AnalysisOptions, QualityRule};
use crate::deploy::{Percent, RevisionSpec, Stickiness};
use crate::error::{Error, Result};
use crate::id::{EndpointName, RevisionName};

/// Shares of the new revision, one a step: ascending, none twice, the last 100.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Percent>", into = "Vec<Percent>")]
pub struct Steps(Vec<Percent>);

impl Steps {
    /// Validates shares. A first step of 0 is a preview: the revision runs, and answers nobody.
    ///
    /// # Errors
    /// `InvalidInput` says which rule is broken.
    pub fn new(shares: impl IntoIterator<Item = Percent>) -> Result<Self> {
        let shares: Vec<Percent> = shares.into_iter().collect();
        if let Some(pair) = shares.windows(2).find(|pair| pair[0] >= pair[1]) {
            let (first, second) = (pair[0].get(), pair[1].get());
            return Err(Error::invalid(format!("steps must ascend: {second} follows {first}")));
        }
        match shares.last() {
            Some(&Percent::ALL) => Ok(Self(shares)),
            Some(last) => {
                Err(Error::invalid(format!("the last step must be 100: last={}", last.get())))
            }
            None => Err(Error::invalid("a rollout needs a step")),
        }
    }

    /// The shares.
    #[must_use]
    pub fn shares(&self) -> &[Percent] {
        &self.0
    }
}

impl TryFrom<Vec<Percent>> for Steps {
    type Error = Error;
    fn try_from(shares: Vec<Percent>) -> Result<Self> {
        Self::new(shares)
    }
}

impl From<Steps> for Vec<Percent> {
    fn from(steps: Steps) -> Self {
        steps.0
    }
}

/// How the new revision takes over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// By growing shares.
    Canary(Steps),
    /// All at once, after a preview without traffic; the old one is held ready for the way back.
    BlueGreen,
}

impl Strategy {
    /// A canary with these shares in percent.
    ///
    /// # Errors
    /// As for [`Percent::new`] and [`Steps::new`].
    pub fn canary(shares: &[u8]) -> Result<Self> {
        let shares: Result<Vec<Percent>> =
            shares.iter().map(|share| Percent::new(*share)).collect();
        Ok(Self::Canary(Steps::new(shares?)?))
    }

    /// The share of each step.
    #[must_use]
    pub fn shares(&self) -> &[Percent] {
        match self {
            Self::Canary(steps) => steps.shares(),
            Self::BlueGreen => &[Percent::NONE, Percent::ALL],
        }
    }
}

/// How long a step is watched, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// At least so long.
    pub min: Duration,
    /// With too little data, at most so long.
    pub max: Duration,
    /// Requests that each revision with a share must have answered; at least one is wanted always.
    pub samples: u64,
}

impl Default for Hold {
    fn default() -> Self {
        let (min, max) = (Duration::from_secs(300), Duration::from_secs(3_600));
        Self { min, max, samples: 100 }
    }
}

impl Hold {
    fn check(&self) -> Result<()> {
        let Self { min, max, .. } = self;
        if min <= max {
            return Ok(());
        }
        Err(Error::invalid(format!("a hold ends before it may: min={min:?} max={max:?}")))
    }
}

/// A phase in which the new revision gets copies of requests, whose answers nobody sees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shadow {
    /// The share of requests that are copied, above 0.
    pub percent: Percent,
    /// How long it is watched.
    pub hold: Hold,
    /// Whether quality is judged by rows that both have scored; not without a rule.
    pub quality: Option<QualityRule>,
}

/// What to do when a step had its longest time and there is still too little data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNoData {
    /// Wait for somebody to decide.
    #[default]
    Pause,
    /// Back to the stable revision.
    Abort,
    /// Go on without evidence.
    Advance,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Deadlines {
    /// From the start to readiness, and from the asking for a split to its being observed.
    pub apply: Duration,
    /// How long a revision without share is kept, for the way back and for late requests.
    pub drain_delay: Duration,
    /// How long requests in flight are waited for beyond that.
    pub drain_max: Duration,
    /// How long a pause may last until the rollout is aborted; for ever without it.
    pub pause: Option<Duration>,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            apply: Duration::from_secs(600),
            drain_delay: Duration::from_secs(30),
            drain_max: Duration::from_secs(300),
            pause: None,
        }
    }
}

impl Deadlines {
    /// Sets the time to readiness.
    #[must_use]
    pub fn with_apply(self, apply: Duration) -> Self {
        Self { apply, ..self }
    }

    /// Sets how long a revision without share is kept.
    #[must_use]
    pub fn with_drain(self, delay: Duration, max: Duration) -> Self {
        Self { drain_delay: delay, drain_max: max, ..self }
    }

    /// Sets how long a pause may last.
    #[must_use]
    pub fn with_pause(self, pause: Duration) -> Self {
        Self { pause: Some(pause), ..self }
    }
}

/// A point that is passed only when somebody says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Before the step with this number, from 0.
    Step(usize),
    /// Before the new revision becomes the stable one.
    Promotion,
}

/// What a rollout is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RolloutSpec {
    /// The revision that answers now, as the caller knows it: a rollout from another one is refused.
    /// None for the first of an endpoint.
    pub stable: Option<RevisionName>,
    /// The revision that is to take over.
    pub new: RevisionSpec,
    /// How.
    pub strategy: Strategy,
    /// Copies of requests before the first step.
    pub shadow: Option<Shadow>,
    /// How long each step is watched.
    pub hold: Hold,
    /// How service is judged.
    pub analysis: AnalysisOptions,
    /// What to do without data.
    pub on_no_data: OnNoData,
    /// How many inconclusive judgements in a row are answered by another hold.
    pub inconclusive_limit: u32,
    /// How long things may take.
    pub deadlines: Deadlines,
    /// Points that are passed only when somebody says so.
    pub gates: BTreeSet<Gate>,
    /// Which requests stay together.
    pub sticky: Option<Stickiness>,
}

impl RolloutSpec {
    /// A rollout of `new` in place of `stable`, with the defaults for everything else.
    ///
    /// # Errors
    /// As for [`RolloutSpec::check`].
    pub fn new(
        stable: Option<RevisionName>,
        new: RevisionSpec,
        strategy: Strategy,
    ) -> Result<Self> {
        let spec = Self {
            stable,
            new,
            strategy,
            shadow: None,
            hold: Hold::default(),
            analysis: AnalysisOptions::default(),
            on_no_data: OnNoData::default(),
            inconclusive_limit: 3,
            deadlines: Deadlines::default(),
            gates: BTreeSet::new(),
            sticky: None,
        };
        spec.check().map(|()| spec)
    }

    /// Copies requests before the first step.
    #[must_use]
    pub fn with_shadow(self, shadow: Shadow) -> Self {
        Self { shadow: Some(shadow), ..self }
    }

    /// Sets how long each step is watched.
    #[must_use]
    pub fn with_hold(self, hold: Hold) -> Self {
        Self { hold, ..self }
    }

    /// Sets how service is judged.
    #[must_use]
    pub fn with_analysis(self, analysis: AnalysisOptions) -> Self {
        Self { analysis, ..self }
    }

    /// Sets what to do without data.
    #[must_use]
    pub fn with_on_no_data(self, on_no_data: OnNoData) -> Self {
        Self { on_no_data, ..self }
    }

    /// Sets how many inconclusive judgements in a row are answered by another hold.
    #[must_use]
    pub fn with_inconclusive_limit(self, inconclusive_limit: u32) -> Self {
        Self { inconclusive_limit, ..self }
    }

    /// Sets how long things may take.
    #[must_use]
    pub fn with_deadlines(self, deadlines: Deadlines) -> Self {
        Self { deadlines, ..self }
    }

    /// Adds a point that is passed only when somebody says so.
    #[must_use]
    pub fn with_gate(mut self, gate: Gate) -> Self {
        self.gates.insert(gate);
        self
    }

    /// Keeps requests with the same value of a header together.
    #[must_use]
    pub fn with_stickiness(self, sticky: Stickiness) -> Self {
        Self { sticky: Some(sticky), ..self }
    }

    /// The endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &EndpointName {
        &self.new.revision.endpoint
    }

    /// The new revision's name.
    #[must_use]
    pub fn canary(&self) -> &RevisionName {
        &self.new.revision.revision
    }

    /// # Errors
    /// `InvalidInput` says which part makes no sense.
    pub fn check(&self) -> Result<()> {
        if self.stable.as_ref() == Some(self.canary()) {
            let name = self.canary();
            return Err(Error::invalid(format!("the revision is the stable one: revision={name}")));
        }
        if self.shadow.is_some() && self.stable.is_none() {
            return Err(Error::invalid("a first revision has nothing to be the shadow of"));
        }
        if self.shadow.is_some_and(|shadow| shadow.percent == Percent::NONE) {
            return Err(Error::invalid("a shadow without copies shows nothing"));
        }
        let steps = self.strategy.shares().len();
        if let Some(Gate::Step(step)) =
            self.gates.iter().find(|gate| matches!(gate, Gate::Step(step) if *step >= steps))
        {
            return Err(Error::invalid(format!(
                "a gate before no step: step={step} steps={steps}"
            )));
        }
        self.shadow
            .iter()
            .map(|shadow| shadow.hold)
            .chain([self.hold])
            .try_for_each(|h| h.check())?;
        if let Some(rule) = self.shadow.and_then(|shadow| shadow.quality) {
            rule.check()?;
        }
        self.analysis.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::{Process, RevisionRef, Workload};

    #[test]
    fn steps_ascend_to_a_hundred() {
        assert!(Strategy::canary(&[5, 25, 100]).is_ok());
        assert!(Strategy::canary(&[0, 100]).is_ok());
        for bad in [&[][..], &[5, 25], &[25, 5, 100], &[5, 5, 100], &[5, 101]] {
            assert!(Strategy::canary(bad).is_err(), "{bad:?}");
        }
        assert!(serde_json::from_str::<Steps>("[50, 20]").is_err());
    }

    #[test]
    fn a_rule_of_quality_that_makes_no_sense_is_refused() {
        let name = |text: &str| RevisionName::new(text).unwrap();
        let endpoint = EndpointName::new("flights").unwrap();
        let process = Workload::Process(Process::new(["serve"]).unwrap());
        let new = RevisionSpec::new(RevisionRef { endpoint, revision: name("new") }, process);
        let spec = RolloutSpec::new(Some(name("old")), new, Strategy::BlueGreen).unwrap();
        let check = |rule: QualityRule| {
            let (percent, quality) = (Percent::ALL, Some(rule));
            spec.clone().with_shadow(Shadow { percent, hold: Hold::default(), quality }).check()
        };
        let rule = QualityRule::default();
        assert!(check(rule).is_ok() && check(rule.with_margin(0.5)).is_ok());
        for alpha in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(check(rule.with_alpha(alpha)).is_err(), "{alpha}");
        }
        for margin in [-0.1, f64::INFINITY, f64::NAN] {
            assert!(check(rule.with_margin(margin)).is_err(), "{margin}");
        }
    }
}
