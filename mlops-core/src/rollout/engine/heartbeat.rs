//! Keeping the lease while something takes its time.

use std::future::Future;
use std::time::Duration;

use super::Controller;
use crate::error::{Result, RetryClass};
use crate::journal::Journal;
use crate::pipeline::Cancel;
use crate::rollout::machine::Entry;

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
                // A store that can't be reached now may be at the next beat; the lease decides.
                Err(error) if error.retry() == RetryClass::Never => return Err(error),
                _ => {}
            }
        }
    }
}

impl Controller {
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
