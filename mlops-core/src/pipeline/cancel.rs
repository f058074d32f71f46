//! A switch that asks running work to stop.

use std::sync::Arc;

use tokio::sync::watch;

/// Asks everything that holds a clone to stop. It can't be taken back.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancel {
    /// A switch that is off.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Turns it on.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether it is on.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is on. Cancel safe.
    pub async fn cancelled(&self) {
        let mut receiver = self.0.subscribe();
        // The sender lives as long as `self`, so waiting can't fail.
        receiver.wait_for(|on| *on).await.ok();
    }
}
