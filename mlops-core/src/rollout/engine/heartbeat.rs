//! Keeping the lease while something takes its time.

use std::future::Future;
use std::time::Duration;

use super::Controller;
use crate::error::{Error, ErrorKind, Result, RetryClass};
use crate::journal::Journal;
use crate::pipeline::Cancel;
use crate::rollout::machine::Entry;

/// Whether a controller may outlast an error of the journal: a store that can't be reached now, or a disk
/// that is full, may be well again at the next beat, and until then the lease decides. It does not
/// outlast a newer controller, nor what the same journal and the same words would lead to again.
pub(super) fn may_heal(error: &Error) -> bool {
    let lasting = matches!(
        error.kind(),
        ErrorKind::Fenced
            | ErrorKind::Corrupt
            | ErrorKind::Internal
            | ErrorKind::Conflict
            | ErrorKind::InvalidInput
            | ErrorKind::Unsupported
    );
    error.retry() != RetryClass::Never || !lasting
}

/// Awaits `call`, and renews the lease each `beat` meanwhile.
///
/// # Errors
/// `Fenced` once another controller holds the lease: `call` is dropped at once.
pub(super) async fn with_heartbeat<T>(
    journal: &mut Journal<Entry>,
    beat: Duration,
    call: impl Future<Output = T>,
) -> Result<T> {
    let mut call = std::pin::pin!(call);
    loop {
        tokio::select! {
            biased;
            value = &mut call => return Ok(value),
            () = tokio::time::sleep(beat) => match journal.renew().await {
                Err(error) if !may_heal(&error) => return Err(error),
                _ => {}
            }
        }
    }
}

impl Controller {
    /// Renews the lease when a beat has passed since that was done last.
    pub(super) async fn keep_lease(&mut self) -> Result<()> {
        let (now, next) = (self.parts.clock.now(), self.renewed.saturating_add(self.beat));
        match self.renewed <= now && now < next {
            true => Ok(()),
            false => self.renew_lease().await,
        }
    }

    /// Renews the lease now: whoever is about to act is sure to hold it.
    pub(super) async fn renew_lease(&mut self) -> Result<()> {
        let now = self.parts.clock.now();
        self.journal.renew().await?;
        self.renewed = now;
        Ok(())
    }

    /// Rests for `interval`, or until `cancel` is on.
    pub(super) async fn rest(&mut self, cancel: &Cancel, interval: Duration) -> Result<()> {
        let pause = async {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = tokio::time::sleep(interval) => {}
            }
        };
        with_heartbeat(&mut self.journal, self.beat, pause).await
    }
}
