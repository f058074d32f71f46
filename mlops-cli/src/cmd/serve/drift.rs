//! Watches what a served model is asked and answers, against a file of reference data.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::Schema;
use mlops_deploy::serving::Signature;
use mlops_deploy::serving::observe::{BatchObserver, Score};
use mlops_drift::report::{Change, Report, Verdict};
use mlops_drift::{DriftMonitor, FitOptions, Handle, MonitorOptions, Reference, parquet};

/// How old a report may be when metrics are read.
const FRESH: Duration = Duration::from_secs(5);
/// Workers that can observe at once without waiting for each other.
const SHARDS: usize = 8;
/// Permutations of a report: it is made again and again while requests are answered.
const DRAWS: u32 = 999;

/// Reference data, and how long a window of requests is.
pub(super) struct Watch {
    batches: Vec<RecordBatch>,
    window: Duration,
}

impl Watch {
    pub(super) fn new(path: &Path, window: Duration) -> Result<Self> {
        Ok(Self { batches: parquet::read(path)?, window })
    }

    /// Watches a model of this signature: those of its inputs and outputs that the file has.
    pub(super) fn observer(&self, signature: &Signature) -> Result<Arc<Inline>> {
        let (inputs, outputs) = (signature.input_schema(), signature.output_schema());
        let fields = inputs.fields().iter().chain(outputs.fields());
        let has = |name: &str| {
            self.batches.first().is_some_and(|batch| batch.column_by_name(name).is_some())
        };
        let shared: Vec<_> = fields.filter(|field| has(field.name())).cloned().collect();
        anyhow::ensure!(
            !shared.is_empty(),
            mlops_core::Error::invalid("the reference has no column of the model's signature")
        );
        let schema = Arc::new(Schema::new(shared));
        let fit = |batch: &RecordBatch| {
            let column = |field: &Arc<arrow::datatypes::Field>| {
                let column = batch.column_by_name(field.name()).context("a column is missing")?;
                cast(column, field.data_type()).with_context(|| {
                    format!("a reference column has another type: name={}", field.name())
                })
            };
            let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
            let named = schema.fields().iter().map(|field| field.name().clone()).zip(columns);
            Ok(RecordBatch::try_from_iter(named)?)
        };
        let batches: Vec<RecordBatch> = self.batches.iter().map(fit).collect::<Result<_>>()?;
        let reference = Arc::new(Reference::fit(&batches, &FitOptions::default())?);
        Ok(Arc::new(Inline::new(reference, self.window)?))
    }
}

/// The inline check: counts on the scoring thread, a report when metrics are read.
#[derive(Debug)]
pub(super) struct Inline {
    monitor: DriftMonitor,
    handles: Vec<Mutex<Handle>>,
    window: Duration,
    latest: RwLock<Latest>,
}

#[derive(Debug)]
struct Latest {
    scores: Vec<Score>,
    at: Option<Instant>,
    began: Instant,
}

impl Inline {
    fn new(reference: Arc<Reference>, window: Duration) -> Result<Self> {
        let options = MonitorOptions::default().with_max_draws(DRAWS);
        let monitor = DriftMonitor::new(reference, options)?;
        let handles = (0..SHARDS).map(|_| Mutex::new(monitor.handle())).collect();
        let latest = Latest { scores: Vec::new(), at: None, began: Instant::now() };
        Ok(Self { monitor, handles, window, latest: RwLock::new(latest) })
    }

    /// A handle that nobody uses right now, or, when all are in use, the first.
    fn handle(&self) -> MutexGuard<'_, Handle> {
        let free = self.handles.iter().find_map(|handle| handle.try_lock().ok());
        free.unwrap_or_else(|| self.handles[0].lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn report(&self) -> Report {
        for handle in &self.handles {
            handle.lock().unwrap_or_else(PoisonError::into_inner).publish();
        }
        self.monitor.report()
    }
}

impl BatchObserver for Inline {
    fn observe(&self, batch: &RecordBatch) {
        if let Err(error) = self.handle().observe(batch) {
            tracing::warn!(%error, "a batch can't be watched");
        }
    }

    fn scores(&self) -> Vec<Score> {
        let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        if latest.at.is_none_or(|at| at.elapsed() > FRESH) {
            latest.scores = self.report().columns.iter().filter_map(score).collect();
            latest.at = Some(Instant::now());
            if latest.began.elapsed() >= self.window {
                self.monitor.reset();
                latest.began = Instant::now();
            }
        }
        latest.scores.clone()
    }
}

fn score(column: &mlops_drift::report::ColumnReport) -> Option<Score> {
    let method = match column.decided_by? {
        Change::Location => "ks",
        Change::Scale => "mood",
        Change::Categories => "total_variation",
        Change::Nulls => "nulls",
        Change::Range => "range",
        _ => "other",
    };
    let score = Score::new(&column.column, method, column.effect?);
    let score = match column.min_effect {
        Some(floor) => score.with_threshold(floor),
        None => score,
    };
    Some(match column.verdict {
        Verdict::Drifted => score.with_verdict(true),
        Verdict::Stable => score.with_verdict(false),
        Verdict::Unchecked => score,
    })
}
