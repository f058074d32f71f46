//! What a run would do, and why, without doing it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::cache::{self, CachePolicy, StepInputs};
use super::executor::Executor;
use super::plan::Plan;
use super::step::Step;
use crate::artifact::Blob;
use crate::error::Result;
use crate::id::{StepName, ValueName};

/// Why a step would run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// It has never run here.
    NeverRan,
    /// Its code changed.
    CodeChanged,
    /// These params changed, came or went.
    ParamsChanged {
        /// Which.
        names: Vec<String>,
    },
    /// These inputs have other content.
    InputsChanged {
        /// Which.
        names: Vec<ValueName>,
    },
    /// It ran with all of this, but what it gave is no longer there, or damaged.
    OutputMissing,
    /// The cache may not be used.
    Forced,
}

/// What would become of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// It would be taken from the cache.
    Cached,
    /// It would run.
    Run {
        /// Why.
        reasons: Vec<Reason>,
    },
    /// It depends on what these steps give, which would run first.
    Unknown {
        /// Which.
        after: Vec<StepName>,
    },
}

/// A step and what would become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// The step.
    pub step: StepName,
    /// What would become of it.
    #[serde(flatten)]
    pub decision: Decision,
}

impl Executor {
    /// Says for each step of `plan` what a run would do with it. Only the plan's own inputs are
    /// stored; nothing is run. Conditions are not asked.
    ///
    /// # Errors
    /// Those of the stores and of reading declared files.
    pub async fn preview(&self, plan: &Plan) -> Result<Vec<Planned>> {
        let mut values = self.bring_in(plan).await?;
        let mut planned = Vec::with_capacity(plan.steps().len());
        for step in plan.steps() {
            let decision = self.decide(plan, step, &mut values).await?;
            planned.push(Planned { step: step.name.clone(), decision });
        }
        Ok(planned)
    }

    async fn decide(
        &self,
        plan: &Plan,
        step: &Step,
        values: &mut BTreeMap<ValueName, Blob>,
    ) -> Result<Decision> {
        let open = |value: &&ValueName| !values.contains_key(*value);
        let after: BTreeSet<StepName> = step
            .inputs
            .iter()
            .filter(open)
            .filter_map(|value| plan.producer(value).cloned())
            .collect();
        if !after.is_empty() {
            return Ok(Decision::Unknown { after: after.into_iter().collect() });
        }
        let inputs = step
            .inputs
            .iter()
            .filter_map(|name| Some((name.clone(), *values.get(name)?)))
            .collect();
        let made_of = StepInputs::of(plan.name(), step, &inputs)?;
        if self.options.cache != CachePolicy::Use {
            return Ok(Decision::Run { reasons: vec![Reason::Forced] });
        }
        if let Some(outputs) =
            cache::look_up(&*self.journal, &*self.content, &made_of.key()).await?
        {
            values.extend(outputs);
            return Ok(Decision::Cached);
        }
        let before = cache::last_inputs(&*self.journal, plan.name(), &step.name).await?;
        Ok(Decision::Run { reasons: reasons(before.as_ref(), &made_of) })
    }
}

fn reasons(before: Option<&StepInputs>, now: &StepInputs) -> Vec<Reason> {
    let Some(before) = before else {
        return vec![Reason::NeverRan];
    };
    let mut reasons = Vec::new();
    if before.code != now.code {
        reasons.push(Reason::CodeChanged);
    }
    let names = changed(&before.params, &now.params);
    if !names.is_empty() {
        reasons.push(Reason::ParamsChanged { names });
    }
    let names = changed(&before.inputs, &now.inputs);
    if !names.is_empty() {
        reasons.push(Reason::InputsChanged { names });
    }
    if reasons.is_empty() {
        reasons.push(if before.outputs == now.outputs {
            Reason::OutputMissing
        } else {
            Reason::CodeChanged
        });
    }
    reasons
}

fn changed<K: Ord + Clone, V: PartialEq>(before: &BTreeMap<K, V>, now: &BTreeMap<K, V>) -> Vec<K> {
    let keys: BTreeSet<&K> = before.keys().chain(now.keys()).collect();
    keys.into_iter().filter(|key| before.get(*key) != now.get(*key)).cloned().collect()
}
