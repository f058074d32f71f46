//! What the endpoint has answered: written down stretch by stretch, and counted by revision.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use mlops_core::deploy::{RevisionCounts, ServiceCounts, ServiceMetrics};
use mlops_core::id::{EndpointName, RevisionName, StreamName};
use mlops_core::journal::{Journal, JournalStore};
use serde::{Deserialize, Serialize};

use super::LEASE;
use super::client::{Question, Reply};
use crate::demo::calendar::{HOUR, MARCH, moment};
use crate::demo::model::flights::Flights;
use crate::demo::session::{Session, owner};

/// Requests that take longer are slow.
const BOUND: Duration = Duration::from_millis(200);

/// A stretch of answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Chunk {
    to: i64,
    /// Of each flight, in their order.
    scores: Vec<f64>,
    requests: BTreeMap<RevisionName, Tally>,
    /// How long each request took.
    micros: Vec<u32>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Tally {
    sent: u64,
    failed: u64,
    slow: u64,
}

impl Chunk {
    pub(super) fn new(
        flights: &Flights,
        (from, to): (i64, i64),
        questions: &[Question],
        replies: Vec<Reply>,
    ) -> Result<Self> {
        let mut scores = vec![f64::NAN; flights.rows_between(from, to).len()];
        let mut requests: BTreeMap<RevisionName, Tally> = BTreeMap::new();
        let mut micros = Vec::with_capacity(replies.len());
        let (mut hour, mut offset) = (from, 0);
        for (question, reply) in questions.iter().zip(replies) {
            while hour < question.hour {
                offset += flights.rows_between(hour, hour + HOUR).len();
                hour += HOUR;
            }
            for (row, score) in question.rows.iter().zip(reply.scores) {
                *scores.get_mut(offset + row).context("a score of no flight")? = score;
            }
            for (revision, failed) in reply.failed {
                let tally = requests.entry(revision).or_default();
                tally.sent += failed;
                tally.failed += failed;
            }
            let tally = requests.entry(reply.revision).or_default();
            // Nobody says where the lost ones went: they stay with who answered in the end.
            tally.sent += reply.lost + 1;
            tally.failed += reply.lost;
            tally.slow += u64::from(reply.took > BOUND);
            micros.push(u32::try_from(reply.took.as_micros()).unwrap_or(u32::MAX));
        }
        Ok(Self { to, scores, requests, micros })
    }
}

/// Everything that was answered so far.
pub(crate) struct Answers {
    journal: Journal<Chunk>,
    chunks: Vec<Chunk>,
    scores: Vec<f64>,
}

impl Answers {
    pub(super) async fn open(session: &Session) -> Result<Self> {
        let (journal, chunks) =
            Journal::open(session.store.meta(), stream(&session.name)?, &owner()?, LEASE).await?;
        let scores = chunks.iter().flat_map(|chunk: &Chunk| chunk.scores.clone()).collect();
        Ok(Self { journal, chunks, scores })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Up to when, in seconds since 1970.
    pub(super) fn to(&self) -> i64 {
        self.chunks.last().map_or(MARCH, |chunk| chunk.to)
    }

    pub(super) fn scores(&self) -> &[f64] {
        &self.scores
    }

    pub(super) async fn record(&mut self, chunk: Chunk) -> Result<()> {
        self.journal.renew().await?;
        self.journal.record(&chunk).await?;
        self.scores.extend(&chunk.scores);
        self.chunks.push(chunk);
        Ok(())
    }

    pub(super) async fn close(self) -> Result<()> {
        Ok(self.journal.close().await?)
    }
}

/// What was asked in a lifecycle, and how quickly it was answered; nothing for one that served nothing.
pub(crate) async fn requests(journal: &dyn JournalStore, lifecycle: &str) -> Result<Requests> {
    let history = Journal::<Chunk>::history(journal, &stream(lifecycle)?).await?;
    let mut all = Requests::default();
    let mut micros = Vec::new();
    for (_, chunk) in history {
        for tally in chunk.requests.values() {
            all.sent += tally.sent;
            all.failed += tally.failed;
        }
        micros.extend(chunk.micros);
    }
    micros.sort_unstable();
    // The smallest value that at least 95 % do not exceed.
    let rank = (micros.len() * 95).div_ceil(100);
    all.p95_seconds = rank.checked_sub(1).map(|rank| f64::from(micros[rank]) / 1e6);
    Ok(all)
}

/// What was asked of the endpoint.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Requests {
    pub(crate) sent: u64,
    pub(crate) failed: u64,
    pub(crate) p95_seconds: Option<f64>,
}

fn stream(lifecycle: &str) -> Result<StreamName> {
    Ok(StreamName::new(format!("answers/{lifecycle}"))?)
}

/// The counts that a rollout is judged by: those of the clients, who have written them down.
#[derive(Debug)]
pub(super) struct Answered(Mutex<BTreeMap<RevisionName, RevisionCounts>>);

impl Answered {
    pub(super) fn new(answers: &Answers) -> Self {
        let counts = Self(Mutex::default());
        answers.chunks.iter().for_each(|chunk| counts.add(chunk));
        counts
    }

    pub(super) fn add(&self, chunk: &Chunk) {
        let none = || ServiceCounts {
            since: moment(MARCH),
            requests: 0,
            errors: 0,
            slow: 0,
            latency_bound: BOUND,
            last: None,
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (revision, tally) in &chunk.requests {
            let held = counts.entry(revision.clone());
            let held = held.or_insert_with(|| RevisionCounts { served: none(), copies: none() });
            held.served.requests += tally.sent;
            held.served.errors += tally.failed;
            held.served.slow += tally.slow;
            held.served.last = Some(moment(chunk.to));
        }
    }
}

#[async_trait]
impl ServiceMetrics for Answered {
    async fn counts(
        &self,
        _: &EndpointName,
    ) -> mlops_core::Result<BTreeMap<RevisionName, RevisionCounts>> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
