//! Doing what was decided. Each action may have been done before, and may be done again.

use super::heartbeat::with_heartbeat;
use super::{Controller, Parts, Progress};
use crate::deploy::RevisionRef;
use crate::error::{Error, ErrorKind, Result, RetryClass};
use crate::rollout::analysis::{Judgement, QualityEvidence, Verdict};
use crate::rollout::machine::{Action, Entry, Event, Observation};
use crate::rollout::spec::RolloutSpec;

impl Controller {
    pub(super) async fn act(&mut self, action: Action, seen: &Observation) -> Result<Progress> {
        // Backends know nothing of leases: what one that was fenced off would do is not done.
        self.renew_lease().await?;
        let parts = self.parts.clone();
        let doing = perform(&parts, &action, seen);
        let outcome = with_heartbeat(&mut self.journal, self.beat, doing).await?;
        match outcome {
            Ok(None) => Ok(Progress::Acted(action)),
            Ok(Some(event)) => self.note(event).await,
            Err(error) if error.kind() == ErrorKind::Fenced => Err(error),
            Err(error) if self.gives_up(&action, &error) => {
                self.note(Event::Aborted { reason: error.chain() }).await
            }
            Err(error) => Ok(Progress::Failed { action, error: error.chain() }),
        }
    }

    async fn note(&mut self, event: Event) -> Result<Progress> {
        let entry = Entry { at: self.parts.clock.now(), answers: None, event };
        self.record(entry).await
    }

    /// Whether a rollout ends by this error: it says that the same call will fail again, and the
    /// rollout can't go on without. A way back is tried for ever.
    fn gives_up(&self, action: &Action, error: &Error) -> bool {
        let forward = match action {
            Action::Apply(_) | Action::Set(_) | Action::Check(_) => true,
            Action::Score(_) | Action::Remove(..) | Action::Delete(_) => false,
        };
        let open = self.state.rollout.as_ref().is_some_and(|rollout| {
            let phase = &rollout.phase;
            phase.can_abort() && !matches!(phase.word(), "aborting" | "draining" | "stuck")
        });
        let lasting = error.retry() == RetryClass::Never
            && !matches!(error.kind(), ErrorKind::Full | ErrorKind::Cancelled);
        forward && open && lasting
    }
}

async fn perform(parts: &Parts, action: &Action, seen: &Observation) -> Result<Option<Event>> {
    match action {
        Action::Apply(spec) => parts.deployer.apply((**spec).clone()).await.map(|_| None),
        Action::Check(revision) => check(parts, revision, seen).await,
        Action::Score(spec) => Ok(Some(Event::Scored(score(parts, spec).await))),
        Action::Set(spec) => parts.traffic.set((**spec).clone()).await.map(|()| None),
        Action::Remove(endpoint, generation) => {
            parts.traffic.remove(endpoint, *generation).await.map(|()| None)
        }
        Action::Delete(revision) => parts.deployer.delete(revision).await.map(|()| None),
    }
}

async fn check(parts: &Parts, revision: &RevisionRef, seen: &Observation) -> Result<Option<Event>> {
    let status = seen.revisions.as_ref().and_then(|there| there.get(&revision.revision));
    match status {
        Some(status) => parts.preflight.check(status).await.map(|()| Some(Event::Checked)),
        None => Ok(None),
    }
}

/// The same rows may be judged once more after each inconclusive answer, so the level is shared.
async fn score(parts: &Parts, spec: &RolloutSpec) -> Judgement {
    let Some(rule) = spec.shadow.and_then(|shadow| shadow.quality) else {
        let reason = "quality is not judged".to_owned();
        return Judgement { verdict: Verdict::Pass, reason };
    };
    match parts.scores.losses(spec).await {
        Ok(rows) => {
            let looks = spec.inconclusive_limit.saturating_add(1);
            let (verdict, reason) = QualityEvidence::of(&rows).judge(&rule, looks);
            verdict.judgement(reason)
        }
        Err(error) => Judgement { verdict: Verdict::NoData, reason: error.chain() },
    }
}
