//! The process deployer: start, restart, end, and what a deployer that died leaves behind.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use futures::TryStreamExt as _;
use mlops_core::ErrorKind;
use mlops_core::deploy::{
    Deployer, Listen, LogQuery, Phase, Probe, Process, RestartPolicy, RevisionRef, RevisionSpec,
    RevisionStatus, Workload,
};
use mlops_deploy::process::{ProcessDeployer, ProcessOptions};
use tempfile::TempDir;

use super::server::{get, process};

pub(crate) fn name(revision: &str) -> RevisionRef {
    RevisionRef { endpoint: "flights".parse().unwrap(), revision: revision.parse().unwrap() }
}

/// Quick in everything, so that a test waits for events rather than for time.
pub(crate) fn spec(revision: &str, process: Process) -> RevisionSpec {
    let quick = Duration::from_millis(20);
    let probe = Probe { path: "/ready".to_owned(), interval: quick, ..Probe::default() };
    let restart =
        RestartPolicy { restarts: 2, delay: quick, max_delay: quick, ..RestartPolicy::default() };
    RevisionSpec::new(name(revision), Workload::Process(process))
        .with_probe(probe)
        .with_restart(restart)
        .with_drain(Duration::from_secs(5))
}

pub(crate) async fn open(folder: &Path) -> ProcessDeployer {
    ProcessDeployer::open(folder, ProcessOptions::default()).await.unwrap()
}

/// Waits until a revision is in `phase`; panics with its status when that takes absurdly long.
pub(crate) async fn until(
    deployer: &ProcessDeployer,
    revision: &str,
    phase: Phase,
) -> RevisionStatus {
    for _ in 0..3_000 {
        let status = deployer.get(&name(revision)).await.unwrap();
        if status.phase == phase {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never {phase:?}: {:?}", deployer.get(&name(revision)).await)
}

/// Who answers at a revision's first address: its version and process id.
pub(crate) fn who(status: &RevisionStatus) -> (String, u32) {
    let body = get(status.addresses[0].as_str(), "/").unwrap();
    let (version, pid) = body.split_once(' ').unwrap();
    (version.to_owned(), pid.parse().unwrap())
}

pub(crate) fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_starts_answers_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let deployer = open(folder.path()).await;
    let two = spec("v1", process("one")).with_replicas(NonZeroU32::new(2).unwrap());
    let begun = deployer.apply(two.clone()).await.unwrap();
    assert_eq!((begun.phase, begun.ready, begun.wanted), (Phase::Starting, 0, 2));
    let ready = until(&deployer, "v1", Phase::Ready).await;
    assert!(ready.is_ready() && ready.addresses.len() == 2, "{ready:?}");
    let (version, pid) = who(&ready);
    assert_eq!(version, "one");
    let lines: Vec<_> =
        deployer.logs(&name("v1"), LogQuery::default()).try_collect().await.unwrap();
    assert!(lines.iter().any(|line| line.text.ends_with("serving one") && line.replica == 1));
    assert_eq!(deployer.apply(two).await.unwrap().addresses, ready.addresses);
    deployer.delete(&name("v1")).await.unwrap();
    assert!(!runs(pid));
    assert_eq!(deployer.get(&name("v1")).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ends_is_started_again_at_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let deployer = open(folder.path()).await;
    deployer.apply(spec("v1", process("one"))).await.unwrap();
    let first = until(&deployer, "v1", Phase::Ready).await;
    let (_, pid) = who(&first);
    let victim = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(victim, rustix::process::Signal::KILL).unwrap();
    let again = loop {
        let status = until(&deployer, "v1", Phase::Ready).await;
        if status.restarts == 1 {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(again.addresses, first.addresses);
    assert_ne!(who(&again).1, pid);
    deployer.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ends_too_often_has_failed_and_says_how() {
    let folder = tempfile::tempdir().unwrap();
    let deployer = open(folder.path()).await;
    let ending = process("one").with_variable("EXIT_AFTER", "1");
    deployer.apply(spec("v1", ending)).await.unwrap();
    let failed = until(&deployer, "v1", Phase::Failed).await;
    assert_eq!(failed.restarts, 2);
    assert!(failed.message.unwrap().contains("exit status: 7"));
    let tail = deployer.logs(&name("v1"), LogQuery::default().with_tail(1));
    let tail: Vec<_> = tail.try_collect().await.unwrap();
    assert_eq!(tail[0].text, "ending as asked");
    deployer.delete(&name("v1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_becomes_ready_is_ended_and_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let deployer = open(folder.path()).await;
    let late = spec("v1", process("one").with_variable("READY_AFTER", "3600000"));
    let probe = Probe { deadline: Duration::from_millis(300), ..late.probe.clone() };
    deployer.apply(late.with_probe(probe)).await.unwrap();
    let failed = until(&deployer, "v1", Phase::Failed).await;
    let message = failed.message.unwrap();
    assert!(message.contains("not ready in time") && message.contains("503"), "{message}");
    assert!(failed.addresses.is_empty());
    deployer.delete(&name("v1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let deployer = open(folder.path()).await;
    deployer.apply(spec("v1", Process::new(["no-such-program"]).unwrap())).await.unwrap();
    let failed = until(&deployer, "v1", Phase::Failed).await;
    assert!(failed.message.unwrap().contains("program=no-such-program"));
    deployer.delete(&name("v1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inherited_socket_answers() {
    let folder = tempfile::tempdir().unwrap();
    let deployer = open(folder.path()).await;
    let inheriting = process("one").with_listen(Listen::Inherited);
    deployer.apply(spec("v1", inheriting)).await.unwrap();
    let ready = until(&deployer, "v1", Phase::Ready).await;
    assert_eq!(who(&ready).0, "one");
    deployer.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_a_revision_has_started_ends_with_it_even_what_ignores_the_signal() {
    let folder = tempfile::tempdir().unwrap();
    let deployer = open(folder.path()).await;
    let script = "trap '' TERM; (trap '' TERM; exec sleep 1001) & echo $! > child; \
                  setsid sleep 1002 & echo $! > far; exec \"$0\" server::serves --exact --nocapture";
    let Process { argv, environment, .. } = process("one");
    let wrapped = Process::new(["sh", "-c", script, &argv[0]]).unwrap().with_folder(folder.path());
    let wrapped =
        environment.into_iter().fold(wrapped, |p, (name, value)| p.with_variable(name, value));
    let stubborn = spec("v1", wrapped).with_drain(Duration::from_millis(100));
    deployer.apply(stubborn).await.unwrap();
    let (_, leader) = who(&until(&deployer, "v1", Phase::Ready).await);
    let pid = |file: &str| {
        let text = std::fs::read_to_string(folder.path().join(file)).unwrap();
        text.trim().parse::<u32>().unwrap()
    };
    let all = [leader, pid("child"), pid("far")];
    assert!(all.iter().all(|pid| runs(*pid)));
    deployer.delete(&name("v1")).await.unwrap();
    assert!(!all.iter().any(|pid| runs(*pid)), "{all:?}");
}

/// A deployer with one ready revision, that has gone away and left it running.
pub(crate) async fn left_behind(folder: &TempDir) -> (RevisionStatus, u32) {
    let deployer = open(folder.path()).await;
    deployer.apply(spec("v1", process("one"))).await.unwrap();
    let status = until(&deployer, "v1", Phase::Ready).await;
    let (_, pid) = who(&status);
    deployer.detach().await;
    assert!(runs(pid));
    (status, pid)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_adopts_what_runs_and_can_end_it() {
    let folder = tempfile::tempdir().unwrap();
    let (before, pid) = left_behind(&folder).await;
    let deployer = open(folder.path()).await;
    let after = until(&deployer, "v1", Phase::Ready).await;
    assert_eq!((after.addresses.clone(), after.restarts), (before.addresses, 0));
    assert_eq!(who(&after).1, pid);
    deployer.delete(&name("v1")).await.unwrap();
    assert!(!runs(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stopped_is_started_again_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let deployer = open(folder.path()).await;
    deployer.apply(spec("v1", process("one"))).await.unwrap();
    let before = until(&deployer, "v1", Phase::Ready).await;
    let (_, pid) = who(&before);
    deployer.stop().await;
    assert!(!runs(pid));
    let deployer = open(folder.path()).await;
    let after = until(&deployer, "v1", Phase::Ready).await;
    assert_eq!(after.spec, before.spec);
    assert_ne!(who(&after).1, pid);
    deployer.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_successor_has_adopted_is_ready_as_soon_as_it_is_open() {
    let folder = tempfile::tempdir().unwrap();
    left_behind(&folder).await;
    let deployer = open(folder.path()).await;
    let first = deployer.get(&name("v1")).await.unwrap();
    assert!(first.is_ready(), "{first:?}");
    deployer.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_successor_has_adopted_and_does_not_answer_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let before = open(folder.path()).await;
    let impatient = spec("v1", process("one"));
    let probe = Probe { timeout: Duration::from_millis(100), ..impatient.probe.clone() };
    before.apply(impatient.with_probe(probe)).await.unwrap();
    let (_, pid) = who(&until(&before, "v1", Phase::Ready).await);
    before.detach().await;
    let stopped = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(stopped, rustix::process::Signal::STOP).unwrap();
    let deployer = open(folder.path()).await;
    let first = deployer.get(&name("v1")).await.unwrap();
    assert!(!first.is_ready() && first.message.is_some(), "{first:?}");
    rustix::process::kill_process(stopped, rustix::process::Signal::CONT).unwrap();
    until(&deployer, "v1", Phase::Ready).await;
    deployer.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_started_but_not_written_down_is_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let (_, pid) = left_behind(&folder).await;
    let path = folder.path().join("flights/v1/replica-0.json");
    let mut record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record["leader"] = serde_json::Value::Null;
    std::fs::write(&path, record.to_string()).unwrap();
    let deployer = open(folder.path()).await;
    assert_eq!(who(&until(&deployer, "v1", Phase::Ready).await).1, pid);
    deployer.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_no_record_knows_is_ended_before_another_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let (_, pid) = left_behind(&folder).await;
    std::fs::remove_file(folder.path().join("flights/v1/replica-0.json")).unwrap();
    let deployer = open(folder.path()).await;
    assert!(!runs(pid));
    assert_ne!(who(&until(&deployer, "v1", Phase::Ready).await).1, pid);
    deployer.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_finishes_an_end_that_was_begun() {
    let folder = tempfile::tempdir().unwrap();
    let (_, pid) = left_behind(&folder).await;
    std::fs::write(folder.path().join("flights/v1/ending"), "").unwrap();
    let deployer = open(folder.path()).await;
    assert!(!runs(pid));
    let left: Vec<_> = deployer.list(&name("v1").endpoint).try_collect().await.unwrap();
    assert_eq!(left, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deployers_never_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path()).await;
    let second = ProcessDeployer::open(folder.path(), ProcessOptions::default()).await;
    let error = second.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_a_forked_child_still_holds_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).await.detach().await;
    // As the copy of a descriptor does in a child that has not become its own program yet.
    let held = std::fs::File::create(folder.path().join("lock")).unwrap();
    held.lock().unwrap();
    let successor =
        tokio::spawn(ProcessDeployer::open(folder.path().to_owned(), ProcessOptions::default()));
    tokio::task::yield_now().await;
    drop(held);
    successor.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let revision = folder.path().join("flights/v1");
    std::fs::create_dir_all(&revision).unwrap();
    std::fs::write(revision.join("spec.json"), "{").unwrap();
    let error = ProcessDeployer::open(folder.path(), ProcessOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("spec.json"), "{error}");
}
