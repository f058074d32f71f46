//! A split of traffic, as asked for and as observed, and what was counted while it held.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::id::{Address, EndpointName, RevisionName};
use crate::time::Timestamp;

/// A share of requests in whole percent, 0 to 100.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "u8", into = "u8")]
pub struct Percent(u8);

impl Percent {
    /// No request.
    pub const NONE: Self = Self(0);
    /// Every request.
    pub const ALL: Self = Self(100);

    /// Validates a number.
    ///
    /// # Errors
    /// `InvalidInput` above 100.
    pub fn new(percent: u8) -> Result<Self> {
        match percent {
            0..=100 => Ok(Self(percent)),
            _ => Err(Error::invalid(format!("a share of traffic is 0 to 100: given={percent}"))),
        }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }

    /// What is left to 100.
    #[must_use]
    pub fn rest(self) -> Self {
        Self(100 - self.0)
    }
}

impl TryFrom<u8> for Percent {
    type Error = Error;
    fn try_from(percent: u8) -> Result<Self> {
        Self::new(percent)
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// Shares of an endpoint's requests by revision: they sum to 100.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<RevisionName, Percent>", into = "BTreeMap<RevisionName, Percent>")]
pub struct Split(BTreeMap<RevisionName, Percent>);

impl Split {
    /// Validates shares.
    ///
    /// # Errors
    /// `InvalidInput` when they do not sum to 100.
    pub fn new(shares: impl IntoIterator<Item = (RevisionName, Percent)>) -> Result<Self> {
        let mut total = 0_u32;
        let mut split = BTreeMap::new();
        for (revision, percent) in shares {
            total += u32::from(percent.get());
            if split.insert(revision.clone(), percent).is_some() {
                return Err(Error::invalid(format!(
                    "a revision stands twice: revision={revision}"
                )));
            }
        }
        match total {
            100 => Ok(Self(split)),
            _ => Err(Error::invalid(format!("the shares must sum to 100: sum={total}"))),
        }
    }

    /// Everything to one revision.
    #[must_use]
    pub fn all_to(revision: RevisionName) -> Self {
        Self(BTreeMap::from([(revision, Percent::ALL)]))
    }

    /// `percent` to `canary`, the rest to `stable`.
    ///
    /// # Errors
    /// `InvalidInput` when both are the same revision.
    pub fn between(stable: RevisionName, canary: RevisionName, percent: Percent) -> Result<Self> {
        Self::new([(stable, percent.rest()), (canary, percent)])
    }

    /// The share of a revision; none for one that is not there.
    #[must_use]
    pub fn share(&self, revision: &RevisionName) -> Percent {
        self.0.get(revision).copied().unwrap_or_default()
    }

    /// The revisions with a share above 0, each with it.
    pub fn iter(&self) -> impl Iterator<Item = (&RevisionName, Percent)> {
        self.0
            .iter()
            .map(|(name, share)| (name, *share))
            .filter(|(_, share)| *share > Percent::NONE)
    }
}

impl TryFrom<BTreeMap<RevisionName, Percent>> for Split {
    type Error = Error;
    fn try_from(shares: BTreeMap<RevisionName, Percent>) -> Result<Self> {
        Self::new(shares)
    }
}

impl From<Split> for BTreeMap<RevisionName, Percent> {
    fn from(split: Split) -> Self {
        split.0
    }
}

/// Which asking this is. A controller takes the sequence number of the journal entry in which it
/// wrote down what it was about to ask for, so that its successor's are higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation(pub u64);

/// A revision that can be sent requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Where its replicas answer.
    pub addresses: Vec<Address>,
}

/// Copies of requests, sent to a revision whose answers nobody sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirror {
    /// To whom.
    pub revision: RevisionName,
    /// The share of requests that are copied.
    pub percent: Percent,
}

/// Requests with the same value of this header go to the same revision while the split holds, and
/// as few as possible move when it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stickiness {
    /// The header's name, in lower case.
    pub header: String,
}

/// What is asked of the data plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrafficSpec {
    /// For which endpoint.
    pub endpoint: EndpointName,
    /// Which asking this is.
    pub generation: Generation,
    /// The shares.
    pub split: Split,
    /// The copies, where there are any.
    pub mirror: Option<Mirror>,
    /// Which requests stay together.
    pub sticky: Option<Stickiness>,
    /// Where each revision with a share or a mirror answers.
    pub backends: BTreeMap<RevisionName, Backend>,
}

impl TrafficSpec {
    /// This split, without mirror or stickiness.
    ///
    /// # Errors
    /// `InvalidInput` when a revision with a share has no backend, or one without addresses.
    pub fn new(
        endpoint: EndpointName,
        generation: Generation,
        split: Split,
        backends: BTreeMap<RevisionName, Backend>,
    ) -> Result<Self> {
        Self { endpoint, generation, split, mirror: None, sticky: None, backends }.checked()
    }

    /// This spec, if it holds together: for one that was read from elsewhere.
    ///
    /// # Errors
    /// `InvalidInput` when a revision with a share or copies has no backend, or one without addresses.
    pub fn checked(self) -> Result<Self> {
        self.split.iter().try_for_each(|(revision, _)| self.check_backend(revision))?;
        self.mirror.iter().try_for_each(|mirror| self.check_backend(&mirror.revision))?;
        Ok(self)
    }

    /// Copies requests as well.
    ///
    /// # Errors
    /// `InvalidInput` when the revision has no backend.
    pub fn with_mirror(self, mirror: Mirror) -> Result<Self> {
        Self { mirror: Some(mirror), ..self }.checked()
    }

    /// Keeps requests with the same value of a header together.
    #[must_use]
    pub fn with_stickiness(self, sticky: Stickiness) -> Self {
        Self { sticky: Some(sticky), ..self }
    }

    fn check_backend(&self, revision: &RevisionName) -> Result<()> {
        match self.backends.get(revision) {
            Some(backend) if !backend.addresses.is_empty() => Ok(()),
            _ => Err(Error::invalid(format!("no address for a revision: revision={revision}"))),
        }
    }
}

/// Whether a set has to be carried out, given the last one and the generation at which the endpoint
/// was removed, if it was: not when it is the very same.
///
/// # Errors
/// `Fenced` for an older generation, `Conflict` for the same one with another spec.
pub fn check_generation(
    last: Option<&TrafficSpec>,
    removed: Option<Generation>,
    next: &TrafficSpec,
) -> Result<bool> {
    if last == Some(next) {
        return Ok(false);
    }
    let current = last.map(|last| last.generation).max(removed);
    check_newer(&next.endpoint, current, next.generation).map(|()| true)
}

/// Whether a removal has to be carried out, by the same rules as [`check_generation`].
///
/// # Errors
/// `Fenced` for an older generation, `Conflict` for one that a set has used.
pub fn check_removal(
    endpoint: &EndpointName,
    last: Option<&TrafficSpec>,
    removed: Option<Generation>,
    next: Generation,
) -> Result<bool> {
    if last.is_none() && removed == Some(next) {
        return Ok(false);
    }
    let current = last.map(|last| last.generation).max(removed);
    check_newer(endpoint, current, next).map(|()| true)
}

fn check_newer(
    endpoint: &EndpointName,
    current: Option<Generation>,
    given: Generation,
) -> Result<()> {
    let Some(current) = current else { return Ok(()) };
    let words = format!("endpoint={endpoint} given={} current={}", given.0, current.0);
    match given.cmp(&current) {
        std::cmp::Ordering::Greater => Ok(()),
        std::cmp::Ordering::Equal => Err(Error::new(
            ErrorKind::Conflict,
            format!("the generation was used for something else: {words}"),
        )),
        std::cmp::Ordering::Less => {
            Err(Error::new(ErrorKind::Fenced, format!("a newer split was asked for: {words}")))
        }
    }
}

/// The split in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedTraffic {
    /// The generation that is wholly in effect.
    pub generation: Generation,
    /// Its shares.
    pub split: Split,
    /// Its copies.
    pub mirror: Option<Mirror>,
    /// Requests that each revision is working on, those of earlier generations and copies included.
    pub in_flight: BTreeMap<RevisionName, u64>,
}

/// What a data plane can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrafficCapabilities {
    /// The smallest share above 0 that it can keep.
    pub smallest_step: Percent,
    /// Whether it can copy requests.
    pub mirror: Support,
    /// Whether it can keep requests together.
    pub sticky: Support,
}

impl TrafficCapabilities {
    /// Steps of one percent, and nothing else.
    #[must_use]
    pub fn weights_only() -> Self {
        Self { smallest_step: Percent(1), mirror: Support::No, sticky: Support::No }
    }

    /// Steps of one percent, copies and stickiness.
    #[must_use]
    pub fn full() -> Self {
        Self { mirror: Support::Yes, sticky: Support::Yes, ..Self::weights_only() }
    }
}

/// Whether something is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It is.
    Yes,
    /// It is not: asking for it is `Unsupported`.
    No,
}

/// What was counted of one revision: what clients asked of it, and what was copied to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionCounts {
    /// Requests whose answers went to clients.
    pub served: ServiceCounts,
    /// Copies, whose answers went nowhere.
    pub copies: ServiceCounts,
}

/// What was counted since some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceCounts {
    /// Since when; counts with another start can't be subtracted.
    pub since: Timestamp,
    /// Requests that ended, well or not.
    pub requests: u64,
    /// Those that failed: a status of 500 or above, a broken connection, no answer in time.
    pub errors: u64,
    /// Those that took longer than the bound, failed or not.
    pub slow: u64,
    /// The bound.
    pub latency_bound: Duration,
    /// When the last of them ended.
    pub last: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RevisionName {
        RevisionName::new(text).unwrap()
    }

    fn shares(shares: &[(&str, u8)]) -> Result<Split> {
        let shares = shares.iter().map(|(text, share)| Ok((name(text), Percent::new(*share)?)));
        Split::new(shares.collect::<Result<Vec<_>>>()?)
    }

    #[test]
    fn shares_sum_to_100_and_name_no_revision_twice() {
        assert!(shares(&[("a", 90), ("b", 10)]).is_ok());
        for (wrong, said) in [
            (&[][..], "sum=0"),
            (&[("a", 90), ("b", 9)], "sum=99"),
            (&[("a", 90), ("b", 11)], "sum=101"),
            (&[("a", 50), ("a", 50)], "twice"),
            (&[("a", 101)], "given=101"),
        ] {
            let error = shares(wrong).unwrap_err().to_string();
            assert!(error.contains(said), "{wrong:?}: {error}");
        }
        assert!(serde_json::from_str::<Split>(r#"{"a": 60, "b": 60}"#).is_err());
    }

    #[test]
    fn a_share_needs_an_address() {
        let spec = |addresses: &[&str]| {
            let addresses = addresses.iter().map(|text| Address::new(text).unwrap()).collect();
            let backends = BTreeMap::from([(name("a"), Backend { addresses })]);
            let endpoint = EndpointName::new("e").unwrap();
            TrafficSpec::new(endpoint, Generation(1), Split::all_to(name("a")), backends)
        };
        let spec_with_place = spec(&["127.0.0.1:1"]).unwrap();
        assert!(spec(&[]).unwrap_err().to_string().contains("revision=a"));
        let mirror = Mirror { revision: name("b"), percent: Percent::ALL };
        assert!(spec_with_place.with_mirror(mirror).is_err());
        for wrong in ["127.0.0.1", ":80", "host:0", "host:port"] {
            assert!(Address::new(wrong).is_err(), "{wrong}");
        }
    }
}
