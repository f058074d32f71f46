//! `mlops data add|list|diff|checkout`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use futures::TryStreamExt as _;
use mlops_core::Error;
use mlops_core::data::{DataVersion, DataVersionStore as _, ManifestDiff};
use mlops_core::id::{DataVersionId, DatasetName};
use mlops_store::{LocalStore, cas};
use serde_json::{Value, json};

use crate::args::{DataAction, DataArgs, Format};
use crate::{context, output};

pub(crate) async fn run(store: &Path, args: DataArgs) -> Result<ExitCode> {
    let format = Format::of(args.json);
    match args.action.unwrap_or(DataAction::List { dataset: None }) {
        DataAction::Add { dataset, path, message } => {
            let dataset = DatasetName::new(&dataset)?;
            // Adding is how a store begins.
            let store = LocalStore::open(store)?;
            let version =
                cas::add(&*store.content(), &*store.meta(), dataset, &path, &message).await?;
            list(&[version], format)?;
        }
        DataAction::List { dataset } => {
            let dataset = dataset.map(DatasetName::new).transpose()?;
            let versions = context::open(store)?.meta().list(dataset.as_ref());
            list(&versions.try_collect::<Vec<_>>().await?, format)?;
        }
        DataAction::Diff { a, b } => {
            let store = context::open(store)?;
            let (a, b) = (find(&store, &a).await?, find(&store, &b).await?);
            differences(&a, &b, &store.meta().diff(&a, &b).await?, format)?;
        }
        DataAction::Checkout { version, to } => {
            let store = context::open(store)?;
            let id = find(&store, &version).await?;
            let manifest = cas::checkout(&*store.content(), &*store.meta(), &id, &to).await?;
            if format == Format::Json {
                let (files, bytes, to) =
                    (manifest.len(), manifest.bytes(), to.display().to_string());
                output::json(
                    &json!({ "schema": "mlops.data.checkout/1", "id": id, "to": to, "files": files, "bytes": bytes }),
                )?;
            } else {
                output::text(&format!("{} files in {}", manifest.len(), to.display()))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The version whose id is `text`, or begins with it (with or without `b3:`).
async fn find(store: &LocalStore, text: &str) -> Result<DataVersionId> {
    let versions: Vec<DataVersion> = store.meta().list(None).try_collect().await?;
    let fits = |id: &DataVersionId| {
        id.as_str().starts_with(text) || id.as_str().trim_start_matches("b3:").starts_with(text)
    };
    let mut found: Vec<DataVersionId> =
        versions.into_iter().map(|version| version.id).filter(fits).collect();
    found.sort();
    found.dedup();
    match found.as_slice() {
        [id] => Ok(id.clone()),
        [] => Err(Error::not_found("data version", text).into()),
        [a, b, ..] => {
            let message =
                format!("several versions fit, give more of the id: given={text} fits={a}, {b}");
            Err(Error::invalid(message).into())
        }
    }
}

fn list(versions: &[DataVersion], format: Format) -> Result<()> {
    if format == Format::Json {
        let entry = |version: &DataVersion| {
            let mut object = json!(version);
            object["created"] = version.created.to_string().into();
            object
        };
        let entries: Vec<Value> = versions.iter().map(entry).collect();
        return output::json(&json!({ "schema": "mlops.data/1", "versions": entries }));
    }
    let row = |version: &DataVersion| {
        [
            output::brief(version.id.as_str()),
            version.dataset.to_string(),
            version.files.to_string(),
            version.bytes.to_string(),
            version.created.to_string(),
            version.message.clone(),
        ]
    };
    output::text(&output::table(
        ["VERSION", "DATA SET", "FILES", "BYTES", "CREATED", "MESSAGE"],
        versions.iter().map(row),
    ))
}

fn differences(
    a: &DataVersionId,
    b: &DataVersionId,
    diff: &ManifestDiff,
    format: Format,
) -> Result<()> {
    if format == Format::Json {
        let changed: Vec<Value> = diff
            .changed
            .iter()
            .map(|(path, before, after)| json!({ "path": path, "before": before, "after": after }))
            .collect();
        return output::json(&json!({
            "schema": "mlops.data.diff/1", "a": a, "b": b,
            "added": diff.added, "removed": diff.removed, "changed": changed,
        }));
    }
    let added = diff.added.iter().map(|entry| ["added".to_owned(), entry.path.to_string()]);
    let removed = diff.removed.iter().map(|entry| ["removed".to_owned(), entry.path.to_string()]);
    let changed = diff.changed.iter().map(|(path, ..)| ["changed".to_owned(), path.to_string()]);
    let rows: Vec<_> = added.chain(removed).chain(changed).collect();
    if rows.is_empty() {
        return output::text("no difference");
    }
    output::text(&output::table(["", "FILE"], rows))
}
