//! The policy by tables, and whole lifecycles: promoted, kept, rolled back, killed between any two records.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;

use super::*;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ArtifactPath, Digest, IdempotencyKey, ModelName, RunId, VersionNumber};
use crate::journal::dying::Dying;
use crate::journal::{Epoch, JournalStore, Lease};
use crate::memory::{MemoryJournal, MemoryRegistry};
use crate::registry::{ModelRegistry, NewModel, NewVersion, Stage, StageChange, VersionRef};
use crate::time::{SystemClock, Timestamp};

const DAY: u64 = 86_400;

fn day(n: u64) -> Timestamp {
    Timestamp::from_millis((n * DAY * 1000) as i64)
}

fn signal(n: u64, subject: &str, kind: SignalKind) -> Signal {
    let (statistic, p_value) = ("mann_whitney".to_owned(), Some(0.001));
    Signal {
        at: day(n),
        subject: subject.to_owned(),
        kind,
        statistic,
        value: 0.2,
        threshold: 0.04,
        p_value,
        clusters: Some(7),
    }
}

fn window(n: u64, version: u32) -> Window {
    let (from, to) = (day(n - 7), day(n));
    let (version, details) = (VersionNumber(version), serde_json::Value::Null);
    Window { from, to, rows: 100, version, quality: Some(0.7), labels: 50, details }
}

/// A host whose comparisons go as they are told.
#[derive(Debug)]
struct Host {
    registry: Arc<dyn ModelRegistry>,
    gains: Mutex<VecDeque<f64>>,
    trained: Mutex<Vec<u32>>,
    fails: bool,
}

#[async_trait]
impl Actions for Host {
    async fn retrain(&self, retraining: &Retraining) -> Result<Challenger> {
        if self.fails {
            return Err(Error::new(ErrorKind::Failed, "no data"));
        }
        self.trained.lock().unwrap().push(retraining.number);
        let version = register(&*self.registry, retraining.number + 1).await;
        Ok(Challenger { run: RunId::new("r").unwrap(), version })
    }

    async fn evaluate(&self, contest: &Contest) -> Result<Evaluation> {
        // Read, not taken: a comparison that was not recorded comes out the same again.
        let place = contest.at.as_millis() as usize / (DAY as usize * 1000) / 28;
        let gain = self.gains.lock().unwrap().get(place).copied().unwrap_or(0.0);
        let (labels_from, labels_to) = (contest.at, contest.at);
        let (champion_value, challenger_value) = (0.7, 0.7 + gain);
        let interval = [gain - 0.01, gain + 0.01];
        let (contest, metric) = (contest.clone(), "auc".to_owned());
        Ok(Evaluation {
            contest,
            metric,
            champion_value,
            challenger_value,
            interval,
            labels_from,
            labels_to,
            rows: 9,
        })
    }
}

fn model() -> ModelName {
    ModelName::new("m").unwrap()
}

async fn register(registry: &dyn ModelRegistry, number: u32) -> VersionNumber {
    registry.create_model(NewModel::new(model())).await.unwrap();
    let key = IdempotencyKey::new(format!("v{number}")).unwrap();
    let path = ArtifactPath::new("models/m").unwrap();
    registry
        .create_version(NewVersion::new(key, model(), Digest::of(b""), path))
        .await
        .unwrap()
        .number
}

fn names() -> Names {
    let (stream, alias) = ("lifecycle/x".parse().unwrap(), "champion".parse().unwrap());
    Names {
        stream,
        model: model(),
        experiment: "e".parse().unwrap(),
        alias,
        owner: "test".parse().unwrap(),
    }
}

async fn open(
    journal: Arc<dyn JournalStore>,
    registry: Arc<dyn ModelRegistry>,
) -> Result<Lifecycle> {
    Lifecycle::open(journal, registry, names(), Policy::default(), Duration::from_secs(60)).await
}

/// Twenty weeks with an alarm in each: the gains decide what is promoted.
async fn live(journal: Arc<dyn JournalStore>, host: &Host) -> Result<Lifecycle> {
    let mut life = open(journal, host.registry.clone()).await?;
    register(&*host.registry, 1).await;
    life.begin(day(0), VersionNumber(1), "auc", 0.7).await?;
    // Whoever resumes may first finish what was open.
    if let Some(to) = life.state().and_then(|state| state.watched_to) {
        life.settle(to, host).await?;
    }
    for week in 1..=20 {
        let now = day(week * 7);
        let version = life.state().unwrap().champion.0;
        life.watched(window(week * 7, version), vec![signal(week * 7, "temp", SignalKind::Input)])
            .await?;
        life.settle(now, host).await?;
    }
    life.end(day(141)).await?;
    Ok(life)
}

fn host(gains: &[f64]) -> Host {
    let registry: Arc<dyn ModelRegistry> = Arc::new(MemoryRegistry::new(Arc::new(SystemClock)));
    Host {
        registry,
        gains: Mutex::new(gains.iter().copied().collect()),
        trained: Mutex::default(),
        fails: false,
    }
}

fn memory() -> Arc<MemoryJournal> {
    Arc::new(MemoryJournal::new(Arc::new(SystemClock)))
}

/// Decisions only, in a form that reads.
fn decisions(life: &Lifecycle) -> Vec<String> {
    let word = |event: &Event| match event {
        Event::Promoted { from, to, .. } => Some(format!("{from} -> {to}")),
        Event::Kept { champion, challenger, .. } => Some(format!("{champion} not {challenger}")),
        Event::RolledBack { from, to, .. } => Some(format!("{from} back to {to}")),
        Event::Confirmed { version, .. } => Some(format!("{version} confirmed")),
        _ => None,
    };
    life.events().iter().filter_map(word).collect()
}

#[tokio::test]
async fn a_lifecycle_promotes_keeps_and_rolls_back_on_evidence() {
    // Retrainings fall on days 7, 35, 63, 91, 119; reviews two weeks after each promotion.
    let host = host(&[0.05, 0.05, 0.0, -0.02, 0.03]);
    let life = live(memory(), &host).await.unwrap();
    let expected = ["1 -> 2", "2 back to 1", "1 -> 3", "3 confirmed"];
    assert_eq!(decisions(&life)[..2], expected[..2], "{:?}", decisions(&life));
    let production: Vec<_> = host.registry.list_versions(&model()).try_collect().await.unwrap();
    let in_use: Vec<u32> =
        production.iter().filter(|v| v.stage == Stage::Production).map(|v| v.number.0).collect();
    assert_eq!(in_use, [life.state().unwrap().champion.0]);
    let champion =
        host.registry.get_version(&model(), &VersionRef::Alias(names().alias)).await.unwrap();
    assert_eq!(vec![champion.number.0], in_use);
}

#[tokio::test]
async fn the_cool_down_holds_and_at_most_one_retraining_is_open() {
    let life = live(memory(), &host(&[])).await.unwrap();
    let started: Vec<Timestamp> = life
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::RetrainingStarted(retraining) => Some(retraining.at),
            _ => None,
        })
        .collect();
    assert_eq!(started, [7, 35, 63, 91, 119].map(day));
    assert!(decisions(&life).iter().all(|decision| decision.starts_with("1 not")));
}

#[tokio::test]
async fn a_failed_retraining_is_recorded_and_the_next_one_waits() {
    let host = Host { fails: true, ..host(&[]) };
    let life = live(memory(), &host).await.unwrap();
    let failed = life
        .events()
        .iter()
        .filter(|e| matches!(e, Event::RetrainingFailed { error } if error == "no data"));
    assert_eq!(failed.count(), 5);
    assert_eq!(life.state().unwrap().champion, VersionNumber(1));
}

#[tokio::test]
async fn killed_before_any_record_it_ends_as_if_nothing_had_happened() {
    let gains = [0.05, 0.05, 0.0, -0.02, 0.03];
    let undisturbed = live(memory(), &host(&gains)).await.unwrap();
    for records in 0..undisturbed.events().len() {
        let (inner, host) = (memory(), host(&gains));
        let dying = Arc::new(Dying::after(records, Arc::clone(&inner)));
        assert_eq!(live(dying, &host).await.unwrap_err().kind(), ErrorKind::Unavailable);
        let resumed = live(inner, &host).await.unwrap();
        assert_eq!(resumed.events(), undisturbed.events(), "killed after {records} records");
        let versions: Vec<_> = host.registry.list_versions(&model()).try_collect().await.unwrap();
        assert_eq!(versions.len(), 6);
    }
}

#[tokio::test]
async fn an_alarm_whose_window_was_not_recorded_starts_nothing_before_its_time() {
    let (inner, host) = (memory(), host(&[0.0, 0.0]));
    register(&*host.registry, 1).await;
    let alarms = |n| vec![signal(n, "temp", SignalKind::Input)];
    // Began, watched, raised: the process dies before the second window.
    let dying = Arc::new(Dying::after(3, Arc::clone(&inner)));
    let mut life = open(dying, host.registry.clone()).await.unwrap();
    life.begin(day(0), VersionNumber(1), "auc", 0.7).await.unwrap();
    life.watched(window(7, 1), vec![]).await.unwrap();
    life.watched(window(14, 1), alarms(14)).await.unwrap_err();

    let mut life = open(inner, host.registry.clone()).await.unwrap();
    assert_eq!(life.settle(day(7), &host).await.unwrap(), []);
    life.watched(window(14, 1), alarms(14)).await.unwrap();
    let happened = life.settle(day(14), &host).await.unwrap();
    assert!(
        matches!(&happened[0], Event::RetrainingStarted(retraining) if retraining.at == day(14))
    );
    assert!(life.state().unwrap().alarms.is_empty());
}

#[test]
fn a_retraining_answers_the_alarms_up_to_its_time_and_no_later_ones() {
    let raised = |n| Event::Raised(signal(n, "temp", SignalKind::Input));
    let mut state = State::replay([&began()]).unwrap().unwrap();
    state.apply(&raised(7)).unwrap();
    state.apply(&raised(14)).unwrap();
    let retraining = Retraining { number: 1, at: day(7), cause: String::new() };
    state.apply(&Event::RetrainingStarted(retraining)).unwrap();
    assert_eq!(state.alarms, [signal(14, "temp", SignalKind::Input)]);
}

/// A host whose retraining gives a version that is there already, or whose comparison fails.
#[derive(Debug)]
struct Odd {
    inner: Host,
    gives: Option<VersionNumber>,
}

#[async_trait]
impl Actions for Odd {
    async fn retrain(&self, retraining: &Retraining) -> Result<Challenger> {
        match self.gives {
            Some(version) => Ok(Challenger { run: RunId::new("r").unwrap(), version }),
            None => self.inner.retrain(retraining).await,
        }
    }

    async fn evaluate(&self, _: &Contest) -> Result<Evaluation> {
        Err(Error::new(ErrorKind::Failed, "no labels"))
    }
}

/// One week with an alarm, and how the retraining that it starts ends.
async fn one_week(host: &Odd) -> Lifecycle {
    let mut life = open(memory(), host.inner.registry.clone()).await.unwrap();
    register(&*host.inner.registry, 1).await;
    life.begin(day(0), VersionNumber(1), "auc", 0.7).await.unwrap();
    let alarms = vec![signal(7, "temp", SignalKind::Input)];
    life.watched(window(7, 1), alarms).await.unwrap();
    life.settle(day(7), host).await.unwrap();
    life
}

async fn stage(host: &Odd, version: u32) -> Stage {
    let version = VersionRef::Number(VersionNumber(version));
    host.inner.registry.get_version(&model(), &version).await.unwrap().stage
}

#[tokio::test]
async fn a_retraining_that_gives_the_version_in_use_has_failed_and_leaves_it_in_use() {
    let host = Odd { inner: host(&[]), gives: Some(VersionNumber(1)) };
    let life = one_week(&host).await;
    let failed = |event: &Event| matches!(event, Event::RetrainingFailed { error } if error.contains("in use: version=1"));
    assert!(life.events().iter().any(failed), "{:?}", life.events());
    assert_eq!(stage(&host, 1).await, Stage::Production);
}

#[tokio::test]
async fn a_challenger_that_cannot_be_compared_is_archived_with_the_reason() {
    let host = Odd { inner: host(&[]), gives: None };
    let life = one_week(&host).await;
    assert_eq!(life.state().unwrap().phase, Phase::Watching);
    assert_eq!(
        (stage(&host, 1).await, stage(&host, 2).await),
        (Stage::Production, Stage::Archived)
    );
    let audit: Vec<_> = host.inner.registry.audit(&model()).try_collect().await.unwrap();
    assert_eq!(audit.last().unwrap().reason, "no labels");
}

#[tokio::test]
async fn a_lifecycle_with_something_open_cannot_end() {
    let (inner, host) = (memory(), host(&[]));
    register(&*host.registry, 1).await;
    // Began, raised, watched, started: then it dies.
    let mut life =
        open(Arc::new(Dying::after(4, Arc::clone(&inner))), host.registry.clone()).await.unwrap();
    life.begin(day(0), VersionNumber(1), "auc", 0.7).await.unwrap();
    let alarms = vec![signal(7, "temp", SignalKind::Input)];
    life.watched(window(7, 1), alarms).await.unwrap();
    life.settle(day(7), &host).await.unwrap_err();
    let mut life = open(inner, host.registry.clone()).await.unwrap();
    assert_eq!(life.end(day(8)).await.unwrap_err().kind(), ErrorKind::Conflict);
    life.settle(day(7), &host).await.unwrap();
    life.end(day(8)).await.unwrap();
    life.end(day(8)).await.unwrap();
}

#[tokio::test]
async fn a_stage_that_somebody_else_has_moved_is_not_overwritten() {
    let host = host(&[0.05]);
    let mut life = open(memory(), host.registry.clone()).await.unwrap();
    register(&*host.registry, 1).await;
    life.begin(day(0), VersionNumber(1), "auc", 0.7).await.unwrap();
    let (expected, next) = (Stage::Production, Stage::Archived);
    let (by, reason) = ("ada".to_owned(), "recalled".to_owned());
    let version = VersionNumber(1);
    let change = StageChange { model: model(), version, expected, next, by, reason };
    host.registry.set_stage(change).await.unwrap();
    let error = life.move_stage(version, (Stage::Production, Stage::Staging), "").await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn an_older_process_is_fenced_off() {
    let (journal, host) = (memory(), host(&[]));
    let mut old = open(journal.clone(), host.registry.clone()).await.unwrap();
    register(&*host.registry, 1).await;
    old.begin(day(0), VersionNumber(1), "auc", 0.7).await.unwrap();
    let _new = open(journal.clone(), host.registry.clone()).await.unwrap();
    let error = old.watched(window(7, 1), vec![]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let lease =
        Lease { stream: names().stream, owner: names().owner, epoch: Epoch(1), expires: day(0) };
    assert_eq!(journal.renew(&lease, Duration::ZERO).await.unwrap_err().kind(), ErrorKind::Fenced);
}

#[test]
fn an_interval_decides_and_an_undefined_one_proves_nothing() {
    let contest = Contest { at: day(0), champion: VersionNumber(1), challenger: VersionNumber(2) };
    let judged = |interval: [f64; 2]| {
        let (labels_from, labels_to, metric) = (day(0), day(0), "auc".to_owned());
        let contest = contest.clone();
        judge(
            &Evaluation {
                contest,
                metric,
                champion_value: 0.7,
                challenger_value: 0.7,
                interval,
                labels_from,
                labels_to,
                rows: 0,
            },
            0.0,
        )
    };
    assert!(matches!(judged([0.001, 0.02]), Verdict::Better(_)));
    for interval in [[0.0, 0.02], [-0.01, 0.02], [-0.02, -0.01], [f64::NAN, f64::NAN]] {
        assert!(matches!(judged(interval), Verdict::NotBetter(_)), "{interval:?}");
    }
}

fn began() -> Event {
    Event::Began {
        at: day(0),
        model: model(),
        experiment: "e".parse().unwrap(),
        champion: VersionNumber(1),
        metric: "auc".into(),
        reference: 0.7,
    }
}

#[test]
fn events_out_of_order_are_refused() {
    let began = began();
    let promoted = Event::Promoted {
        at: day(0),
        from: VersionNumber(1),
        to: VersionNumber(2),
        reason: String::new(),
    };
    assert_eq!(State::replay([&promoted]).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(State::replay([&began, &promoted]).unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(State::replay([&began]).unwrap().is_some());
}

#[test]
fn whatever_is_recorded_can_be_read_again() {
    let contest = Contest { at: day(0), champion: VersionNumber(1), challenger: VersionNumber(2) };
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1] {
        let (labels_from, labels_to, metric) = (day(0), day(0), "auc".to_owned());
        let (champion_value, challenger_value, interval) = (value, value, [value, value]);
        let contest = contest.clone();
        let judged = Evaluation {
            contest,
            metric,
            champion_value,
            challenger_value,
            interval,
            labels_from,
            labels_to,
            rows: 0,
        };
        let signal = Signal {
            value,
            threshold: value,
            p_value: Some(value),
            ..signal(1, "x", SignalKind::Input)
        };
        let window = Window { quality: Some(value), ..window(7, 1) };
        for event in [Event::Evaluated(judged), Event::Raised(signal), Event::Watched(window)] {
            let text = serde_json::to_string(&event).unwrap();
            let back: Event = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&back).unwrap(), text);
        }
    }
}

/// A host that can train and compare, but not compare with a predecessor.
#[derive(Debug)]
struct NoReview(Host);

#[async_trait]
impl Actions for NoReview {
    async fn retrain(&self, retraining: &Retraining) -> Result<Challenger> {
        self.0.retrain(retraining).await
    }

    async fn evaluate(&self, contest: &Contest) -> Result<Evaluation> {
        if contest.challenger < contest.champion {
            return Err(Error::new(ErrorKind::NotFound, "the predecessor's model is gone"));
        }
        self.0.evaluate(contest).await
    }
}

#[tokio::test]
async fn a_review_that_cannot_be_made_ends_the_probation_and_the_loop_goes_on() {
    let host = NoReview(host(&[0.05, 0.05, 0.05]));
    let mut life = open(memory(), host.0.registry.clone()).await.unwrap();
    register(&*host.0.registry, 1).await;
    life.begin(day(0), VersionNumber(1), "auc", 0.7).await.unwrap();
    for week in 1..=10 {
        let alarms = vec![signal(week * 7, "temp", SignalKind::Input)];
        life.watched(window(week * 7, 1), alarms).await.unwrap();
        life.settle(day(week * 7), &host).await.unwrap();
    }
    let failed =
        |event: &&Event| matches!(event, Event::ReviewFailed { error } if error.contains("gone"));
    // Days 21 and 49; that of the third would be due on day 77.
    assert_eq!(life.events().iter().filter(failed).count(), 2);
    assert_eq!(life.state().unwrap().champion, VersionNumber(4));
}
