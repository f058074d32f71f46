//! scouter-ml 0.25.0.

use mlops_drift::compat::{Method, Peer, Verdict};

use super::cases::{Case, Rows};
use super::{agree, asked, by};

/// Where the peer is not known to be wrong: it keeps missing numbers in the denominator, drops unseen
/// categories, moves deciles by a rounding at sizes of 10 k + 1, and refuses booleans.
fn is_sound(case: &Case) -> bool {
    let odd = match &case.reference {
        Rows::Floats(rows) => rows.len() % 10 == 1,
        Rows::Integers(rows) => rows.len() % 10 == 1,
        Rows::Strings(_) => false,
        Rows::Booleans(_) => true,
    };
    let missing = case.is_number() && case.has_missing();
    !odd && !missing && !case.has_unseen()
}

#[test]
#[ignore = "needs scouter: scripts/peers scouter"]
fn psi_threshold_and_verdict_are_those_of_scouter() {
    let cases = asked("scouter", is_sound);
    println!("{} columns", cases.len());
    for (case, theirs) in cases {
        let name = &case.name;
        let found = Peer::Scouter.check(&case.reference.column(), &case.current.column());
        let psi = by(name, &found, Method::Psi);
        agree(name, psi.statistic, &theirs["psi"], 1e-9);
        agree(name, psi.threshold, &theirs["threshold"], 1e-9);
        let drifted = theirs["psi"].as_f64() > theirs["threshold"].as_f64();
        assert_eq!(found.verdict == Verdict::Drifted, drifted, "{name}: {theirs}");
    }
}
