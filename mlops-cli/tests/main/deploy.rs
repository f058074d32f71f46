//! Orders to an endpoint: what is refused, what is waited for, and how gateways and controllers begin and end.

use serde_json::json;

use super::demo::demo;
use super::serving::{MODEL, Running, flight};
use super::{code, json, mlops, stderr, within};

/// `mlops deploy` on a store.
fn deploy(store: &str, args: &[&str]) -> std::process::Output {
    mlops(&[&["--store", store, "deploy"], args].concat())
}

/// Waits for a rollout's end; what the endpoint's status is then.
fn done(store: &str, endpoint: &str) -> serde_json::Value {
    within(60, "the rollout's end", || {
        let status = json(&deploy(store, &["status", endpoint, "--json"]));
        (status["last"]["phase"] == "done").then_some(status)
    })
}

#[test]
fn an_endpoint_is_deployed_asked_changed_and_taken_back() {
    let store = demo().store();
    let deploy = |args: &[&str]| deploy(store, args);
    let early = deploy(&["apply", "flights", "--model", &format!("{MODEL}/1"), "--json"]);
    assert_eq!((code(&early), &json(&early)["answered"]), (0, &false.into()), "{}", stderr(&early));
    let gateway = Running::start(store, &["gateway", "flights", "--port", "0"]);
    let second = mlops(&["--store", store, "gateway", "flights", "--port", "0", "--json"]);
    assert_eq!(code(&second), 4, "{}", stderr(&second));
    // It has not said that it answers.
    assert!(second.stdout.is_empty());
    let status = done(store, "flights");
    let stable = status["stable"].as_str().unwrap().to_owned();
    assert_eq!(status["serving"]["shares"], json!({ stable.as_str(): 100 }));
    assert_eq!(gateway.infer(MODEL, &flight(None)).0, 200);
    let same = deploy(&["apply", "flights", "--model", &format!("{MODEL}/1")]);
    assert_eq!(code(&same), 4, "{}", stderr(&same));
    // A command that never answers: it is taken back by hand, and the stable one never stops answering.
    let stuck = ["apply", "flights", "--name", "stuck", "--json", "--", "sleep", "1000"];
    assert_eq!(json(&deploy(&stuck))["event"], json!({ "kind": "started", "reason": null }));
    // The same again is refused, also for somebody who would wait for its end.
    let again = ["apply", "flights", "--name", "stuck", "--wait", "--", "sleep", "1000"];
    let again = deploy(&again);
    assert_eq!(code(&again), 4, "{}", stderr(&again));
    assert!(stderr(&again).contains("refused"), "{}", stderr(&again));
    assert_eq!(gateway.infer(MODEL, &flight(None)).0, 200);
    let abort = deploy(&["abort", "flights", "--why", "it sleeps", "--json"]);
    let event = &json(&abort)["event"];
    assert_eq!(event["kind"], "aborted", "{}", stderr(&abort));
    assert!(event["reason"].as_str().unwrap().contains("it sleeps"), "{event}");
    let refused = within(60, "an order that is refused", || {
        Some(deploy(&["abort", "flights"])).filter(|output| code(output) != 0)
    });
    assert_eq!(code(&refused), 4, "{}", stderr(&refused));
    let after = json(&deploy(&["status", "flights", "--json"]));
    assert_eq!(after["stable"], stable.as_str());
    let logs = json(&deploy(&["logs", "flights", &stable, "--json"]));
    assert!(logs["lines"][0]["text"].as_str().unwrap().contains("version 1"), "{logs}");
    assert_eq!(gateway.infer(MODEL, &flight(None)).0, 200);
    gateway.stop();
}

#[test]
fn whoever_waits_is_told_of_a_pause_and_of_too_long_a_wait() {
    let store = demo().copy();
    let store = store.path().to_str().unwrap();
    let gateway = Running::start(store, &["gateway", "waited", "--port", "0"]);
    let stuck = |more: &[&str]| {
        let apply = ["apply", "waited", "--name", "stuck", "--wait", "--wait-for", "1"];
        deploy(store, &[&apply, more, &["--", "sleep", "1000"]].concat())
    };
    let late = stuck(&[]);
    assert_eq!(code(&late), 5, "{}", stderr(&late));
    assert!(stderr(&late).contains("waited_seconds=1"), "{}", stderr(&late));
    // Without a stable revision there is nothing that a second order could be held against.
    let second = deploy(store, &["apply", "waited", "--model", &format!("{MODEL}/1")]);
    assert_eq!(code(&second), 4, "{}", stderr(&second));
    assert!(stderr(&second).contains("revision=stuck"), "{}", stderr(&second));
    assert_eq!(code(&deploy(store, &["abort", "waited"])), 0);
    within(60, "the way back", || {
        let status = json(&deploy(store, &["status", "waited", "--json"]));
        (status["last"]["phase"] == "rolled_back").then_some(())
    });
    let target = format!("{MODEL}/1");
    let first = ["apply", "waited", "--model", &target, "--wait", "--wait-for", "60", "--json"];
    let first = deploy(store, &first);
    assert_eq!(code(&first), 0, "{}", stderr(&first));
    assert_eq!(json(&first)["last"]["phase"], "done");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let next =
                ["apply", "waited", "--name", "next", "--wait", "--wait-for", "60", "--json"];
            deploy(store, &[&next[..], &["--", "sleep", "1000"]].concat())
        });
        within(30, "a rollout to pause", || {
            (code(&deploy(store, &["pause", "waited"])) == 0).then_some(())
        });
        let paused = waiting.join().unwrap();
        assert_eq!(code(&paused), 4, "{}", stderr(&paused));
        assert_eq!(json(&paused)["last"]["phase"], "paused");
        assert!(stderr(&paused).contains("mlops deploy resume waited"), "{}", stderr(&paused));
    });
    gateway.stop();
}

#[test]
fn a_gateway_that_is_told_to_stop_answers_what_is_under_way_first() {
    let store = demo().copy();
    let store = store.path().to_str().unwrap();
    let gateway = Running::start(store, &["gateway", "busy", "--port", "0"]);
    let target = format!("{MODEL}/1");
    let first = deploy(store, &["apply", "busy", "--model", &target, "--wait", "--wait-for", "60"]);
    assert_eq!(code(&first), 0, "{}", stderr(&first));
    // Requests until nobody listens any more: not one of those that are taken in fails.
    let statuses = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut statuses = Vec::new();
            while let Some((status, _)) = gateway.try_infer(MODEL, &flight(None)) {
                statuses.push(status);
            }
            statuses
        });
        std::thread::sleep(std::time::Duration::from_millis(300));
        gateway.terminate();
        asking.join().unwrap()
    });
    assert!(statuses.len() > 5 && statuses.iter().all(|status| *status == 200), "{statuses:?}");
    gateway.ended();
    assert_eq!(super::processes_of(store), 0);
}

#[test]
fn a_controller_elsewhere_says_what_it_controls() {
    let store = demo().copy();
    let store = store.path().to_str().unwrap();
    let gateway =
        ["gateway", "apart", "--port", "0", "--control", "elsewhere", "--admin-port", "0"];
    let gateway = Running::start(store, &gateway);
    let admin = gateway.said["admin"].as_str().unwrap().to_owned();
    let control = Running::start(store, &["deploy", "control", "apart", "--gateway", &admin]);
    assert_eq!(control.said["gateway"], admin.as_str());
    let target = format!("{MODEL}/1");
    let first =
        deploy(store, &["apply", "apart", "--model", &target, "--wait", "--wait-for", "60"]);
    assert_eq!(code(&first), 0, "{}", stderr(&first));
    assert_eq!(gateway.infer(MODEL, &flight(None)).0, 200);
    control.stop();
    gateway.stop();
}

#[test]
fn endpoints_that_nobody_knows_are_not_found_and_no_store_is_made() {
    let store = demo().store();
    for args in [
        &["status", "nobody"][..],
        &["pause", "nobody"],
        &["resume", "nobody"],
        &["promote", "nobody"],
        &["abort", "nobody"],
        &["logs", "nobody"],
    ] {
        let output = deploy(store, args);
        assert_eq!(code(&output), 4, "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("nobody"), "{args:?}: {}", stderr(&output));
    }
    let folder = tempfile::tempdir().unwrap();
    let typo = folder.path().join("typo");
    let output = deploy(typo.to_str().unwrap(), &["apply", "x", "--model", "nobody"]);
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(!typo.exists());
}
