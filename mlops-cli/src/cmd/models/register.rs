//! `mlops models register`: a file becomes the next version of a model.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use mlops_core::artifact::{ArtifactStore as _, Body};
use mlops_core::id::{Alias, ArtifactPath, Digest, Ids as _, ModelName, RandomIds, RunId};
use mlops_core::registry::{
    AliasChange, ModelRegistry, ModelVersion, NewModel, NewVersion, VersionRef,
};
use mlops_core::tracking::TrackingStore as _;
use mlops_core::{Error, ErrorKind};
use mlops_deploy::serving::predictor::ModelFiles;
use mlops_store::LocalStore;
use serde_json::{Value, json};

use crate::args::{Format, RegisterArgs};
use crate::cmd::serve::models::loaders;
use crate::output;

/// Registers a file. Everything that can be refused is refused before anything is written.
pub(super) async fn register(store: &Path, args: RegisterArgs, format: Format) -> Result<()> {
    let model = ModelName::new(&args.model)?;
    let alias = args.alias.as_deref().map(Alias::new).transpose()?;
    let run = args.run.as_deref().map(RunId::new).transpose()?;
    let signature = check(&args).await?;
    // Registering is how a store begins.
    let store = LocalStore::open(store)?;
    let run = match run {
        Some(run) => Some(store.meta().get_run(&run).await?),
        None => None,
    };
    let path = artifact_path(&model, &args.file)?;
    let artifact = store.content().put(&path, Body::from(args.file.as_path())).await?;
    create_model(&*store.meta(), &model).await?;
    let digest = artifact.blob.digest;
    let mut new = NewVersion::new(RandomIds.idempotency_key(), model, digest, path)
        .with_flavour(args.flavour.as_str());
    if let Some(signature) = &signature {
        new = new.with_signature(signature.to_string());
    }
    if let Some(run) = run {
        let code = run.source.and_then(|source| source.version).unwrap_or_default();
        new = new.with_lineage(run.id, Vec::new(), code);
    }
    let version = store.meta().create_version(new).await?;
    if let Some(alias) = &alias {
        point(&*store.meta(), &version, alias, &args.message).await?;
    }
    tell(&version, alias.as_ref(), signature.as_ref(), format)
}

/// Loads the model, where this program can, so that a damaged file is refused; says what goes in and out.
async fn check(args: &RegisterArgs) -> Result<Option<Value>> {
    let path = &args.file;
    let found =
        std::fs::metadata(path).map_err(|source| Error::io("read a model", path, source))?;
    if !found.is_file() {
        let message = format!("a model is one file, this is none: path={}", path.display());
        return Err(Error::invalid(message).into());
    }
    let loaders = loaders();
    if !loaders.flavours().any(|known| known == args.flavour) {
        let known = loaders.flavours().collect::<Vec<_>>().join(", ");
        let flavour = &args.flavour;
        output::say(&format!("`mlops serve` can't load flavour {flavour}, only: {known}"));
        return Ok(None);
    }
    let (flavour, files) = (args.flavour.clone(), ModelFiles::new(path));
    let load = move || loaders.load(&flavour, &files);
    let predictor = tokio::task::spawn_blocking(load)
        .await?
        .with_context(|| format!("cannot register {}", path.display()))?;
    Ok(Some(serde_json::to_value(Arc::clone(&predictor).signature())?))
}

/// Where the bytes lie: apart for each content, so that an older version keeps its own.
fn artifact_path(model: &ModelName, file: &Path) -> Result<ArtifactPath> {
    let name = file.file_name().and_then(|name| name.to_str());
    let name =
        name.with_context(|| format!("a file name that is not UTF-8: {}", file.display()))?;
    let mut hasher = blake3::Hasher::new();
    let read = std::fs::File::open(file).and_then(|file| hasher.update_reader(file).map(drop));
    read.map_err(|source| Error::io("read a model", file, source))?;
    let digest = Digest::from_bytes(hasher.finalize().into());
    Ok(ArtifactPath::new(format!("models/{model}/{}/{name}", digest.to_hex()))?)
}

async fn create_model(registry: &dyn ModelRegistry, model: &ModelName) -> Result<()> {
    match registry.get_model(model).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            registry.create_model(NewModel::new(model.clone())).await?;
            Ok(())
        }
        found => Ok(found.map(drop)?),
    }
}

/// Moves the alias to the new version, from wherever it points.
async fn point(
    registry: &dyn ModelRegistry,
    version: &ModelVersion,
    alias: &Alias,
    reason: &str,
) -> Result<()> {
    let held = registry.get_version(&version.model, &VersionRef::Alias(alias.clone())).await;
    let expected = match held {
        Ok(held) => Some(held.number),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let change = AliasChange {
        model: version.model.clone(),
        alias: alias.clone(),
        expected,
        next: Some(version.number),
        by: "mlops models register".to_owned(),
        reason: reason.to_owned(),
    };
    Ok(registry.set_alias(change).await?)
}

fn tell(
    version: &ModelVersion,
    alias: Option<&Alias>,
    signature: Option<&Value>,
    format: Format,
) -> Result<()> {
    if format == Format::Json {
        return output::json(&json!({
            "schema": "mlops.model.registered/1", "model": version.model, "version": version.number,
            "flavour": version.flavour, "digest": version.digest, "alias": alias, "signature": signature,
        }));
    }
    let (model, number) = (&version.model, version.number);
    let named = alias.map_or(String::new(), |alias| format!(", {alias} from now on"));
    output::text(&format!("{model} version {number}{named}; next: mlops serve {model}/{number}"))
}
