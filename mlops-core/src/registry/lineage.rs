//! From a model version back to the run, the data and the code it came from.

use super::{ModelRegistry, ModelVersion, VersionRef};
use crate::data::{DataVersion, DataVersionStore};
use crate::error::{ErrorKind, Result};
use crate::id::ModelName;
use crate::tracking::{Run, TrackingStore};

/// Where a model version came from, as far as the stores still know.
#[derive(Debug, Clone)]
pub struct Lineage {
    /// The version itself.
    pub version: ModelVersion,
    /// The run that trained it; `None` when none was given or it is gone.
    pub run: Option<Run>,
    /// The data versions it was trained on that the store still has.
    pub data: Vec<DataVersion>,
    /// The digest or commit of the code.
    pub code: Option<String>,
}

/// Follows a version back: model -> run -> data versions -> code.
///
/// # Errors
/// `NotFound` for an unknown version; what the version names but the stores no longer hold is left out.
pub async fn lineage(
    registry: &dyn ModelRegistry,
    tracking: &dyn TrackingStore,
    data: &dyn DataVersionStore,
    model: &ModelName,
    which: &VersionRef,
) -> Result<Lineage> {
    let version = registry.get_version(model, which).await?;
    let run = match &version.run {
        Some(id) => known(tracking.get_run(id).await)?,
        None => None,
    };
    let mut versions = Vec::with_capacity(version.data.len());
    for id in &version.data {
        versions.extend(known(data.get(id).await)?);
    }
    let code = version.code.clone().or_else(|| run.as_ref()?.source.as_ref()?.version.clone());
    Ok(Lineage { version, run, data: versions, code })
}

fn known<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
