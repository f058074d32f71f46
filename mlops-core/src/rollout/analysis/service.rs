//! What the counts of both revisions show: evidence where they can be trusted, "no data" where not.

use serde::{Deserialize, Serialize};

use super::evidence::{Block, Evidence, Tally};
use super::special::upper_bound;
use super::{AnalysisOptions, EventRule, Judgement, Verdict};
use crate::deploy::ServiceCounts;
use crate::time::Timestamp;

/// The counts of both revisions at one moment; absent is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// When they were read.
    pub at: Timestamp,
    /// Of the stable revision.
    pub stable: Option<ServiceCounts>,
    /// Of the new one.
    pub canary: Option<ServiceCounts>,
}

/// Which revisions answer, so which of them can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arms {
    /// Both: they are compared over the same time.
    Both,
    /// The stable one alone: its rates are learned for later, nothing is compared.
    StableOnly,
    /// The new one alone: it is held against what was learned of the stable one before, which
    /// takes for granted that the stable one would have gone on alike. The bound is one of a fixed sample,
    /// and when this begins depends on the data: here the rate of false alarms is measured, not guaranteed.
    CanaryOnly,
}

/// Requests, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Totals {
    requests: u64,
    errors: u64,
    slow: u64,
}

impl Totals {
    fn errors(self) -> Tally {
        Tally { requests: self.requests, events: self.errors }
    }

    fn slow(self) -> Tally {
        Tally { requests: self.requests, events: self.slow }
    }

    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.slow += other.slow;
    }
}

/// Both revisions' requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Pair {
    stable: Totals,
    canary: Totals,
}

/// The stable revision's rates, from above.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Ceilings {
    errors: f64,
    slow: f64,
}

/// What was seen of a rollout's service so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Service {
    errors: Evidence,
    slow: Evidence,
    /// Since the rollout began: what the evidence rests on.
    seen: Pair,
    /// Since the step began; `None` until its first look.
    step: Option<Pair>,
    last: Option<Reading>,
    ceilings: Option<Ceilings>,
    /// Why the last look can't be trusted.
    trouble: Option<String>,
}

impl Service {
    /// Begins a step: samples are counted anew from the next look on. Evidence is kept.
    pub fn begin_step(&mut self) {
        self.step = None;
        self.trouble = None;
    }

    /// The new revision is counted in another way from here on: the next look is its first.
    pub fn forget_canary(&mut self) {
        if let Some(last) = &mut self.last {
            last.canary = None;
        }
    }

    /// When the counts were last read.
    #[must_use]
    pub fn last_look(&self) -> Option<Timestamp> {
        self.last.map(|reading| reading.at)
    }

    /// Whether a reading tells anything that the last one did not.
    #[must_use]
    pub fn has_moved(&self, reading: &Reading) -> bool {
        let counts = |reading: &Reading| (reading.stable, reading.canary);
        self.last.as_ref().map(counts) != Some(counts(reading))
    }

    /// Takes in the counts of now.
    ///
    /// A series that is absent, has begun anew, went down, counts by another bound or has more
    /// events than requests adds nothing: the step's samples are counted anew, and the verdict is
    /// "no data" until the next look that can be trusted.
    pub fn look(&mut self, reading: Reading, arms: Arms, options: &AnalysisOptions) {
        let last = self.last.replace(reading);
        let Some(pair) = self.since(last, reading, arms) else {
            return self.step = Some(Pair::default());
        };
        self.seen.stable.add(pair.stable);
        self.seen.canary.add(pair.canary);
        match &mut self.step {
            Some(step) => {
                step.stable.add(pair.stable);
                step.canary.add(pair.canary);
            }
            // The first block of a step began before it: evidence, but no sample of this step.
            None => self.step = Some(Pair::default()),
        }
        self.weigh(pair, arms, options);
    }

    fn since(&mut self, last: Option<Reading>, now: Reading, arms: Arms) -> Option<Pair> {
        let stable = arms != Arms::CanaryOnly;
        let canary = arms != Arms::StableOnly;
        let before = last.unwrap_or(Reading { at: now.at, stable: None, canary: None });
        let difference = |name: &str, needed: bool, before, now| match difference(before, now) {
            Ok(totals) => Ok(totals),
            Err(_) if !needed => Ok(Totals::default()),
            Err(why) => Err(format!("{name}: {why}")),
        };
        let pair = difference("stable", stable, before.stable, now.stable).and_then(|stable| {
            let canary = difference("new", canary, before.canary, now.canary)?;
            Ok(Pair { stable, canary })
        });
        let bounds = now.stable.zip(now.canary).filter(|_| stable && canary);
        let pair = match bounds.filter(|(a, b)| a.latency_bound != b.latency_bound) {
            Some(_) => Err("the revisions are counted by different latency bounds".to_owned()),
            None => pair,
        };
        self.trouble = pair.as_ref().err().cloned();
        pair.ok()
    }

    fn weigh(&mut self, pair: Pair, arms: Arms, options: &AnalysisOptions) {
        let (stable, canary) = (pair.stable, pair.canary);
        let tolerated = |rule: Option<EventRule>| rule.unwrap_or_default().tolerated;
        match arms {
            Arms::StableOnly => {}
            Arms::Both => {
                let errors = Block { stable: stable.errors(), canary: canary.errors() };
                let slow = Block { stable: stable.slow(), canary: canary.slow() };
                self.errors.compare(errors, tolerated(options.errors));
                self.slow.compare(slow, tolerated(options.slow));
            }
            Arms::CanaryOnly => {
                // Fixed at its first use: a bound that moved with the data would be no bound.
                let learned = self.seen.stable;
                let bound = |tally: Tally, rule| {
                    let rate = upper_bound(tally.events, tally.requests, options.ceiling_alpha());
                    let odds = tolerated(rule);
                    rate * odds / (1.0 - rate + rate * odds)
                };
                let ceilings = *self.ceilings.get_or_insert_with(|| Ceilings {
                    errors: bound(learned.errors(), options.errors),
                    slow: bound(learned.slow(), options.slow),
                });
                self.errors.bound(canary.errors(), ceilings.errors);
                self.slow.bound(canary.slow(), ceilings.slow);
            }
        }
    }

    /// What it all shows, for a step that wants `samples` requests of each revision that answers.
    #[must_use]
    pub fn judge(&self, arms: Arms, samples: u64, options: &AnalysisOptions) -> Judgement {
        let findings = self.findings(options);
        let figures = |(name, value): &(&str, f64)| format!("{name} evidence {value:.3e}");
        let shown = findings.iter().map(figures).collect::<Vec<_>>().join(", ");
        let worst = findings.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        let Pair { stable, canary } = self.seen;
        let counts = format!(
            "new {}/{}/{}, stable {}/{}/{} (requests/errors/slow)",
            canary.requests,
            canary.errors,
            canary.slow,
            stable.requests,
            stable.errors,
            stable.slow
        );
        let reason = format!("{shown}; {counts}");
        if worst >= options.limit() {
            return Judgement { verdict: Verdict::Fail, reason };
        }
        if let Some(why) = self.missing(arms, samples, options) {
            return Judgement { verdict: Verdict::NoData, reason: format!("{why}; {counts}") };
        }
        let verdict = if worst >= options.doubt { Verdict::Inconclusive } else { Verdict::Pass };
        Judgement { verdict, reason }
    }

    /// The evidence of each kind that is judged; one whose difference is beneath its floor is none.
    fn findings(&self, options: &AnalysisOptions) -> Vec<(&'static str, f64)> {
        let seen = |rule: EventRule, stable: Tally, canary: Tally, evidence: &Evidence| {
            let difference = canary.rate().unwrap_or(0.0) - stable.rate().unwrap_or(0.0);
            if difference >= rule.floor { evidence.value() } else { evidence.value().min(1.0) }
        };
        let Pair { stable, canary } = self.seen;
        let errors = options
            .errors
            .map(|rule| ("error", seen(rule, stable.errors(), canary.errors(), &self.errors)));
        let slow =
            options.slow.map(|rule| ("slow", seen(rule, stable.slow(), canary.slow(), &self.slow)));
        errors.into_iter().chain(slow).collect()
    }

    fn missing(&self, arms: Arms, samples: u64, options: &AnalysisOptions) -> Option<String> {
        if let Some(trouble) = &self.trouble {
            return Some(trouble.clone());
        }
        let (reading, step) = match (self.last, self.step) {
            (Some(reading), Some(step)) => (reading, step),
            _ => return Some("nothing was measured".to_owned()),
        };
        let samples = samples.max(1);
        let lacks = |name: &str, counts: Option<ServiceCounts>, seen: Totals| {
            let last = counts.and_then(|counts| counts.last)?;
            let age = reading.at.seconds_since(last);
            if seen.requests < samples {
                Some(format!("{name}: {} requests of {samples}", seen.requests))
            } else if age > options.stale.as_secs_f64() {
                Some(format!("{name}: the last request is {age:.0} s old"))
            } else {
                None
            }
        };
        let absent = |name: &str, counts: Option<ServiceCounts>| {
            let none = counts.is_none_or(|counts| counts.last.is_none());
            none.then(|| format!("{name}: no request"))
        };
        let of_stable = || {
            absent("stable", reading.stable)
                .or_else(|| lacks("stable", reading.stable, step.stable))
        };
        let of_canary =
            || absent("new", reading.canary).or_else(|| lacks("new", reading.canary, step.canary));
        match arms {
            Arms::Both => of_stable().or_else(of_canary),
            Arms::StableOnly => of_stable(),
            Arms::CanaryOnly if self.seen.stable.requests < samples => {
                Some("too little is known of the stable revision to compare with".to_owned())
            }
            Arms::CanaryOnly => of_canary(),
        }
    }
}

fn difference(
    before: Option<ServiceCounts>,
    now: Option<ServiceCounts>,
) -> Result<Totals, &'static str> {
    let now = now.ok_or("no counts")?;
    let before = before.ok_or("counts have only begun")?;
    if now.since != before.since {
        return Err("counts have begun anew");
    }
    if now.latency_bound != before.latency_bound {
        return Err("the latency bound has changed");
    }
    let less = |now: u64, before: u64| now.checked_sub(before).ok_or("counts went down");
    let totals = Totals {
        requests: less(now.requests, before.requests)?,
        errors: less(now.errors, before.errors)?,
        slow: less(now.slow, before.slow)?,
    };
    if totals.errors > totals.requests || totals.slow > totals.requests {
        return Err("there are more events than requests");
    }
    Ok(totals)
}
