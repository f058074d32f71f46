//! Watches what a served model is asked and answers, against a file of reference data.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use anyhow::Result;
use arrow::array::RecordBatch;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::FieldRef;
use mlops_core::Error;
use mlops_core::time::{Clock as _, SystemClock, Timestamp};
use mlops_deploy::serving::Signature;
use mlops_deploy::serving::observe::{BatchObserver, Score};
use mlops_drift::report::{Change, Verdict};
use mlops_drift::{DriftMonitor, FitOptions, Handle, MonitorOptions, Reference, parquet};

/// How old a report may be when metrics are read.
const FRESH: Duration = Duration::from_secs(5);
/// How often it is looked whether a window has ended when nobody reads metrics.
const TICK: Duration = Duration::from_secs(10);
/// Workers that can observe at once without waiting for each other.
const SHARDS: usize = 8;
/// Permutations of a report: it is made again and again while requests are answered.
const DRAWS: u32 = 999;
/// Rows from which on a window may take the place of the one before it, or end.
const ENOUGH: u64 = 100;

/// Reference data, and how long a window of requests is.
pub(super) struct Watch {
    batches: Vec<RecordBatch>,
    window: Duration,
    /// Those that are still in use: a model that is unloaded takes its own along.
    observers: Mutex<Vec<Weak<Inline>>>,
}

impl Watch {
    pub(super) fn new(path: &Path, window: Duration) -> Result<Self> {
        Ok(Self { batches: parquet::read(path)?, window, observers: Mutex::default() })
    }

    /// Watches a model of this signature: those of its inputs and outputs that the file has.
    ///
    /// # Errors
    /// `InvalidInput` when the file has none of them, or one whose values are of another type.
    pub(super) fn observer(&self, signature: &Signature) -> Result<Arc<Inline>> {
        let (inputs, outputs) = (signature.input_schema(), signature.output_schema());
        let fields = inputs.fields().iter().chain(outputs.fields());
        let has = |name: &str| {
            self.batches.first().is_some_and(|batch| batch.column_by_name(name).is_some())
        };
        let shared: Vec<FieldRef> = fields.filter(|field| has(field.name())).cloned().collect();
        anyhow::ensure!(
            !shared.is_empty(),
            Error::invalid("the reference has no column of the model's signature")
        );
        let batches = self.batches.iter().map(|batch| fitted(batch, &shared));
        let batches = batches.collect::<mlops_core::Result<Vec<_>>>()?;
        let reference = Arc::new(Reference::fit(&batches, &FitOptions::default())?);
        let observer = Arc::new(Inline::new(reference, self.window)?);
        let mut observers = self.observers.lock().unwrap_or_else(PoisonError::into_inner);
        observers.retain(|observer| observer.strong_count() > 0);
        observers.push(Arc::downgrade(&observer));
        Ok(observer)
    }

    fn observers(&self) -> Vec<Arc<Inline>> {
        let observers = self.observers.lock().unwrap_or_else(PoisonError::into_inner);
        observers.iter().filter_map(Weak::upgrade).collect()
    }
}

/// The columns that a model has, in its types. A value that does not fit its type is no reference.
fn fitted(batch: &RecordBatch, fields: &[FieldRef]) -> mlops_core::Result<RecordBatch> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let column = |field: &FieldRef| {
        let wrong = |why: String| {
            Error::invalid(format!(
                "a reference column does not fit the model: column={} want={} {why}",
                field.name(),
                field.data_type()
            ))
        };
        let column = batch.column_by_name(field.name());
        let column = column.ok_or_else(|| wrong("got=none".to_owned()))?;
        let cast = cast_with_options(column, field.data_type(), &strict);
        let cast = cast
            .map_err(|source| wrong(format!("got={}", column.data_type())).with_source(source))?;
        Ok((field.name().clone(), cast))
    };
    let columns = fields.iter().map(column).collect::<mlops_core::Result<Vec<_>>>()?;
    RecordBatch::try_from_iter(columns)
        .map_err(|source| Error::invalid("the reference makes no table").with_source(source))
}

/// Ends windows that nobody asks for, for ever.
pub(super) async fn windows(watch: Option<&Watch>) {
    loop {
        tokio::time::sleep(TICK).await;
        for observer in watch.map(Watch::observers).unwrap_or_default() {
            let ended = tokio::task::spawn_blocking(move || observer.end_window(Instant::now()));
            if let Err(error) = ended.await {
                tracing::warn!(%error, "a window can't be ended");
            }
        }
    }
}

/// The inline check: counts on the scoring thread, a report when metrics are read or a window ends.
///
/// What it says is of the last whole window until the one that goes on has been reported with enough rows. A
/// window with too few rows goes on beyond its end.
#[derive(Debug)]
pub(super) struct Inline {
    monitor: DriftMonitor,
    handles: Vec<Mutex<Handle>>,
    window: Duration,
    /// Rows that were observed, ever.
    rows: AtomicU64,
    latest: Mutex<Latest>,
}

#[derive(Debug)]
struct Latest {
    scores: Vec<Score>,
    /// When they were worked out.
    reported: Option<Timestamp>,
    /// Whether they are of a whole window.
    whole: bool,
    /// When it was last looked, and how many rows there were.
    looked: Option<(Instant, u64)>,
    began: Instant,
}

impl Inline {
    fn new(reference: Arc<Reference>, window: Duration) -> Result<Self> {
        let options = MonitorOptions::default().with_max_draws(DRAWS);
        let monitor = DriftMonitor::new(reference, options)?;
        let handles = (0..SHARDS).map(|_| Mutex::new(monitor.handle())).collect();
        let (scores, reported, whole, looked) = (Vec::new(), None, false, None);
        let latest = Mutex::new(Latest { scores, reported, whole, looked, began: Instant::now() });
        Ok(Self { monitor, handles, window, rows: AtomicU64::new(0), latest })
    }

    /// A handle that nobody uses right now, or, when all are in use, the first.
    fn handle(&self) -> MutexGuard<'_, Handle> {
        let free = self.handles.iter().find_map(|handle| handle.try_lock().ok());
        free.unwrap_or_else(|| self.handles[0].lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known at `now`: worked out again when it is old.
    fn look(&self, now: Instant) -> MutexGuard<'_, Latest> {
        let mut latest = self.latest();
        let fresh = |(at, _): &(Instant, u64)| now.duration_since(*at) < FRESH;
        if !latest.looked.as_ref().is_some_and(fresh) {
            self.renew(&mut latest, now);
        }
        latest
    }

    /// Works the report out when the window is over, whether or not somebody wants to know.
    fn end_window(&self, now: Instant) {
        let mut latest = self.latest();
        if now.duration_since(latest.began) >= self.window {
            self.renew(&mut latest, now);
        }
    }

    fn renew(&self, latest: &mut Latest, now: Instant) {
        let rows = self.rows.load(Ordering::Acquire);
        let over = now.duration_since(latest.began) >= self.window;
        let is_new = latest.looked.is_none_or(|(_, before)| before != rows);
        latest.looked = Some((now, rows));
        // Nothing came since: a report would say the same, and be no sign of life.
        if !is_new && !over {
            return;
        }
        for handle in &self.handles {
            handle.lock().unwrap_or_else(PoisonError::into_inner).publish();
        }
        let report = self.monitor.report();
        let (seen, enough) = (report.rows.current, report.rows.current >= ENOUGH);
        if seen > 0 && (enough || !latest.whole) {
            latest.scores = report.columns.iter().filter_map(score).collect();
            latest.whole = over && enough;
            if is_new {
                latest.reported = Some(SystemClock.now());
            }
        }
        if over && enough {
            self.monitor.reset();
        }
        if over && (enough || seen == 0) {
            latest.began = now;
        }
    }
}

impl BatchObserver for Inline {
    fn observe(&self, batch: &RecordBatch) {
        match self.handle().observe(batch) {
            Ok(()) => {
                self.rows.fetch_add(batch.num_rows() as u64, Ordering::Release);
            }
            Err(error) => tracing::warn!(%error, "a batch can't be watched"),
        }
    }

    fn scores(&self) -> Vec<Score> {
        self.look(Instant::now()).scores.clone()
    }

    fn reported_at(&self) -> Option<Timestamp> {
        self.look(Instant::now()).reported
    }
}

fn score(column: &mlops_drift::report::ColumnReport) -> Option<Score> {
    let method = match column.decided_by? {
        Change::Location | Change::Shape => "ks",
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

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Float32Array, Float64Array, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field};

    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn rows(count: u32, shift: f32) -> RecordBatch {
        let x = (0..count).map(|row| shift + (row % 50) as f32);
        let x: ArrayRef = Arc::new(Float32Array::from_iter_values(x));
        RecordBatch::try_from_iter([("x", x)]).unwrap()
    }

    fn inline() -> Inline {
        let reference = Reference::fit([&rows(1_000, 0.0)], &FitOptions::default()).unwrap();
        Inline::new(Arc::new(reference), WINDOW).unwrap()
    }

    fn drifted(latest: &Latest) -> Option<bool> {
        latest.scores.first().and_then(|score| score.drifted)
    }

    #[test]
    fn a_whole_window_is_said_until_the_next_one_has_enough_rows() {
        let inline = inline();
        let start = Instant::now();
        assert!(inline.look(start).reported.is_none());
        inline.observe(&rows(200, 30.0));
        // The first rows count at once.
        assert_eq!(drifted(&inline.look(start + FRESH)), Some(true));
        let reported = inline.look(start + FRESH).reported;
        assert!(reported.is_some());
        // Nobody asks, and the window ends all the same.
        inline.end_window(start + WINDOW + FRESH);
        inline.observe(&rows(50, 0.0));
        assert_eq!(drifted(&inline.look(start + WINDOW + 2 * FRESH)), Some(true));
        inline.observe(&rows(150, 0.0));
        assert_eq!(drifted(&inline.look(start + WINDOW + 3 * FRESH)), Some(false));
        // A window without a row says nothing new.
        assert_eq!(drifted(&inline.look(start + 9 * WINDOW)), Some(false));
        assert_eq!(drifted(&inline.look(start + 10 * WINDOW)), Some(false));
    }

    #[test]
    fn a_window_with_too_few_rows_goes_on() {
        let inline = inline();
        let start = Instant::now();
        for window in 1..=4 {
            inline.observe(&rows(40, 30.0));
            inline.end_window(start + window * WINDOW + FRESH);
        }
        // 40 and 40 are too few, 120 are a window, 40 are too few again.
        assert_eq!(inline.monitor.report().rows.current, 40);
        assert_eq!(drifted(&inline.latest()), Some(true));
    }

    #[test]
    fn a_reference_of_another_type_is_wrong_input() {
        let field = |data_type| vec![Arc::new(Field::new("x", data_type, true))];
        let table = |column: ArrayRef| RecordBatch::try_from_iter([("x", column)]).unwrap();
        let words = table(Arc::new(StringArray::from(vec!["1.5", "tall"])));
        let error = fitted(&words, &field(DataType::Float32)).unwrap_err();
        assert_eq!(error.kind(), mlops_core::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("column=x want=Float32 got=Utf8"), "{error}");
        let large = table(Arc::new(Int64Array::from(vec![1, i64::MAX])));
        assert!(fitted(&large, &field(DataType::Int32)).is_err());
        let floats = table(Arc::new(Float64Array::from(vec![Some(1.0), None])));
        let floats = fitted(&floats, &field(DataType::Float32)).unwrap();
        assert_eq!(floats.column(0).null_count(), 1);
    }
}
