//! What the loop is worth, computed from what the stores hold, each figure with its clock named.

use std::fmt;

use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use super::event::{Event, Window};
use crate::error::{Error, Result};
use crate::id::{ModelName, StreamName, TagKey};
use crate::journal::{Journal, JournalStore};
use crate::registry::{AuditEvent, ModelRegistry, ModelVersion, Stage};
use crate::time::Timestamp;
use crate::tracking::{Run, RunQuery, TrackingStore};

/// The tag that a re-executed run bears: `bitwise` when all outputs had the same digests, otherwise
/// the names of those that had not.
pub const REPRODUCED_TAG: &str = "mlops.reproduced";

/// How many of the latest windows "current quality" is made of.
const CURRENT_WINDOWS: usize = 4;

/// Whose time a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The machine's.
    Wall,
    /// The data's own.
    Event,
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wall => "wall clock",
            Self::Event => "event time",
        })
    }
}

/// Whose time each span among the figures is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KpiClocks {
    /// That of [`Kpis::lead_time_seconds`].
    pub lead_time_seconds: Clock,
    /// That of [`Kpis::drift_to_fixed_seconds`].
    pub drift_to_fixed_seconds: Clock,
}

impl Default for KpiClocks {
    fn default() -> Self {
        Self { lead_time_seconds: Clock::Wall, drift_to_fixed_seconds: Clock::Event }
    }
}

/// Quality now beside the quality before use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// The metric; larger is better.
    pub metric: String,
    /// Out of time, before use.
    pub reference: f64,
    /// In use: the latest four windows, weighted by their labels. `None` without labels.
    pub current: Option<f64>,
}

impl Quality {
    /// Whether the current quality is at most 3 % (of the reference) below it; `None` without labels.
    #[must_use]
    pub fn is_kept(&self) -> Option<bool> {
        self.current.map(|current| is_within(self.reference, current, 0.03))
    }
}

/// Whether `current` is at most the share `tolerance` of `reference` below it.
#[must_use]
pub fn is_within(reference: f64, current: f64, tolerance: f64) -> bool {
    current >= reference * (1.0 - tolerance)
}

/// The figures of one lifecycle. What has not happened is `None`, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kpis {
    /// From a training run's start to its model in Production, by the wall: the median over the
    /// versions that got there.
    pub lead_time_seconds: Option<f64>,
    /// Runs that gave the same output digests when they were re-executed with the cache off.
    pub reproduced: u64,
    /// Runs that were re-executed.
    pub reexecuted: u64,
    /// Quality now beside the quality before use.
    pub quality: Quality,
    /// From the first alarm after a promotion (or the start) to the next better model in Production,
    /// in event time: the median over the promotions.
    pub drift_to_fixed_seconds: Option<f64>,
    /// Whose time these spans are measured in.
    pub clock: KpiClocks,
}

impl Kpis {
    /// Reproduced over re-executed; `None` when nothing was re-executed.
    #[must_use]
    pub fn reproducible_share(&self) -> Option<f64> {
        (self.reexecuted > 0).then(|| self.reproduced as f64 / self.reexecuted as f64)
    }
}

/// Where the figures of a lifecycle come from.
#[derive(Debug, Clone, Copy)]
pub struct KpiInputs<'a> {
    /// The runs.
    pub tracking: &'a dyn TrackingStore,
    /// The models.
    pub registry: &'a dyn ModelRegistry,
    /// The lifecycle's journal.
    pub journal: &'a dyn JournalStore,
    /// Its stream.
    pub stream: &'a StreamName,
}

impl Kpis {
    /// Reads the stores.
    ///
    /// # Errors
    /// `NotFound` when the lifecycle has not begun; those of the stores.
    pub async fn compute(from: KpiInputs<'_>) -> Result<Self> {
        let history = Journal::<Event>::history(from.journal, from.stream).await?;
        let events: Vec<Event> = history.into_iter().map(|(_, event)| event).collect();
        let Some(Event::Began { model, experiment, metric, reference, .. }) = events.first() else {
            return Err(Error::not_found("lifecycle", from.stream));
        };
        let runs = RunQuery::default().in_experiment(experiment.clone());
        let runs: Vec<Run> = from.tracking.search_runs(runs).try_collect().await?;
        let tag = TagKey::new(REPRODUCED_TAG)?;
        let verdicts: Vec<&String> = runs.iter().filter_map(|run| run.tags.get(&tag)).collect();
        let current = current_quality(&events);
        Ok(Self {
            lead_time_seconds: lead_time(from, model, &runs).await?,
            reproduced: verdicts.iter().filter(|verdict| **verdict == "bitwise").count() as u64,
            reexecuted: verdicts.len() as u64,
            quality: Quality { metric: metric.clone(), reference: *reference, current },
            drift_to_fixed_seconds: median(drift_to_fixed(&events)),
            clock: KpiClocks::default(),
        })
    }
}

async fn lead_time(from: KpiInputs<'_>, model: &ModelName, runs: &[Run]) -> Result<Option<f64>> {
    let versions: Vec<ModelVersion> = from.registry.list_versions(model).try_collect().await?;
    let audit: Vec<_> = from.registry.audit(model).try_collect().await?;
    let times = versions.iter().filter_map(|version| {
        let start = runs.iter().find(|run| Some(&run.id) == version.run.as_ref())?.start;
        let arrived = audit.iter().find(|entry| {
            matches!(entry.event, AuditEvent::StageChanged { version: v, to: Stage::Production, .. } if v == version.number)
        })?;
        Some(arrived.at.seconds_since(start))
    });
    Ok(median(times.collect()))
}

/// The latest windows' quality, weighted by their labels.
fn current_quality(events: &[Event]) -> Option<f64> {
    let judged = |event: &Event| match event {
        Event::Watched(Window { quality: Some(quality), labels, .. }) => {
            Some((*quality, *labels as f64))
        }
        _ => None,
    };
    let latest: Vec<(f64, f64)> =
        events.iter().rev().filter_map(judged).take(CURRENT_WINDOWS).collect();
    let labels: f64 = latest.iter().map(|(_, labels)| labels).sum();
    let sum: f64 = latest.iter().map(|(quality, labels)| quality * labels).sum();
    (labels > 0.0).then(|| sum / labels)
}

/// For each promotion, the time since the first alarm that it answers.
fn drift_to_fixed(events: &[Event]) -> Vec<f64> {
    let mut first: Option<Timestamp> = None;
    let mut times = Vec::new();
    for event in events {
        match event {
            Event::Raised(signal) => first = first.or(Some(signal.at)),
            Event::Promoted { at, .. } => {
                times.extend(first.take().map(|first| at.seconds_since(first)))
            }
            _ => {}
        }
    }
    times
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len().checked_sub(1)? / 2;
    let upper = values.len() / 2;
    Some((values[middle] + values[upper]) / 2.0)
}
