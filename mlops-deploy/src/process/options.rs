//! How a process deployer works.

use std::collections::BTreeMap;
use std::sync::Arc;

use mlops_core::time::{Clock, SystemClock};

/// How a [`ProcessDeployer`](super::ProcessDeployer) works.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProcessOptions {
    /// What every process sees of the environment; `PATH` belongs here.
    pub environment: BTreeMap<String, String>,
    /// How many bytes of each replica's output are kept, roughly.
    pub log_bytes: u64,
    /// Where "now" comes from.
    pub clock: Arc<dyn Clock>,
}

impl Default for ProcessOptions {
    /// No environment but a usual `PATH`, 16 MiB of output.
    fn default() -> Self {
        let path = ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned());
        let environment = BTreeMap::from([path]);
        Self { environment, log_bytes: 16 << 20, clock: Arc::new(SystemClock) }
    }
}

impl ProcessOptions {
    /// Sets what every process sees of the environment.
    #[must_use]
    pub fn with_environment(self, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { environment: environment.into_iter().collect(), ..self }
    }

    /// Sets how many bytes of each replica's output are kept.
    #[must_use]
    pub fn with_log_bytes(self, log_bytes: u64) -> Self {
        Self { log_bytes, ..self }
    }

    /// Sets where "now" comes from.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }
}
