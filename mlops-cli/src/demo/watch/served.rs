//! The version that serves: its model, and the references that its inputs, predictions and labels are held against.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int32Array, RecordBatch};
use mlops_core::artifact::ArtifactStore as _;
use mlops_core::id::VersionNumber;
use mlops_core::registry::{ModelRegistry as _, ModelVersion, VersionRef};
use mlops_drift::{ClusterBy, FitOptions, Reference};

use super::quality::{Measured, measure};
use crate::demo::calendar::day;
use crate::demo::model::Model;
use crate::demo::model::flights::Flights;
use crate::demo::session::Session;
use crate::demo::training::Training;

/// Flights of a day share their weather and their delays: the day is the unit.
pub(super) const DAY_COLUMN: &str = "day";

/// A version with everything that watching it needs.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) version: VersionNumber,
    pub(super) model: Model,
    /// What went in when it was trained.
    pub(super) inputs: Arc<Reference>,
    /// What came out for flights that it was not trained on.
    pub(super) predictions: Arc<Reference>,
    /// What it should have said.
    pub(super) labels: Arc<Reference>,
    /// How good it was on flights that it was not trained on.
    pub(super) quality: Measured,
}

/// A registered version's model, and what it was trained on.
pub(super) async fn load(session: &Session, version: VersionNumber) -> Result<(Model, Training)> {
    let found: ModelVersion =
        session.store.meta().get_version(&session.model, &VersionRef::Number(version)).await?;
    let training =
        found.tags.get("training").context("a version does not say what it was trained on")?;
    let bytes = session.store.content().get(&found.artifact, None).await?;
    Ok((Model::from_bytes(&bytes)?, serde_json::from_str(training)?))
}

impl Served {
    pub(super) async fn load(session: &Session, version: VersionNumber) -> Result<Self> {
        let (model, training) = load(session, version).await?;
        let trained_on = session.flights.between(training.train.from, training.train.to);
        let held_back = session.flights.between(training.evaluate.from, training.evaluate.to);
        let labelled =
            session.flights.between(training.train.from, training.evaluate.to).labelled();
        let judged = held_back.labelled();
        let quality = measure(&judged.labels()?, &model.score(&judged)?, &days(&judged));
        Ok(Self {
            inputs: fit(&inputs(&trained_on)?)?,
            predictions: fit(&predictions(&held_back, &model.score(&held_back)?)?)?,
            labels: fit(&labels(&labelled)?)?,
            quality: quality.context("the version's quality is not defined")?,
            version,
            model,
        })
    }
}

fn fit(batch: &RecordBatch) -> Result<Arc<Reference>> {
    let options = FitOptions::default().with_cluster(ClusterBy::Column(DAY_COLUMN.to_owned()));
    Ok(Arc::new(Reference::fit([batch], &options)?))
}

/// The day of each flight, of UTC as the windows are, so that no window cuts one.
pub(super) fn days(flights: &Flights) -> Vec<i32> {
    flights.time.iter().map(|time| day(*time)).collect()
}

fn with_day(
    flights: &Flights,
    columns: impl IntoIterator<Item = (String, ArrayRef)>,
) -> Result<RecordBatch> {
    let day: ArrayRef = Arc::new(Int32Array::from(days(flights)));
    let columns = columns.into_iter().chain([(DAY_COLUMN.to_owned(), day)]);
    Ok(RecordBatch::try_from_iter_with_nullable(
        columns.map(|(name, column)| (name, column, true)),
    )?)
}

/// What goes into the model, with the day.
pub(super) fn inputs(flights: &Flights) -> Result<RecordBatch> {
    let all = flights.to_batch()?;
    let schema = all.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    let columns = names.zip(all.columns().iter().cloned());
    with_day(flights, columns.filter(|(name, _)| !["time_hour", "late"].contains(&name.as_str())))
}

/// What comes out of it, with the day.
pub(super) fn predictions(flights: &Flights, scores: &[f64]) -> Result<RecordBatch> {
    let column: ArrayRef = Arc::new(Float64Array::from(scores.to_vec()));
    with_day(flights, [("prediction".to_owned(), column)])
}

/// What it should have said, with the day. The flights are labelled ones.
pub(super) fn labels(flights: &Flights) -> Result<RecordBatch> {
    let column: ArrayRef = Arc::new(BooleanArray::from(flights.labels()?));
    with_day(flights, [("late".to_owned(), column)])
}
