//! Simulated rollouts of 2,000 revisions that are no worse, and series that can't be trusted.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::deploy::ServiceCounts;
use crate::time::Timestamp;

fn counts(requests: u64, errors: u64, slow: u64) -> ServiceCounts {
    ServiceCounts {
        since: Timestamp::from_millis(0),
        requests,
        errors,
        slow,
        latency_bound: Duration::from_millis(200),
        last: (requests > 0).then_some(Timestamp::from_millis(0)),
    }
}

/// A service that is looked at ten times a step, `per_look` requests each, over canary steps of 5,
/// 25, 50 and 100 percent. True when it was ended.
fn is_ended(seed: u64, per_look: u64, rates: [[f64; 2]; 2]) -> bool {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let options = AnalysisOptions::default();
    let (mut service, mut stable, mut canary) =
        (Service::default(), counts(0, 0, 0), counts(0, 0, 0));
    for (share, arms) in
        [(0.05, Arms::Both), (0.25, Arms::Both), (0.5, Arms::Both), (1.0, Arms::CanaryOnly)]
    {
        service.begin_step();
        for look in 0..=10_i64 {
            let at = Timestamp::from_millis(0);
            let reading = Reading { at, stable: Some(stable), canary: Some(canary) };
            service.look(reading, arms, &options);
            if service.judge(arms, 1, &options).verdict == Verdict::Fail {
                return true;
            }
            let new = (per_look as f64 * share) as u64;
            let requests = if look < 10 { [per_look - new, new] } else { [0, 0] };
            let arms = [(&mut stable, rates[0], requests[0]), (&mut canary, rates[1], requests[1])];
            for (arm, rates, requests) in arms {
                arm.requests += requests;
                arm.last = Some(at);
                for _ in 0..requests {
                    arm.errors += u64::from(random.random::<f64>() < rates[0]);
                    arm.slow += u64::from(random.random::<f64>() < rates[1]);
                }
            }
        }
    }
    false
}

/// The guarantee is alpha, 1 %, over all 40 looks, both kinds of events and all steps together.
#[test]
fn of_2_000_revisions_that_are_no_worse_at_most_alpha_are_ended() {
    let same = [[0.01, 0.03]; 2];
    let ended = (0..2_000).filter(|seed| is_ended(*seed, 1_000, same)).count();
    println!("A/A: {ended} of 2000 ended, alpha 0.01, 40 looks of 1,000 requests");
    assert!(ended <= 20, "{ended} of 2000");
}

#[test]
fn a_revision_that_is_clearly_worse_is_ended() {
    for bad in [[0.05, 0.03], [0.01, 0.12]] {
        let ended = (0..200).filter(|seed| is_ended(*seed, 1_000, [[0.01, 0.03], bad])).count();
        println!("A/B {bad:?}: {ended} of 200 ended");
        assert!(ended >= 190, "{ended} of 200");
    }
}

/// What two looks show, the second at 10 s.
fn verdict(first: [ServiceCounts; 2], second: [ServiceCounts; 2]) -> Verdict {
    let options = AnalysisOptions::default().with_stale(Duration::from_secs(5));
    let mut service = Service::default();
    for (at, [stable, canary]) in [(0, first), (10_000, second)] {
        let at = Timestamp::from_millis(at);
        let reading = Reading { at, stable: Some(stable), canary: Some(canary) };
        service.look(reading, Arms::Both, &options);
    }
    service.judge(Arms::Both, 100, &options).verdict
}

fn recent(counts: ServiceCounts) -> ServiceCounts {
    ServiceCounts { last: Some(Timestamp::from_millis(9_000)), ..counts }
}

#[test]
fn only_a_sound_series_passes() {
    let start = [counts(10, 0, 0); 2];
    let good = recent(counts(500, 5, 5));
    assert_eq!(verdict(start, [good, good]), Verdict::Pass);
    let bad = [
        ("stale", counts(500, 5, 5)),
        ("too few", recent(counts(60, 0, 0))),
        ("went down", recent(counts(5, 0, 0))),
        ("more errors than requests", recent(counts(200, 300, 0))),
        ("begun anew", ServiceCounts { since: Timestamp::from_millis(5_000), ..good }),
        ("another bound", ServiceCounts { latency_bound: Duration::from_secs(1), ..good }),
        ("no request", ServiceCounts { last: None, ..good }),
    ];
    for (why, series) in bad {
        assert_eq!(verdict(start, [good, series]), Verdict::NoData, "new: {why}");
        assert_eq!(verdict(start, [series, good]), Verdict::NoData, "stable: {why}");
    }
    assert_eq!(
        Service::default().judge(Arms::Both, 0, &AnalysisOptions::default()).verdict,
        Verdict::NoData
    );
}

#[test]
fn a_difference_beneath_its_floor_ends_nothing() {
    let start = [counts(0, 0, 0), counts(0, 0, 0)].map(recent);
    let end = [recent(counts(1_000_000, 1_000, 0)), recent(counts(1_000_000, 2_000, 0))];
    assert_eq!(verdict(start, end), Verdict::Fail);
    let rule = EventRule::default().with_floor(0.01);
    let options = AnalysisOptions::default().with_errors(Some(rule));
    let mut service = Service::default();
    for [stable, canary] in [start, end] {
        let at = Timestamp::from_millis(9_500);
        let reading = Reading { at, stable: Some(stable), canary: Some(canary) };
        service.look(reading, Arms::Both, &options);
    }
    assert_eq!(service.judge(Arms::Both, 100, &options).verdict, Verdict::Pass);
}

#[test]
fn options_outside_their_range_are_refused() {
    let options = AnalysisOptions::default;
    assert!(options().check().is_ok());
    assert!(options().with_alpha(0.0).check().is_err());
    assert!(options().with_alpha(f64::NAN).check().is_err());
    let rule = EventRule::default().with_tolerated(0.5);
    assert!(options().with_errors(Some(rule)).check().is_err());
    let rule = EventRule::default().with_floor(f64::NAN);
    assert!(options().with_slow(Some(rule)).check().is_err());
}
