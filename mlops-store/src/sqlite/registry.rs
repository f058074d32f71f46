//! Registered models.

use async_trait::async_trait;
use futures::stream::BoxStream;
use rusqlite::{Connection, params};

use mlops_core::error::{Error, ErrorKind, Result};
use mlops_core::id::{Alias, ModelName, VersionNumber};
use mlops_core::registry::{
    AliasChange, AuditEntry, AuditEvent, Model, ModelRegistry, ModelVersion, NewModel, NewVersion,
    Stage, StageChange, VersionRef,
};
use mlops_core::time::Timestamp;

use super::error::Place;
use super::tracking::flatten;
use super::{SqliteStore, json};

const MODEL: &str = "SELECT row, name, description, tags, created FROM models";
const ADD_MODEL: &str =
    "INSERT INTO models (name, description, tags, created) VALUES (?1, ?2, ?3, ?4)";
const ALIASES: &str = "SELECT alias, number FROM aliases WHERE model = ?1";
const ALIAS: &str = "SELECT number FROM aliases WHERE model = ?1 AND alias = ?2";
const SET_ALIAS: &str = "INSERT INTO aliases (model, alias, number) VALUES (?1, ?2, ?3)
    ON CONFLICT (model, alias) DO UPDATE SET number = excluded.number";
const DELETE_ALIAS: &str = "DELETE FROM aliases WHERE model = ?1 AND alias = ?2";
const VERSION: &str = "SELECT body, stage FROM versions WHERE model = ?1 AND number = ?2";
const VERSION_BY_KEY: &str = "SELECT body, stage FROM versions WHERE model = ?1 AND key = ?2";
const VERSIONS: &str = "SELECT body, stage FROM versions WHERE model = ?1 ORDER BY number";
const NEXT_NUMBER: &str = "SELECT coalesce(max(number), 0) + 1 FROM versions WHERE model = ?1";
const ADD_VERSION: &str =
    "INSERT INTO versions (model, number, key, stage, body) VALUES (?1, ?2, ?3, ?4, ?5)";
const SET_STAGE: &str = "UPDATE versions SET stage = ?3 WHERE model = ?1 AND number = ?2";
const ADD_AUDIT: &str = "INSERT INTO audit (model, sequence, body) VALUES (?1, ?2, ?3)";
const NEXT_AUDIT: &str = "SELECT coalesce(max(sequence), 0) + 1 FROM audit WHERE model = ?1";
const AUDIT: &str = "SELECT body FROM audit WHERE model = ?1 ORDER BY sequence";

#[async_trait]
impl ModelRegistry for SqliteStore {
    async fn create_model(&self, new: NewModel) -> Result<Model> {
        let now = self.clock.now();
        self.write(move |connection, place| {
            if let Some((_, known)) = find_model(connection, place, &new.name)? {
                return if known.description == new.description && known.tags == new.tags {
                    Ok(known)
                } else {
                    let message = format!("a model has this name: name={}", new.name);
                    Err(Error::new(ErrorKind::AlreadyExists, message))
                };
            }
            let values = params![
                new.name.as_str(),
                new.description,
                json::write(&new.tags)?,
                now.as_millis()
            ];
            place.of(connection.execute(ADD_MODEL, values))?;
            model(connection, place, &new.name).map(|(_, model)| model)
        })
        .await
    }

    async fn get_model(&self, name: &ModelName) -> Result<Model> {
        let name = name.clone();
        self.read(move |connection, place| model(connection, place, &name).map(|(_, model)| model))
            .await
    }

    fn list_models(&self) -> BoxStream<'static, Result<Model>> {
        flatten(self.readers.handle().run(|connection, place| {
            let mut statement =
                place.of(connection.prepare_cached("SELECT name FROM models ORDER BY name"))?;
            let names = place.of(statement.query_map([], |row| row.get::<_, String>(0)))?;
            let names: Vec<String> = place.of(names.collect())?;
            let load = |name: &String| {
                let name = json::parse(place, "model name", name)?;
                model(connection, place, &name).map(|(_, model)| model)
            };
            names.iter().map(load).collect()
        }))
    }

    async fn create_version(&self, new: NewVersion) -> Result<ModelVersion> {
        let now = self.clock.now();
        self.write(move |connection, place| create_version(connection, place, new, now)).await
    }

    async fn get_version(&self, name: &ModelName, which: &VersionRef) -> Result<ModelVersion> {
        let (name, which) = (name.clone(), which.clone());
        self.read(move |connection, place| {
            let (row, _) = model(connection, place, &name)?;
            let number = match &which {
                VersionRef::Number(number) => *number,
                VersionRef::Alias(alias) => alias_of(connection, place, row, alias)?
                    .ok_or_else(|| Error::not_found("alias", format!("{name}@{alias}")))?,
            };
            version(connection, place, row, &name, number)
        })
        .await
    }

    fn list_versions(&self, name: &ModelName) -> BoxStream<'static, Result<ModelVersion>> {
        let name = name.clone();
        flatten(self.readers.handle().run(move |connection, place| {
            let (row, _) = model(connection, place, &name)?;
            let mut statement = place.of(connection.prepare_cached(VERSIONS))?;
            let mut rows = place.of(statement.query([row]))?;
            let mut versions = Vec::new();
            while let Some(row) = place.of(rows.next())? {
                versions.push(version_from(row, place)?);
            }
            Ok(versions)
        }))
    }

    async fn set_alias(&self, change: AliasChange) -> Result<()> {
        let now = self.clock.now();
        self.write(move |connection, place| set_alias(connection, place, change, now)).await
    }

    async fn set_stage(&self, change: StageChange) -> Result<ModelVersion> {
        let now = self.clock.now();
        self.write(move |connection, place| set_stage(connection, place, &change, now)).await
    }

    fn audit(&self, name: &ModelName) -> BoxStream<'static, Result<AuditEntry>> {
        let name = name.clone();
        flatten(self.readers.handle().run(move |connection, place| {
            let (row, _) = model(connection, place, &name)?;
            let mut statement = place.of(connection.prepare_cached(AUDIT))?;
            let bodies = place.of(statement.query_map([row], |row| row.get::<_, String>(0)))?;
            let bodies: Vec<String> = place.of(bodies.collect())?;
            bodies.iter().map(|body| json::read(place, "audit entry", body)).collect()
        }))
    }
}

fn find_model(
    connection: &Connection,
    place: &Place,
    name: &ModelName,
) -> Result<Option<(i64, Model)>> {
    let mut statement = place.of(connection.prepare_cached(&format!("{MODEL} WHERE name = ?1")))?;
    let found = place.optional(statement.query_row([name.as_str()], |row| {
        Ok((row.get::<_, i64>(0)?, row.get(2)?, row.get::<_, String>(3)?, row.get(4)?))
    }))?;
    let Some((row, description, tags, created)) = found else {
        return Ok(None);
    };
    let mut statement = place.of(connection.prepare_cached(ALIASES))?;
    let aliases =
        place.of(statement.query_map([row], |row| Ok((row.get::<_, String>(0)?, row.get(1)?))))?;
    let aliases: Vec<(String, u32)> = place.of(aliases.collect())?;
    let alias = |(alias, number): (String, u32)| {
        Ok((json::parse(place, "alias", &alias)?, VersionNumber(number)))
    };
    let model = Model {
        name: name.clone(),
        description,
        tags: json::read(place, "model tags", &tags)?,
        created: Timestamp::from_millis(created),
        aliases: aliases.into_iter().map(alias).collect::<Result<_>>()?,
    };
    Ok(Some((row, model)))
}

fn model(connection: &Connection, place: &Place, name: &ModelName) -> Result<(i64, Model)> {
    find_model(connection, place, name)?.ok_or_else(|| Error::not_found("model", name))
}

fn alias_of(
    connection: &Connection,
    place: &Place,
    model: i64,
    alias: &Alias,
) -> Result<Option<VersionNumber>> {
    let mut statement = place.of(connection.prepare_cached(ALIAS))?;
    let found =
        place.optional(statement.query_row(params![model, alias.as_str()], |row| row.get(0)))?;
    Ok(found.map(VersionNumber))
}

/// The stage has a column of its own: it is the one part of a version that changes.
fn version_from(row: &rusqlite::Row<'_>, place: &Place) -> Result<ModelVersion> {
    let text = |column: usize| place.of(row.get_ref(column).and_then(|value| Ok(value.as_str()?)));
    let mut version: ModelVersion = json::read(place, "model version", text(0)?)?;
    version.stage = json::parse(place, "stage", text(1)?)?;
    Ok(version)
}

fn find_version(
    connection: &Connection,
    place: &Place,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<Option<ModelVersion>> {
    let mut statement = place.of(connection.prepare_cached(sql))?;
    let mut rows = place.of(statement.query(values))?;
    place.of(rows.next())?.map(|row| version_from(row, place)).transpose()
}

fn version(
    connection: &Connection,
    place: &Place,
    model: i64,
    name: &ModelName,
    number: VersionNumber,
) -> Result<ModelVersion> {
    let found = find_version(connection, place, VERSION, params![model, number.0])?;
    found.ok_or_else(|| Error::not_found("model version", format!("{name}/{number}")))
}

fn create_version(
    connection: &Connection,
    place: &Place,
    new: NewVersion,
    now: Timestamp,
) -> Result<ModelVersion> {
    let (model, _) = model(connection, place, &new.model)?;
    if let Some(known) =
        find_version(connection, place, VERSION_BY_KEY, params![model, new.key.as_str()])?
    {
        return Ok(known);
    }
    let number: u32 = place.of(connection.query_row(NEXT_NUMBER, [model], |row| row.get(0)))?;
    let key = new.key.clone();
    let version = new.into_version(VersionNumber(number), now);
    let values = params![model, number, key.as_str(), Stage::None.word(), json::write(&version)?];
    place.of(connection.execute(ADD_VERSION, values))?;
    let event = AuditEvent::VersionCreated { version: version.number };
    note(
        connection,
        place,
        model,
        AuditEntry {
            sequence: 0,
            at: now,
            by: "registry".into(),
            reason: "registered".into(),
            event,
        },
    )?;
    Ok(version)
}

fn note(connection: &Connection, place: &Place, model: i64, mut entry: AuditEntry) -> Result<()> {
    let next: i64 = place.of(connection.query_row(NEXT_AUDIT, [model], |row| row.get(0)))?;
    entry.sequence = next.cast_unsigned();
    let values = params![model, next, json::write(&entry)?];
    place.of(connection.execute(ADD_AUDIT, values)).map(|_| ())
}

fn set_alias(
    connection: &Connection,
    place: &Place,
    change: AliasChange,
    at: Timestamp,
) -> Result<()> {
    let (row, _) = model(connection, place, &change.model)?;
    if let Some(next) = change.next {
        version(connection, place, row, &change.model, next)?;
    }
    let held = alias_of(connection, place, row, &change.alias)?;
    if !change.applies_to(held)? {
        return Ok(());
    }
    let alias = change.alias.as_str();
    place.of(match change.next {
        Some(next) => connection.execute(SET_ALIAS, params![row, alias, next.0]),
        None => connection.execute(DELETE_ALIAS, params![row, alias]),
    })?;
    let event = AuditEvent::AliasChanged { alias: change.alias, from: held, to: change.next };
    note(
        connection,
        place,
        row,
        AuditEntry { sequence: 0, at, by: change.by, reason: change.reason, event },
    )
}

fn set_stage(
    connection: &Connection,
    place: &Place,
    change: &StageChange,
    at: Timestamp,
) -> Result<ModelVersion> {
    let (row, _) = model(connection, place, &change.model)?;
    let held = version(connection, place, row, &change.model, change.version)?;
    if !change.applies_to(held.stage)? {
        return Ok(held);
    }
    place.of(connection.execute(SET_STAGE, params![row, change.version.0, change.next.word()]))?;
    let event =
        AuditEvent::StageChanged { version: change.version, from: held.stage, to: change.next };
    let (by, reason) = (change.by.clone(), change.reason.clone());
    note(connection, place, row, AuditEntry { sequence: 0, at, by, reason, event })?;
    Ok(ModelVersion { stage: change.next, ..held })
}
