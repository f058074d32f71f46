//! The process deployer in trouble: replicas that do not answer, ports that are taken, ends that were cut short.

use std::net::TcpListener;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use mlops_core::ErrorKind;
use mlops_core::deploy::{Deployer, Phase, Probe, Process, RestartPolicy, RevisionStatus};
use rustix::process::{Pid, Signal, kill_process};

use super::process::{left_behind, name, open, runs, spec, until, who};
use super::server::process;

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// The server as the child of a shell that runs `before` first.
fn wrapped(folder: &Path, before: &str, server: &str) -> Process {
    let Process { argv, environment, .. } = process("one");
    let script = format!("{before} {server} \"$0\" server::serves --exact --nocapture");
    let wrapped = Process::new(["sh", "-c", &script, &argv[0]]).unwrap().with_folder(folder);
    environment.into_iter().fold(wrapped, |p, (name, value)| p.with_variable(name, value))
}

fn written_pid(folder: &Path, file: &str) -> u32 {
    std::fs::read_to_string(folder.join(file)).unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_does_not_answer_is_sent_no_requests() {
    let folder = tempfile::tempdir().unwrap();
    let deployer = open(folder.path()).await;
    let two = spec("v1", process("one")).with_replicas(NonZeroU32::new(2).unwrap());
    let probe = Probe { timeout: Duration::from_millis(100), ..two.probe.clone() };
    deployer.apply(two.with_probe(probe)).await.unwrap();
    let ready = until(&deployer, "v1", Phase::Ready).await;
    let (_, pid) = who(&ready);
    signal(pid, Signal::STOP);
    let one = until(&deployer, "v1", Phase::Degraded).await;
    assert_eq!((one.ready, &one.addresses[..]), (1, &ready.addresses[1..]));
    signal(pid, Signal::CONT);
    assert_eq!(until(&deployer, "v1", Phase::Ready).await.addresses, ready.addresses);
    deployer.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_port_was_taken_answers_at_another() {
    let folder = tempfile::tempdir().unwrap();
    let deployer = open(folder.path()).await;
    let delay = Duration::from_secs(1);
    let restart =
        RestartPolicy { restarts: 2, delay, max_delay: delay, ..RestartPolicy::default() };
    deployer.apply(spec("v1", process("one")).with_restart(restart)).await.unwrap();
    let before = until(&deployer, "v1", Phase::Ready).await;
    signal(who(&before).1, Signal::KILL);
    let address = before.addresses[0].to_string();
    let _taken = loop {
        match TcpListener::bind(&address) {
            Ok(listener) => break listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let after = again(&deployer, &before).await;
    assert_ne!(after.addresses, before.addresses);
    assert_eq!(who(&after).0, "one");
    deployer.shutdown().await.unwrap();
}

/// The status once the revision is ready after one more restart.
async fn again(
    deployer: &mlops_deploy::process::ProcessDeployer,
    before: &RevisionStatus,
) -> RevisionStatus {
    loop {
        let status = until(deployer, "v1", Phase::Ready).await;
        if status.restarts > before.restarts {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_dies_while_it_drains_is_gone_and_not_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let deployer = open(folder.path()).await;
    // It would drain for ever; what it has started ends at once.
    let stubborn = wrapped(folder.path(), "trap 'echo draining > drains' TERM;", "");
    let script = "while :; do sleep 0.05; done";
    let stubborn = Process { argv: with_tail(stubborn.argv.clone(), script), ..stubborn };
    deployer.apply(spec("v1", stubborn).with_drain(Duration::from_secs(60))).await.unwrap();
    until(&deployer, "v1", Phase::Ready).await;
    let record = std::fs::read(folder.path().join("flights/v1/replica-0.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let leader = u32::try_from(record["leader"]["pid"].as_u64().unwrap()).unwrap();
    let begun = Instant::now();
    let ending = tokio::spawn({
        let deployer = deployer.clone();
        async move { deployer.delete(&name("v1")).await }
    });
    while !folder.path().join("drains").exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    signal(leader, Signal::KILL);
    ending.await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(50), "it was not waited for");
    assert!(!runs(leader));
    assert_eq!(deployer.get(&name("v1")).await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// The shell's script with more behind it.
fn with_tail(mut argv: Vec<String>, more: &str) -> Vec<String> {
    argv[2] = format!("{} & {more}", argv[2]);
    argv
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_replica_that_has_died_is_ended_and_another_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let deployer = open(folder.path()).await;
    let before = "setsid sleep 1004 & echo $! > far;";
    deployer.apply(spec("v1", wrapped(folder.path(), before, "exec"))).await.unwrap();
    let (_, leader) = who(&until(&deployer, "v1", Phase::Ready).await);
    let far = written_pid(folder.path(), "far");
    deployer.detach().await;
    signal(leader, Signal::KILL);
    while runs(leader) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(runs(far));
    let deployer = open(folder.path()).await;
    assert!(!runs(far));
    let (version, pid) = who(&until(&deployer, "v1", Phase::Ready).await);
    assert!(version == "one" && pid != leader);
    deployer.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_that_was_cut_short_brings_nothing_back() {
    let folder = tempfile::tempdir().unwrap();
    left_behind(&folder).await;
    // All that was done of it: the spec goes first, whatever else is still there.
    std::fs::remove_file(folder.path().join("flights/v1/spec.json")).unwrap();
    let deployer = open(folder.path()).await;
    let left: Vec<_> = deployer.list(&name("v1").endpoint).try_collect().await.unwrap();
    assert_eq!(left, []);
    assert!(!folder.path().join("flights/v1").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_a_successor_finishes_takes_no_longer_than_the_spec_allows() {
    let folder = tempfile::tempdir().unwrap();
    let deployer = open(folder.path()).await;
    let stubborn = wrapped(folder.path(), "trap '' TERM;", "exec");
    deployer.apply(spec("v1", stubborn).with_drain(Duration::from_millis(100))).await.unwrap();
    let (_, pid) = who(&until(&deployer, "v1", Phase::Ready).await);
    deployer.detach().await;
    std::fs::write(folder.path().join("flights/v1/ending"), "").unwrap();
    let begun = Instant::now();
    open(folder.path()).await;
    assert!(!runs(pid));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deletes_at_once_do_not_touch_what_is_applied_after_them() {
    let folder = tempfile::tempdir().unwrap();
    let deployer = open(folder.path()).await;
    let sleeping = || spec("v1", Process::new(["sleep", "1005"]).unwrap());
    deployer.apply(sleeping()).await.unwrap();
    for _ in 0..20 {
        let deletes = [(); 2].map(|()| {
            let deployer = deployer.clone();
            tokio::spawn(async move { deployer.delete(&name("v1")).await.unwrap() })
        });
        // As soon as the first one is through, the other may still be at it.
        let [first, second] = deletes;
        first.await.unwrap();
        deployer.apply(sleeping()).await.unwrap();
        second.await.unwrap();
        let there = |file: &str| folder.path().join("flights/v1").join(file).exists();
        if deployer.get(&name("v1")).await.is_ok() {
            assert!(there("spec.json") && !there("ending"));
        } else {
            // The second one began after all that, and has deleted this one.
            assert!(!there("spec.json"));
            deployer.apply(sleeping()).await.unwrap();
        }
    }
    deployer.shutdown().await.unwrap();
}
