//! Registered models: versions, aliases by compare-and-set, stages with an audit trail, lineage.

mod lineage;
mod types;

use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;

pub use lineage::{Lineage, lineage};
pub use types::{
    AliasChange, AuditEntry, AuditEvent, Model, ModelVersion, NewModel, NewVersion, Stage,
    StageChange, VersionRef,
};

use crate::error::Result;
use crate::id::ModelName;

/// Keeps registered models.
///
/// # Contract
/// - **Atomic and durable**, as [`TrackingStore`](crate::tracking::TrackingStore): a change and its
///   audit entry are one write.
/// - **Numbers**: versions of a model are 1, 2, 3 … in order of creation, without gaps.
/// - **Compare-and-set**: aliases and stages change only from the value that the caller expects;
///   otherwise `Conflict`, and the message says what is there. A change to the value that already
///   holds succeeds and leaves no second audit entry, so that a repeat after an ambiguous failure is
///   harmless.
/// - **Idempotent**: a version is created once for its key.
/// - **Audit**: entries are never changed or removed, and are numbered without gaps per model.
#[async_trait]
pub trait ModelRegistry: Send + Sync + fmt::Debug {
    /// Creates a model; one with this name and content that is there already is returned.
    async fn create_model(&self, new: NewModel) -> Result<Model>;

    /// The model with this name, with its aliases.
    async fn get_model(&self, name: &ModelName) -> Result<Model>;

    /// Every model, ordered by name.
    fn list_models(&self) -> BoxStream<'static, Result<Model>>;

    /// Creates the next version of a model.
    async fn create_version(&self, new: NewVersion) -> Result<ModelVersion>;

    /// A version, by number or alias.
    async fn get_version(&self, model: &ModelName, which: &VersionRef) -> Result<ModelVersion>;

    /// Every version of a model, ordered by number.
    fn list_versions(&self, model: &ModelName) -> BoxStream<'static, Result<ModelVersion>>;

    /// Moves, creates or removes an alias.
    async fn set_alias(&self, change: AliasChange) -> Result<()>;

    /// Moves a version from stage to stage.
    async fn set_stage(&self, change: StageChange) -> Result<ModelVersion>;

    /// Everything that happened to a model, oldest first.
    fn audit(&self, model: &ModelName) -> BoxStream<'static, Result<AuditEntry>>;
}
