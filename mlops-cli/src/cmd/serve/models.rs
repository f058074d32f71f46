//! From what a person writes to a model that answers.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use mlops_core::artifact::{ArtifactStore as _, ContentStore as _};
use mlops_core::id::{Alias, ModelName, VersionNumber};
use mlops_core::registry::{ModelRegistry, ModelVersion, VersionRef};
use mlops_core::{Error, ErrorKind};
use mlops_deploy::serving::predictor::ModelFiles;
use mlops_deploy::serving::{LoadedModel, Loaders};
use mlops_store::LocalStore;

use crate::demo::model::serving::FlightLoader;

/// The alias that stands for a model's version in use.
const CHAMPION: &str = "champion";

/// `MODEL`, `MODEL@ALIAS` or `MODEL/VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelRef {
    pub(crate) model: ModelName,
    pub(crate) version: Option<VersionRef>,
}

impl FromStr for ModelRef {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some((model, alias)) = text.rsplit_once('@') {
            let version = Some(VersionRef::Alias(Alias::new(alias)?));
            return Ok(Self { model: ModelName::new(model)?, version });
        }
        let number = |text: &str| text.parse().ok().map(VersionNumber);
        let numbered = text.rsplit_once('/').and_then(|(model, n)| Some((model, number(n)?)));
        match numbered {
            Some((model, number)) => {
                let version = Some(VersionRef::Number(number));
                Ok(Self { model: ModelName::new(model)?, version })
            }
            None => Ok(Self { model: ModelName::new(text)?, version: None }),
        }
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            None => self.model.fmt(f),
            Some(VersionRef::Alias(alias)) => write!(f, "{}@{alias}", self.model),
            Some(VersionRef::Number(number)) => write!(f, "{}/{number}", self.model),
        }
    }
}

/// The version that a reference means now.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) version: ModelVersion,
}

/// Looks a reference up. A model alone is its champion, or else its newest version.
pub(crate) async fn resolve(registry: &dyn ModelRegistry, model: &ModelRef) -> Result<Resolved> {
    if let Some(version) = &model.version {
        let version = registry.get_version(&model.model, version).await;
        return Ok(Resolved { version: version.with_context(|| hint(&model.model))? });
    }
    let champion = VersionRef::Alias(Alias::new(CHAMPION)?);
    match registry.get_version(&model.model, &champion).await {
        Ok(version) => Ok(Resolved { version }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let listed = registry.list_versions(&model.model).try_collect().await;
            let versions: Vec<ModelVersion> = listed.with_context(|| hint(&model.model))?;
            let newest = versions.into_iter().max_by_key(|version| version.number);
            let version = newest
                .ok_or_else(|| Error::not_found("model", &model.model))
                .with_context(|| hint(&model.model))?;
            Ok(Resolved { version })
        }
        Err(error) => Err(error.into()),
    }
}

fn hint(model: &ModelName) -> String {
    format!("cannot serve {model}; `mlops models` lists what there is")
}

/// What this program can load.
pub(crate) fn loaders() -> Loaders {
    let loaders = Loaders::new().with(Arc::new(FlightLoader));
    #[cfg(feature = "onnx")]
    let loaders = loaders.with(Arc::new(mlops_deploy::serving::onnx::OnnxLoader));
    loaders
}

/// Fetches a version's bytes, held against its digest, and makes it ready.
pub(crate) async fn load(store: &LocalStore, resolved: &Resolved) -> Result<LoadedModel> {
    let version = &resolved.version;
    let content = store.content();
    let artifact = content.head(&version.artifact).await?;
    if artifact.blob.digest != version.digest {
        let message = format!(
            "a model's file is not the one that was registered: model={} version={} want={} got={}",
            version.model, version.number, version.digest, artifact.blob.digest
        );
        return Err(Error::new(ErrorKind::Corrupt, message).into());
    }
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let path = folder.path().join("model");
    content.fetch_content(&version.digest, &path).await?;
    let flavour = version.flavour.clone();
    let load = move || loaders().load(&flavour, &ModelFiles::new(&path));
    let predictor = tokio::task::spawn_blocking(load).await??;
    drop(folder);
    let loaded = LoadedModel::new(version.model.clone(), version.number, predictor)
        .with_platform(version.flavour.clone());
    Ok(match &version.run {
        Some(run) => loaded.with_run_key(run.as_str()),
        None => loaded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_model_with_an_alias_or_a_version_or_neither() {
        for text in ["flights", "flights@champion", "team/flights/3", "team/flights"] {
            assert_eq!(text.parse::<ModelRef>().unwrap().to_string(), text);
        }
        let three: ModelRef = "team/flights/3".parse().unwrap();
        assert_eq!(three.version, Some(VersionRef::Number(VersionNumber(3))));
        assert!("flights@3".parse::<ModelRef>().is_err());
        assert!("".parse::<ModelRef>().is_err());
    }
}
