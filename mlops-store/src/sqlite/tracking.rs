//! Experiments and runs.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use rusqlite::{Connection, Row, params};

use mlops_core::error::{Error, ErrorKind, Result};
use mlops_core::id::{ExperimentId, ExperimentName, RunId};
use mlops_core::time::Timestamp;
use mlops_core::tracking::{
    Experiment, ExperimentChange, ExperimentRef, HistoryPoint, HistoryQuery, Lifecycle,
    ListExperiments, LogBatch, NewExperiment, NewRun, Receipt, Run, RunChange, RunQuery, RunStatus,
    TrackingStore, downsample, param_conflict,
};

use super::error::Place;
use super::{SqliteStore, json, metrics, search};

const EXPERIMENT: &str = "SELECT id, name, deleted, tags, created, updated, row FROM experiments";
const ADD_EXPERIMENT: &str = "INSERT INTO experiments (id, name, tags, created, updated, origin) VALUES (?1, ?2, ?3, ?4, ?4, ?5)";
const ORIGIN: &str = "SELECT origin FROM experiments WHERE row = ?1";
const SET_EXPERIMENT: &str =
    "UPDATE experiments SET name = ?2, deleted = ?3, tags = ?4, updated = ?5 WHERE row = ?1";
const DELETE_RUNS: &str = "UPDATE runs SET deleted = 2 WHERE experiment = ?1 AND deleted = 0";
const RESTORE_RUNS: &str = "UPDATE runs SET deleted = 0 WHERE experiment = ?1 AND deleted = 2";
const ADD_RUN: &str = "INSERT INTO runs
    (id, experiment, name, status, parent, source_kind, source_name, source_version, user, start, origin)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) RETURNING row";
const FIND_RUN: &str = "SELECT row, status, deleted, origin, experiment FROM runs WHERE id = ?1";
const SET_STATUS: &str = "UPDATE runs SET status = ?2, \"end\" = ?3 WHERE row = ?1";
const SET_NAME: &str = "UPDATE runs SET name = ?2 WHERE row = ?1";
const SET_DELETED: &str = "UPDATE runs SET deleted = ?2 WHERE row = ?1";
const IS_APPLIED: &str = "SELECT 1 FROM applied WHERE run = ?1 AND key = ?2";
const ADD_APPLIED: &str = "INSERT INTO applied (run, key) VALUES (?1, ?2)";
const ADD_PARAM: &str = "INSERT INTO params (run, key, value) VALUES (?1, ?2, ?3)
    ON CONFLICT (run, key) DO UPDATE SET value = value RETURNING value";
const SET_TAG: &str = "INSERT INTO tags (run, key, value) VALUES (?1, ?2, ?3)
    ON CONFLICT (run, key) DO UPDATE SET value = excluded.value";
const DELETE_TAG: &str = "DELETE FROM tags WHERE run = ?1 AND key = ?2";
const SET_INPUT: &str =
    "INSERT INTO inputs (run, name, version, role, body) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (run, name, version, role) DO UPDATE SET body = excluded.body";
const SET_OUTPUT: &str = "INSERT INTO outputs (run, model, step, body) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (run, model, step) DO UPDATE SET body = excluded.body";

#[async_trait]
impl TrackingStore for SqliteStore {
    async fn create_experiment(&self, new: NewExperiment) -> Result<Experiment> {
        new.check()?;
        let now = self.clock.now();
        self.write(move |connection, place| {
            let origin = json::write(&new)?;
            if let Some((row, known)) =
                find_experiment(connection, place, &ExperimentRef::Id(new.id.clone()))?
            {
                let held: Option<String> =
                    place.of(connection.query_row(ORIGIN, [row], |row| row.get(0)))?;
                let repeats = match held {
                    Some(held) => held == origin,
                    None => (&known.name, &known.tags) == (&new.name, &new.tags),
                };
                return if repeats {
                    Ok(known)
                } else {
                    let message = format!(
                        "another experiment has this id: id={} name={}",
                        new.id, known.name
                    );
                    Err(Error::new(ErrorKind::AlreadyExists, message))
                };
            }
            check_name_is_free(connection, place, &new.name)?;
            let mut add = place.of(connection.prepare_cached(ADD_EXPERIMENT))?;
            let tags = json::write(&new.tags)?;
            place.of(add.execute(params![
                new.id.as_str(),
                new.name.as_str(),
                tags,
                now.as_millis(),
                origin
            ]))?;
            let lifecycle = Lifecycle::Active;
            Ok(Experiment {
                id: new.id,
                name: new.name,
                lifecycle,
                tags: new.tags,
                created: now,
                updated: now,
            })
        })
        .await
    }

    async fn get_experiment(&self, which: &ExperimentRef) -> Result<Experiment> {
        let which = which.clone();
        self.read(move |connection, place| {
            experiment(connection, place, &which).map(|(_, found)| found)
        })
        .await
    }

    fn list_experiments(&self, list: ListExperiments) -> BoxStream<'static, Result<Experiment>> {
        let found = self.readers.handle().run(move |connection, place| {
            let start = match &list.after {
                Some(after) => experiment(connection, place, &ExperimentRef::Id(after.clone()))?.0,
                None => 0,
            };
            let sql = format!("{EXPERIMENT} WHERE row > ?1 ORDER BY row");
            let mut statement = place.of(connection.prepare_cached(&sql))?;
            let mut rows = place.of(statement.query([start]))?;
            let mut found = Vec::new();
            while let Some(row) = place.of(rows.next())? {
                if found.len() == list.limit.unwrap_or(usize::MAX) {
                    break;
                }
                let (_, experiment) = experiment_from(row, place)?;
                if list.lifecycle.admits(experiment.lifecycle) {
                    found.push(experiment);
                }
            }
            Ok(found)
        });
        flatten(found)
    }

    async fn update_experiment(
        &self,
        id: &ExperimentId,
        change: ExperimentChange,
    ) -> Result<Experiment> {
        change.check()?;
        let (which, now) = (ExperimentRef::Id(id.clone()), self.clock.now());
        self.write(move |connection, place| {
            let (row, mut found) = experiment(connection, place, &which)?;
            if found.lifecycle == Lifecycle::Deleted && !change.is_of_life() {
                return Err(Error::deleted("experiment", found.id));
            }
            match change {
                ExperimentChange::Rename(name) if name == found.name => {}
                ExperimentChange::Rename(name) => {
                    check_name_is_free(connection, place, &name)?;
                    found.name = name;
                }
                ExperimentChange::SetTag(key, value) => drop(found.tags.insert(key, value)),
                ExperimentChange::DeleteTag(key) => drop(found.tags.remove(&key)),
                ExperimentChange::Delete => {
                    found.lifecycle = Lifecycle::Deleted;
                    place.of(connection.execute(DELETE_RUNS, [row]))?;
                }
                ExperimentChange::Restore => {
                    found.lifecycle = Lifecycle::Active;
                    place.of(connection.execute(RESTORE_RUNS, [row]))?;
                }
                _ => return Err(unsupported()),
            }
            found.updated = now;
            let (tags, deleted) =
                (json::write(&found.tags)?, found.lifecycle == Lifecycle::Deleted);
            let values = params![row, found.name.as_str(), deleted, tags, now.as_millis()];
            place.of(connection.execute(SET_EXPERIMENT, values))?;
            Ok(found)
        })
        .await
    }

    async fn create_run(&self, new: NewRun) -> Result<Run> {
        new.check()?;
        self.write(move |connection, place| create_run(connection, place, &new)).await
    }

    async fn get_run(&self, id: &RunId) -> Result<Run> {
        let id = id.clone();
        self.read(move |connection, place| search::load_one(connection, place, &id)).await
    }

    async fn update_run(&self, id: &RunId, change: RunChange) -> Result<Run> {
        change.check()?;
        let id = id.clone();
        self.write(move |connection, place| {
            update_run(connection, place, &id, change)?;
            search::load_one(connection, place, &id)
        })
        .await
    }

    async fn log_batch(&self, id: &RunId, batch: LogBatch) -> Result<Receipt> {
        batch.check()?;
        let id = id.clone();
        self.write(move |connection, place| log_batch(connection, place, &id, &batch)).await
    }

    fn search_runs(&self, query: RunQuery) -> BoxStream<'static, Result<Run>> {
        search::stream(self.readers.handle(), query)
    }

    fn metric_history(&self, query: HistoryQuery) -> BoxStream<'static, Result<HistoryPoint>> {
        let readers = self.readers.handle();
        let query = Arc::new(query);
        let one_run = move |place_in_list: usize| {
            let (readers, query) = (readers.clone(), Arc::clone(&query));
            async move {
                let id = query.runs.get(place_in_list)?.clone();
                let points = readers.run(move |connection, place| {
                    let run = find_run(connection, place, &id)?.row;
                    let all = metrics::history(connection, place, run, &query.key)?;
                    let thin = match query.max_points {
                        Some(max) => downsample(&all, max),
                        None => all,
                    };
                    Ok(thin
                        .into_iter()
                        .map(move |point| HistoryPoint { run: id.clone(), point })
                        .collect::<Vec<_>>())
                });
                Some((points.await, place_in_list + 1))
            }
        };
        stream::unfold(0, one_run)
            .flat_map(|points| match points {
                Ok(points) => stream::iter(points.into_iter().map(Ok)).boxed(),
                Err(error) => stream::once(async { Err(error) }).boxed(),
            })
            .boxed()
    }
}

/// A list that is being read, as a stream.
pub(super) fn flatten<T: Send + 'static>(
    list: impl Future<Output = Result<Vec<T>>> + Send + 'static,
) -> BoxStream<'static, Result<T>> {
    stream::once(list)
        .flat_map(|list| match list {
            Ok(items) => stream::iter(items.into_iter().map(Ok)).boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        })
        .boxed()
}

fn unsupported() -> Error {
    Error::new(ErrorKind::Unsupported, "this store does not know the change")
}

fn experiment_from(row: &Row<'_>, place: &Place) -> Result<(i64, Experiment)> {
    let text = |column: usize| place.of(row.get_ref(column).and_then(|value| Ok(value.as_str()?)));
    let time = |column: usize| place.of(row.get(column)).map(Timestamp::from_millis);
    let deleted: bool = place.of(row.get(2))?;
    let experiment = Experiment {
        id: json::parse(place, "experiment id", text(0)?)?,
        name: json::parse(place, "experiment name", text(1)?)?,
        lifecycle: if deleted { Lifecycle::Deleted } else { Lifecycle::Active },
        tags: json::read(place, "experiment tags", text(3)?)?,
        created: time(4)?,
        updated: time(5)?,
    };
    Ok((place.of(row.get(6))?, experiment))
}

fn find_experiment(
    connection: &Connection,
    place: &Place,
    which: &ExperimentRef,
) -> Result<Option<(i64, Experiment)>> {
    let (column, value) = match which {
        ExperimentRef::Id(id) => ("id", id.as_str()),
        ExperimentRef::Name(name) => ("name", name.as_str()),
    };
    let mut statement =
        place.of(connection.prepare_cached(&format!("{EXPERIMENT} WHERE {column} = ?1")))?;
    let mut rows = place.of(statement.query([value]))?;
    place.of(rows.next())?.map(|row| experiment_from(row, place)).transpose()
}

fn experiment(
    connection: &Connection,
    place: &Place,
    which: &ExperimentRef,
) -> Result<(i64, Experiment)> {
    find_experiment(connection, place, which)?.ok_or_else(|| match which {
        ExperimentRef::Id(id) => Error::not_found("experiment", id),
        ExperimentRef::Name(name) => Error::not_found("experiment", name),
    })
}

fn check_name_is_free(connection: &Connection, place: &Place, name: &ExperimentName) -> Result<()> {
    match find_experiment(connection, place, &ExperimentRef::Name(name.clone()))? {
        Some((_, taken)) => {
            let message = format!("an experiment has this name: name={name} id={}", taken.id);
            Err(Error::new(ErrorKind::AlreadyExists, message))
        }
        None => Ok(()),
    }
}

/// What writes need to know of a run.
struct FoundRun {
    row: i64,
    status: RunStatus,
    deleted: bool,
    origin: String,
    experiment: i64,
}

fn find_run(connection: &Connection, place: &Place, id: &RunId) -> Result<FoundRun> {
    let mut find = place.of(connection.prepare_cached(FIND_RUN))?;
    let found = place.optional(find.query_row([id.as_str()], |row| {
        let deleted: i64 = row.get(2)?;
        Ok((row.get(0)?, row.get::<_, String>(1)?, deleted != 0, row.get(3)?, row.get(4)?))
    }))?;
    let (row, status, deleted, origin, experiment) =
        found.ok_or_else(|| Error::not_found("run", id))?;
    Ok(FoundRun {
        row,
        status: json::parse(place, "run status", &status)?,
        deleted,
        origin,
        experiment,
    })
}

fn create_run(connection: &Connection, place: &Place, new: &NewRun) -> Result<Run> {
    let (experiment, found) =
        experiment(connection, place, &ExperimentRef::Id(new.experiment.clone()))?;
    if found.lifecycle == Lifecycle::Deleted {
        return Err(Error::deleted("experiment", &new.experiment));
    }
    if let Some(parent) = &new.parent {
        find_run(connection, place, parent)?;
    }
    let origin = origin_of(new)?;
    match find_run(connection, place, &new.id) {
        Ok(known) if known.origin == origin => return search::load_one(connection, place, &new.id),
        Ok(_) => {
            let message = format!("another run has this id: id={}", new.id);
            return Err(Error::new(ErrorKind::AlreadyExists, message));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let kind = new.source.as_ref().map(|source| json::write(&source.kind)).transpose()?;
    let values = params![
        new.id.as_str(),
        experiment,
        new.name,
        new.status.word(),
        new.parent.as_ref().map(RunId::as_str),
        kind,
        new.source.as_ref().map(|source| &source.name),
        new.source.as_ref().and_then(|source| source.version.as_ref()),
        new.user,
        new.start.as_millis(),
        origin,
    ];
    let mut add = place.of(connection.prepare_cached(ADD_RUN))?;
    let row: i64 = place.of(add.query_row(values, |row| row.get(0)))?;
    for (key, value) in &new.tags {
        place.of(connection.execute(SET_TAG, params![row, key.as_str(), value]))?;
    }
    search::load_one(connection, place, &new.id)
}

/// Everything that a run is created from, as one text.
fn origin_of(new: &NewRun) -> Result<String> {
    let who = (&new.parent, &new.source, &new.user, &new.tags);
    json::write(&(&new.experiment, &new.name, new.status, new.start, who))
}

fn update_run(connection: &Connection, place: &Place, id: &RunId, change: RunChange) -> Result<()> {
    let run = find_run(connection, place, id)?;
    if run.deleted && !change.is_of_life() {
        return Err(Error::deleted("run", id));
    }
    let done = match change {
        RunChange::Status { status, end } => {
            let status = run.status.advance(status)?;
            let end = end.filter(|_| status.is_terminal()).map(Timestamp::as_millis);
            connection.execute(SET_STATUS, params![run.row, status.word(), end])
        }
        RunChange::Rename(name) => connection.execute(SET_NAME, params![run.row, name]),
        RunChange::Delete => connection.execute(SET_DELETED, params![run.row, 1]),
        RunChange::Restore => {
            let mut statement =
                place
                    .of(connection
                        .prepare_cached("SELECT deleted, id FROM experiments WHERE row = ?1"))?;
            let (gone, id): (bool, String) = place
                .of(statement.query_row([run.experiment], |row| Ok((row.get(0)?, row.get(1)?))))?;
            if gone {
                return Err(Error::deleted("experiment", id));
            }
            connection.execute(SET_DELETED, params![run.row, 0])
        }
        _ => return Err(unsupported()),
    };
    place.of(done).map(|_| ())
}

fn log_batch(
    connection: &Connection,
    place: &Place,
    id: &RunId,
    batch: &LogBatch,
) -> Result<Receipt> {
    let run = find_run(connection, place, id)?;
    let key = params![run.row, batch.key.as_str()];
    let mut applied = place.of(connection.prepare_cached(IS_APPLIED))?;
    if place.of(applied.exists(key))? {
        return Ok(Receipt::Repeated);
    }
    if run.deleted {
        return Err(Error::deleted("run", id));
    }
    place.of(place.of(connection.prepare_cached(ADD_APPLIED))?.execute(key))?;
    let row = run.row;
    for (key, value) in &batch.params {
        let mut add = place.of(connection.prepare_cached(ADD_PARAM))?;
        let held: String =
            place.of(add.query_row(params![row, key.as_str(), value], |row| row.get(0)))?;
        if held != *value {
            return Err(param_conflict(id, key));
        }
    }
    metrics::add(connection, place, row, &batch.metrics)?;
    for (key, value) in &batch.tags {
        let mut set = place.of(connection.prepare_cached(SET_TAG))?;
        place.of(set.execute(params![row, key.as_str(), value]))?;
    }
    for key in &batch.delete_tags {
        place.of(connection.execute(DELETE_TAG, params![row, key.as_str()]))?;
    }
    for input in &batch.inputs {
        let (name, version, body) =
            (input.name.as_str(), input.version.as_str(), json::write(input)?);
        place.of(connection.execute(SET_INPUT, params![row, name, version, input.role, body]))?;
    }
    for output in &batch.outputs {
        let body = json::write(output)?;
        place
            .of(connection
                .execute(SET_OUTPUT, params![row, output.model.as_str(), output.step, body]))?;
    }
    Ok(Receipt::Applied)
}
