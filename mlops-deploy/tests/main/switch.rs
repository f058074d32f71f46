//! A switch from one revision to the next under load loses no request; a careless one does.

use std::time::Duration;

use mlops_core::deploy::Traffic as _;
use mlops_deploy::gateway::{Gateway, GatewayOptions};

use super::backend::{address, front, idle, spec, start};
use super::load::{Connections, Load, Report};

/// How many switches each kind of load goes through.
const SWITCHES: u64 = 20;
const VERSIONS: [&str; 2] = ["even", "odd"];

/// Switches back and forth under load: start the new one, move the traffic, wait until it is observed
/// and the old one is idle, end the old one.
async fn switches(path: &'static str, mode: Connections) -> Report {
    let gateway = Gateway::new(&GatewayOptions::default());
    let mut current = start(VERSIONS[0]);
    gateway.set(spec(1, &[(VERSIONS[0], address(&current), 100)])).await.unwrap();
    let server = front(&gateway);
    let load = Load::start(&address(&server), path, mode, 8);
    for turn in 1..=SWITCHES {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let (old, name) = (VERSIONS[(turn as usize + 1) % 2], VERSIONS[turn as usize % 2]);
        let next = start(name);
        gateway.set(spec(turn + 1, &[(name, address(&next), 100)])).await.unwrap();
        let observed = idle(&gateway, old).await;
        assert_eq!(observed.generation.0, turn + 1);
        let drained = std::mem::replace(&mut current, next).drain().await;
        assert_eq!(drained.cut, 0);
    }
    // Whatever answers from here on is the last one: ask anew rather than read old answers.
    let report = load.stop().await;
    let after = Load::start(&address(&server), path, mode, 2);
    tokio::time::sleep(Duration::from_millis(150)).await;
    let after = after.stop().await;
    assert!(after.answers.iter().all(|version| version == VERSIONS[SWITCHES as usize % 2]));
    assert!(!after.answers.is_empty());
    assert_eq!(server.drain().await.cut, 0);
    report
}

/// Twenty switches without a failed request, each version seen.
fn check(report: &Report) {
    assert_eq!(report.failures, Vec::<String>::new());
    for version in VERSIONS {
        assert!(report.answers.iter().any(|answer| answer == version), "{version} never answered");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fast_requests_on_kept_connections_survive_twenty_switches() {
    check(&switches("/", Connections::KeptAlive).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fast_requests_on_new_connections_survive_twenty_switches() {
    check(&switches("/", Connections::NewEachTime).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_requests_on_kept_connections_survive_twenty_switches() {
    check(&switches("/slow", Connections::KeptAlive).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_requests_on_new_connections_survive_twenty_switches() {
    check(&switches("/slow", Connections::NewEachTime).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_old_one_before_the_traffic_has_moved_does_fail_requests() {
    let gateway = Gateway::new(&GatewayOptions::default());
    let old = start(VERSIONS[0]);
    gateway.set(spec(1, &[(VERSIONS[0], address(&old), 100)])).await.unwrap();
    let server = front(&gateway);
    let load = Load::start(&address(&server), "/slow", Connections::KeptAlive, 8);
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(old);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let next = start(VERSIONS[1]);
    gateway.set(spec(2, &[(VERSIONS[1], address(&next), 100)])).await.unwrap();
    let report = load.stop().await;
    assert!(!report.failures.is_empty());
}
