//! Data versions.

use async_trait::async_trait;
use futures::stream::BoxStream;
use rusqlite::{Connection, params};

use mlops_core::data::{DataVersion, DataVersionStore, Manifest, NewDataVersion};
use mlops_core::error::{Error, Result};
use mlops_core::id::{DataVersionId, DatasetName};

use super::error::Place;
use super::tracking::flatten;
use super::{SqliteStore, json};

const BY_ID: &str = "SELECT body FROM data_versions WHERE id = ?1 ORDER BY row LIMIT 1";
const BY_DATASET: &str = "SELECT body FROM data_versions WHERE dataset = ?2 AND id = ?1";
const LIST: &str =
    "SELECT body FROM data_versions WHERE ?1 IS NULL OR dataset = ?1 ORDER BY row DESC";
const MANIFEST: &str = "SELECT body FROM manifests WHERE id = ?1";
const ADD_MANIFEST: &str = "INSERT OR IGNORE INTO manifests (id, body) VALUES (?1, ?2)";
const ADD: &str = "INSERT INTO data_versions (id, dataset, body) VALUES (?1, ?2, ?3)";

#[async_trait]
impl DataVersionStore for SqliteStore {
    async fn commit(&self, new: NewDataVersion) -> Result<DataVersion> {
        let now = self.clock.now();
        self.write(move |connection, place| {
            let id = new.manifest.id();
            if let Some(parent) = &new.parent {
                get(connection, place, parent)?;
            }
            let known = params![id.as_str(), new.dataset.as_str()];
            if let Some(known) = find(connection, place, BY_DATASET, known)? {
                return Ok(known);
            }
            let version = new.to_version(now);
            let id = version.id.as_str();
            place.of(connection.execute(ADD_MANIFEST, params![id, json::write(&new.manifest)?]))?;
            place.of(connection
                .execute(ADD, params![id, version.dataset.as_str(), json::write(&version)?]))?;
            Ok(version)
        })
        .await
    }

    async fn get(&self, id: &DataVersionId) -> Result<DataVersion> {
        let id = id.clone();
        self.read(move |connection, place| get(connection, place, &id)).await
    }

    async fn manifest(&self, id: &DataVersionId) -> Result<Manifest> {
        let id = id.clone();
        self.read(move |connection, place| {
            find(connection, place, MANIFEST, params![id.as_str()])?
                .ok_or_else(|| Error::not_found("data version", id))
        })
        .await
    }

    fn list(&self, dataset: Option<&DatasetName>) -> BoxStream<'static, Result<DataVersion>> {
        let dataset = dataset.cloned();
        flatten(self.readers.handle().run(move |connection, place| {
            let mut statement = place.of(connection.prepare_cached(LIST))?;
            let name = dataset.as_ref().map(DatasetName::as_str);
            let bodies = place.of(statement.query_map([name], |row| row.get::<_, String>(0)))?;
            let bodies: Vec<String> = place.of(bodies.collect())?;
            bodies.iter().map(|body| json::read(place, "data version", body)).collect()
        }))
    }
}

fn get(connection: &Connection, place: &Place, id: &DataVersionId) -> Result<DataVersion> {
    find(connection, place, BY_ID, params![id.as_str()])?
        .ok_or_else(|| Error::not_found("data version", id))
}

fn find<T: serde::de::DeserializeOwned>(
    connection: &Connection,
    place: &Place,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<Option<T>> {
    let mut statement = place.of(connection.prepare_cached(sql))?;
    let body = place.optional(statement.query_row(values, |row| row.get::<_, String>(0)))?;
    body.map(|body| json::read(place, "data version", &body)).transpose()
}
