//! `mlops serve --follow`: changes models when their alias points elsewhere.

use std::time::Duration;

use anyhow::Result;
use mlops_core::id::VersionNumber;
use mlops_core::registry::ModelVersion;
use mlops_core::{Error, ErrorKind};
use mlops_deploy::serving::Repository;
use mlops_store::LocalStore;

use super::drift::Watch;
use super::models::{self, ModelRef, Resolved};
use crate::output;

/// How often it is looked where an alias points.
const EVERY: Duration = Duration::from_secs(1);

/// One argument, and what it stands for.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) asked: ModelRef,
    /// What answers.
    pub(super) version: ModelVersion,
    /// Where the alias points, and what can't be loaded: it is not tried each second.
    refused: Option<VersionNumber>,
}

impl Served {
    pub(super) fn new(asked: ModelRef, version: ModelVersion) -> Self {
        Self { asked, version, refused: None }
    }

    fn serves(&self, version: &ModelVersion) -> bool {
        self.version.model == version.model && self.version.number == version.number
    }
}

/// Refuses what is given twice. While aliases are followed, two arguments may meet at one version: they part
/// again.
pub(super) fn refuse_twice(served: &[Served], follow: bool) -> mlops_core::Result<()> {
    for (index, later) in served.iter().enumerate() {
        let same = |earlier: &&Served| match follow {
            true => earlier.asked == later.asked,
            false => earlier.serves(&later.version),
        };
        if let Some(earlier) = served[..index].iter().find(same) {
            let message = format!(
                "the same version is asked for twice: first={} second={} version={}",
                earlier.asked, later.asked, later.version.number
            );
            return Err(Error::invalid(message));
        }
    }
    Ok(())
}

/// Follows aliases for ever. A version that can't be loaded leaves the old one; no request goes without.
pub(super) async fn follow(
    store: &LocalStore,
    repository: &Repository,
    mut served: Vec<Served>,
    watch: Option<&Watch>,
) {
    loop {
        tokio::time::sleep(EVERY).await;
        for index in 0..served.len() {
            let asked = &served[index].asked;
            let next = match models::resolve(&*store.meta(), asked).await {
                Ok(Resolved { version }) => version,
                Err(error) => {
                    output::say(&format!("cannot look where {asked} points: {error:#}"));
                    continue;
                }
            };
            if served[index].serves(&next) {
                served[index].refused = None;
            } else if served[index].refused != Some(next.number) {
                let (name, number) = (next.model.clone(), next.number);
                match change(store, repository, &mut served, (index, next), watch).await {
                    Ok(()) => output::say(&format!("{name} version {number} serves now")),
                    Err(error) => {
                        output::say(&format!("{name} version {number} can't be loaded: {error:#}"));
                        if !is_passing(&error) {
                            served[index].refused = Some(number);
                        }
                    }
                }
            }
        }
    }
}

/// Whether the next try may go well.
fn is_passing(error: &anyhow::Error) -> bool {
    let own = error.chain().find_map(|cause| cause.downcast_ref::<Error>());
    own.is_some_and(|error| error.kind() == ErrorKind::Unavailable)
}

/// Loads the next version first, makes it answer, and then lets go of the old one, unless another argument
/// stands for it.
async fn change(
    store: &LocalStore,
    repository: &Repository,
    served: &mut [Served],
    (index, next): (usize, ModelVersion),
    watch: Option<&Watch>,
) -> Result<()> {
    if !served.iter().any(|it| it.serves(&next)) {
        let resolved = Resolved { version: next.clone() };
        repository.load(super::load(store, &resolved, watch).await?);
    }
    let first = served.iter().position(|it| it.version.model == next.model);
    if first == Some(index) {
        repository.set_default(&next.model, next.number)?;
    }
    let before = std::mem::replace(&mut served[index].version, next);
    served[index].refused = None;
    if !served.iter().any(|it| it.serves(&before)) {
        repository.unload(&before.model, before.number);
    }
    Ok(())
}
