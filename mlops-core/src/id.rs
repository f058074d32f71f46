//! Names and ids as types of their own: validated once, where they are made.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};

/// Longest name that any store here has to hold, in bytes.
pub const MAX_NAME_BYTES: usize = 250;

fn check_name(what: &str, text: &str) -> Result<()> {
    let problem = if text.is_empty() {
        "is empty"
    } else if text.len() > MAX_NAME_BYTES {
        "is longer than 250 bytes"
    } else if text.chars().any(char::is_control) {
        "holds a control character"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("{what} {problem}: value={:?}", shorten(text))))
}

fn check_word(what: &str, text: &str) -> Result<()> {
    check_name(what, text)?;
    let allowed = |c: char| c.is_alphanumeric() || "-_. /".contains(c);
    match text.chars().find(|c| !allowed(*c)) {
        Some(c) => Err(Error::invalid(format!(
            "{what} holds {c:?}, allowed are letters, digits, '-', '_', '.', '/' and space: value={text:?}"
        ))),
        None => Ok(()),
    }
}

fn check_segment(what: &str, text: &str) -> Result<()> {
    check_word(what, text)?;
    if text.contains('/') || text.contains(' ') || text.starts_with('.') {
        return Err(Error::invalid(format!(
            "{what} must be one word without '/', ' ' or a leading '.': value={text:?}"
        )));
    }
    Ok(())
}

fn check_alias(what: &str, text: &str) -> Result<()> {
    check_segment(what, text)?;
    if text.chars().all(|c| c.is_ascii_digit()) {
        return Err(Error::invalid(format!(
            "{what} must not look like a version number: value={text:?}"
        )));
    }
    Ok(())
}

fn check_path(what: &str, text: &str) -> Result<()> {
    if text.len() > 4 * MAX_NAME_BYTES {
        return Err(Error::invalid(format!(
            "{what} is longer than 1000 bytes: value={:?}",
            shorten(text)
        )));
    }
    for segment in text.split('/') {
        check_name(what, segment)?;
        if segment == "." || segment == ".." || segment.contains('\\') {
            return Err(Error::invalid(format!(
                "{what} must be relative, without '.', '..' or '\\': value={text:?}"
            )));
        }
    }
    Ok(())
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 80 {
        text.to_owned()
    } else {
        text.chars().take(77).chain("...".chars()).collect()
    }
}

/// Defines a newtype over shared text with a validating constructor.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Validates `text`.
            ///
            /// # Errors
            /// [`InvalidInput`](crate::ErrorKind::InvalidInput) says which rule is broken.
            pub fn new(text: impl AsRef<str>) -> Result<Self> {
                let text = text.as_ref();
                $check($what, text)?;
                Ok(Self(text.into()))
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &*self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_type!(/// Id of an experiment, made by the caller and never reused.
    ExperimentId, "experiment id", check_segment);
text_type!(/// Name of an experiment, unique among all, deleted ones included.
    ExperimentName, "experiment name", check_name);
text_type!(/// Id of a run: 32 hex digits when made by [`Ids`], any one word otherwise.
    RunId, "run id", check_segment);
text_type!(/// Key of a parameter.
    ParamKey, "param key", check_word);
text_type!(/// Key of a metric. Cloning costs a reference count, so it may be kept in a training loop.
    MetricKey, "metric key", check_word);
text_type!(/// Key of a tag.
    TagKey, "tag key", check_name);
text_type!(/// Name of a data set, whose versions are told apart by [`DataVersionId`].
    DatasetName, "data set name", check_name);
text_type!(/// Identity of a data version: the digest of its content.
    DataVersionId, "data version", check_segment_with_colon);
text_type!(/// Id of a model that a run has produced.
    LoggedModelId, "logged model id", check_segment);
text_type!(/// Name of a registered model.
    ModelName, "model name", check_name);
text_type!(/// A movable name of one model version, such as `champion`.
    Alias, "alias", check_alias);
text_type!(/// Name of a pipeline.
    PipelineName, "pipeline name", check_segment);
text_type!(/// Id of one run of a pipeline; running it again with the same id resumes it.
    PipelineRunId, "pipeline run id", check_segment);
text_type!(/// Name of a step, unique in its pipeline.
    StepName, "step name", check_segment);
text_type!(/// Name of a value that flows between steps, unique in its pipeline; also its file name.
    ValueName, "value name", check_segment);
text_type!(/// Name of a stream of a journal: one word, or several joined by `/`.
    StreamName, "stream name", check_path);
text_type!(/// Where an artifact lies: relative, `/` between segments, no `.` or `..`.
    ArtifactPath, "artifact path", check_path);
text_type!(/// Who holds a lease. The same owner may take its own lease over at once.
    LeaseOwner, "lease owner", check_path);
text_type!(/// Makes a repeated write harmless: the second write with the same key changes nothing.
    IdempotencyKey, "idempotency key", check_name);

text_type!(/// Name of an endpoint: the stable address under which revisions of a model answer.
    EndpointName, "endpoint name", check_segment);
text_type!(/// Name of one revision of an endpoint; never used again for another content.
    RevisionName, "revision name", check_segment);
text_type!(/// Where a replica answers: `host:port`.
    Address, "address", check_address);

fn check_address(what: &str, text: &str) -> Result<()> {
    check_name(what, text)?;
    match text.rsplit_once(':') {
        Some((host, port))
            if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) =>
        {
            Ok(())
        }
        _ => Err(Error::invalid(format!("{what} is not host:port: value={text:?}"))),
    }
}

fn check_segment_with_colon(what: &str, text: &str) -> Result<()> {
    check_segment(what, &text.replace(':', "-"))
}

impl ArtifactPath {
    /// This path with `segment` (one or more) appended.
    ///
    /// # Errors
    /// As for [`ArtifactPath::new`].
    pub fn join(&self, segment: &str) -> Result<Self> {
        Self::new(format!("{}/{segment}", self.0))
    }

    /// Whether this path is `prefix` or lies beneath it.
    #[must_use]
    pub fn is_under(&self, prefix: &Self) -> bool {
        self.0.strip_prefix(&*prefix.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl StreamName {
    /// This name with `segment` appended.
    ///
    /// # Errors
    /// As for [`StreamName::new`].
    pub fn join(&self, segment: &str) -> Result<Self> {
        Self::new(format!("{}/{segment}", self.0))
    }
}

/// BLAKE3 of some content; prints as `b3:<64 hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest whose bytes these are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of `content`.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hex digits, without the scheme.
    #[must_use]
    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b3:{}", blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let hex = text.strip_prefix("b3:").unwrap_or(text);
        let hash = blake3::Hash::from_hex(hex).map_err(|source| {
            Error::invalid(format!("not a BLAKE3 digest: value={text:?}")).with_source(source)
        })?;
        Ok(Self(*hash.as_bytes()))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Number of a model's version: 1, 2, 3 … in order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionNumber(pub u32);

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where new ids come from.
pub trait IdSource: Send + Sync + fmt::Debug {
    /// 32 hex digits that no other call has returned.
    fn next_hex(&self) -> String;
}

/// Typed ids from any [`IdSource`].
pub trait Ids: IdSource {
    /// A fresh run id.
    fn run_id(&self) -> RunId {
        RunId(self.next_hex().into())
    }

    /// A fresh experiment id.
    fn experiment_id(&self) -> ExperimentId {
        ExperimentId(self.next_hex().into())
    }

    /// A fresh idempotency key.
    fn idempotency_key(&self) -> IdempotencyKey {
        IdempotencyKey(self.next_hex().into())
    }
}

impl<T: IdSource + ?Sized> Ids for T {}

/// Ids of UUID version 7: ordered by the time they were made, unique across machines.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn next_hex(&self) -> String {
        uuid::Uuid::now_v7().simple().to_string()
    }
}

/// Ids that count up from one: for tests that compare whole outputs.
#[derive(Debug, Default)]
pub struct CountingIds(AtomicU64);

impl IdSource for CountingIds {
    fn next_hex(&self) -> String {
        format!("{:032x}", self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_validated_where_they_are_made() {
        assert!(ExperimentName::new("Flüge 2013").is_ok());
        assert!(ExperimentName::new("").is_err());
        assert!(ExperimentName::new("a\nb").is_err());
        assert!(ExperimentName::new("x".repeat(251)).is_err());
        assert!(MetricKey::new("val/auc").is_ok());
        assert!(MetricKey::new("a\"b").is_err());
        assert!(StepName::new("train model").is_err());
        assert!(Alias::new("12").is_err());
        assert!(Alias::new("champion").is_ok());
        assert!(DataVersionId::new("b3:00ff").is_ok());
    }

    #[test]
    fn artifact_paths_cannot_leave_their_root() {
        for bad in ["", "/etc", "a//b", "..", "a/../b", "./a", "a\\b", "a/\0"] {
            assert!(ArtifactPath::new(bad).is_err(), "{bad:?}");
        }
        let root = ArtifactPath::new("runs/1").unwrap();
        assert!(root.join("model.json").unwrap().is_under(&root));
        assert!(!ArtifactPath::new("runs/12").unwrap().is_under(&root));
    }

    #[test]
    fn digest_prints_with_scheme_and_parses_back() {
        let digest = Digest::of(b"abc");
        assert!(digest.to_string().starts_with("b3:6437b3ac"));
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert!("b3:zz".parse::<Digest>().is_err());
    }

    #[test]
    fn deserialising_a_bad_name_is_an_error() {
        assert!(serde_json::from_str::<RunId>("\"a/b\"").is_err());
        assert_eq!(serde_json::from_str::<RunId>("\"ab\"").unwrap().as_str(), "ab");
    }
}
