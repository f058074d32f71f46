//! The hardware of a run, and the variables that steer how floats are summed on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::allow;
use crate::fingerprint::value::Value;

/// Variables that change the order of floating-point sums or of hashing, and with it the last bits.
pub const HARDWARE_VARIABLES: [&str; 6] = [
    "CUBLAS_WORKSPACE_CONFIG",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "RAYON_NUM_THREADS",
];

/// What decides the last bit of a float. Its [`Value`] is the hw section of a run key, in which
/// what is not known is null.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Hardware {
    /// Instruction sets of the processor that code may choose by, such as `avx2`; in any order.
    pub cpu_features: Vec<String>,
    /// The accelerator's model.
    pub gpu: Option<String>,
    /// The accelerator's driver.
    pub driver: Option<String>,
    /// How many threads compute.
    pub threads: Option<u32>,
    /// Variables of [`HARDWARE_VARIABLES`].
    pub variables: BTreeMap<String, String>,
}

impl Hardware {
    /// Sets the instruction sets.
    #[must_use]
    pub fn with_cpu_features<T: Into<String>>(
        mut self,
        features: impl IntoIterator<Item = T>,
    ) -> Self {
        self.cpu_features = features.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the accelerator's model and driver.
    #[must_use]
    pub fn with_gpu(mut self, model: impl Into<String>, driver: impl Into<String>) -> Self {
        self.gpu = Some(model.into());
        self.driver = Some(driver.into());
        self
    }

    /// Sets the number of threads.
    #[must_use]
    pub fn with_threads(mut self, threads: u32) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Takes those of `variables` that [`HARDWARE_VARIABLES`] names.
    #[must_use]
    pub fn with_variables<K, V>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        self.variables.extend(allow(variables, &HARDWARE_VARIABLES));
        self
    }
}

impl From<&Hardware> for Value {
    fn from(hardware: &Hardware) -> Self {
        let mut features = hardware.cpu_features.clone();
        features.sort();
        features.dedup();
        Self::map([
            ("cpu_features", Self::from(features)),
            ("gpu", hardware.gpu.clone().into()),
            ("driver", hardware.driver.clone().into()),
            ("threads", hardware.threads.into()),
            ("variables", hardware.variables.clone().into()),
        ])
    }
}

impl From<Hardware> for Value {
    fn from(hardware: Hardware) -> Self {
        Self::from(&hardware)
    }
}
