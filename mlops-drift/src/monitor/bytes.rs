//! What a monitor has counted, carried from one machine to another.

use super::{DriftMonitor, lock};
use crate::artefact::{Fingerprint, check_room, counts_from_bytes, counts_to_bytes};
use crate::error::Result;

impl DriftMonitor {
    /// What has been published so far as bytes, for [`DriftMonitor::merge_bytes`] on any machine: versioned,
    /// with a checksum and the fingerprint of the reference, and without a row of the data. The same rows give
    /// the same bytes, however they were split and in whatever order they came.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mlops_drift::arrow::array::{ArrayRef, Float64Array, RecordBatch};
    /// use mlops_drift::{DriftMonitor, FitOptions, MonitorOptions, Reference};
    ///
    /// let speeds: ArrayRef = Arc::new(Float64Array::from(vec![9.5, 12.0, 11.0]));
    /// let batch = RecordBatch::try_from_iter([("speed", speeds)])?;
    /// let reference = Reference::fit([&batch], &FitOptions::default())?;
    /// let file = reference.to_bytes()?;
    /// let machine = || {
    ///     let reference = Arc::new(Reference::from_bytes(&file)?);
    ///     DriftMonitor::new(reference, MonitorOptions::default())
    /// };
    ///
    /// let (here, there) = (machine()?, machine()?);
    /// there.observe(&batch)?;
    /// here.merge_bytes(&there.state_bytes()?)?;
    /// assert_eq!(here.report(), there.report());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Reference::to_bytes`](crate::Reference::to_bytes), for the state as for its reference.
    pub fn state_bytes(&self) -> Result<Vec<u8>> {
        let fingerprint = self.fingerprint()?;
        let state = lock(&self.published).clone();
        counts_to_bytes(&state, fingerprint)
    }

    /// Adds what another monitor has published, by its [`DriftMonitor::state_bytes`].
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for what was counted against another reference, naming
    /// both fingerprints, for something else than counts, or for those of a newer version;
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for bytes that are cut off, altered or made up;
    /// [`TooLarge`](crate::ErrorKind::TooLarge) for more than 2^46 rows. Nothing is then added.
    pub fn merge_bytes(&self, bytes: &[u8]) -> Result<()> {
        let theirs = counts_from_bytes(bytes, &self.reference, self.fingerprint()?)?;
        let mut own = lock(&self.published);
        check_room(&own, &theirs)?;
        own.merge(&theirs);
        Ok(())
    }

    /// Computed once.
    fn fingerprint(&self) -> Result<Fingerprint> {
        if let Some(known) = self.fingerprint.get() {
            return Ok(*known);
        }
        let fingerprint = self.reference.fingerprint()?;
        Ok(*self.fingerprint.get_or_init(|| fingerprint))
    }
}
