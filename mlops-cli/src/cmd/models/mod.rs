//! `mlops models`, `mlops models show`, `mlops models register`

mod register;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use futures::TryStreamExt as _;
use mlops_core::id::{ModelName, VersionNumber};
use mlops_core::registry::{
    AuditEntry, AuditEvent, Lineage, Model, ModelRegistry as _, ModelVersion, VersionRef, lineage,
};
use mlops_store::LocalStore;
use serde_json::{Value, json};

use crate::args::{Format, ModelsAction, ModelsArgs};
use crate::{context, output};

pub(crate) async fn run(store: &Path, args: ModelsArgs) -> Result<ExitCode> {
    let format = Format::of(args.json);
    match args.action {
        None => list(&context::open(store)?, format).await?,
        Some(ModelsAction::Show { model }) => show(&context::open(store)?, &model, format).await?,
        Some(ModelsAction::Register(args)) => register::register(store, args, format).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn aliases_of(model: &Model, version: VersionNumber) -> Vec<String> {
    let names = model.aliases.iter().filter(|(_, number)| **number == version);
    names.map(|(alias, _)| alias.to_string()).collect()
}

async fn list(store: &LocalStore, format: Format) -> Result<()> {
    let registry = store.meta();
    let models: Vec<Model> = registry.list_models().try_collect().await?;
    let mut rows = Vec::with_capacity(models.len());
    for model in models {
        let versions: Vec<ModelVersion> = registry.list_versions(&model.name).try_collect().await?;
        rows.push((model, versions.len()));
    }
    if format == Format::Json {
        let entry = |(model, versions): &(Model, usize)| {
            json!({
                "name": model.name, "description": model.description, "tags": model.tags,
                "created": model.created.to_string(), "versions": versions, "aliases": model.aliases,
            })
        };
        let entries: Vec<Value> = rows.iter().map(entry).collect();
        return output::json(&json!({ "schema": "mlops.models/1", "models": entries }));
    }
    let row = |(model, versions): (Model, usize)| {
        let aliases = model.aliases.iter().map(|(alias, version)| format!("{alias} = {version}"));
        let aliases = aliases.collect::<Vec<_>>().join(", ");
        [model.name.to_string(), versions.to_string(), aliases, model.created.to_string()]
    };
    output::text(&output::table(
        ["NAME", "VERSIONS", "ALIASES", "CREATED"],
        rows.into_iter().map(row),
    ))
}

async fn show(store: &LocalStore, name: &str, format: Format) -> Result<()> {
    let (meta, name) = (store.meta(), ModelName::new(name)?);
    let model = meta.get_model(&name).await?;
    let versions: Vec<ModelVersion> = meta.list_versions(&name).try_collect().await?;
    let audit: Vec<AuditEntry> = meta.audit(&name).try_collect().await?;
    let mut lines = Vec::with_capacity(versions.len());
    for version in &versions {
        lines.push(
            lineage(&*meta, &*meta, &*meta, &name, &VersionRef::Number(version.number)).await?,
        );
    }
    if format == Format::Json {
        return output::json(&as_json(&model, &lines, &audit));
    }
    let version = |line: &Lineage| {
        let of = &line.version;
        let run = line.run.as_ref().map_or("-".to_owned(), |run| run.name.clone());
        let data = line
            .data
            .iter()
            .map(|data| format!("{}@{}", data.dataset, output::brief(data.id.as_str())));
        [
            of.number.to_string(),
            of.stage.to_string(),
            aliases_of(&model, of.number).join(", "),
            run,
            data.collect::<Vec<_>>().join(", "),
            output::brief(&of.digest.to_string()),
        ]
    };
    let versions = output::table(
        ["VERSION", "STAGE", "ALIAS", "RUN", "DATA", "DIGEST"],
        lines.iter().map(version),
    );
    let event = |entry: &AuditEntry| {
        [
            entry.sequence.to_string(),
            entry.at.to_string(),
            entry.by.clone(),
            describe(&entry.event),
            entry.reason.clone(),
        ]
    };
    let trail = output::table(["#", "AT", "BY", "WHAT", "WHY"], audit.iter().map(event));
    output::text(&format!("{}  {}\n\n{versions}\n\n{trail}", model.name, model.description))
}

fn describe(event: &AuditEvent) -> String {
    let show =
        |version: &Option<VersionNumber>| version.map_or("none".to_owned(), |v| v.to_string());
    match event {
        AuditEvent::VersionCreated { version } => format!("version {version} registered"),
        AuditEvent::AliasChanged { alias, from, to } => {
            format!("{alias}: {} -> {}", show(from), show(to))
        }
        AuditEvent::StageChanged { version, from, to } => {
            format!("version {version}: {from} -> {to}")
        }
    }
}

fn as_json(model: &Model, lines: &[Lineage], audit: &[AuditEntry]) -> Value {
    let version = |line: &Lineage| {
        let of = &line.version;
        json!({
            "number": of.number, "stage": of.stage, "aliases": aliases_of(model, of.number), "digest": of.digest,
            "artifact": of.artifact, "flavour": of.flavour, "created": of.created.to_string(), "tags": of.tags,
            "lineage": {
                "run": of.run, "code": line.code, "data": of.data,
                "datasets": line.data.iter().map(|data| &data.dataset).collect::<Vec<_>>(),
            },
        })
    };
    let entry = |entry: &AuditEntry| {
        let mut object = json!(entry);
        object["at"] = entry.at.to_string().into();
        object
    };
    json!({
        "schema": "mlops.model/1", "name": model.name, "description": model.description,
        "aliases": model.aliases, "versions": lines.iter().map(version).collect::<Vec<_>>(),
        "audit": audit.iter().map(entry).collect::<Vec<_>>(),
    })
}
