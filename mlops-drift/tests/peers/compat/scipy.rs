//! SciPy 1.17.1.

use mlops_drift::compat::{Method, Peer, Verdict};

use super::{agree, asked, by};

#[test]
#[ignore = "needs scipy: scripts/peers scipy"]
fn statistics_and_p_values_are_those_of_scipy() {
    let cases = asked("scipy", |_| true);
    println!("{} columns", cases.len());
    for (case, theirs) in cases {
        let name = &case.name;
        let found = Peer::Scipy.check(&case.reference.column(), &case.current.column());
        let p = theirs["p"].as_f64().expect("a p-value");
        let verdict = if p < 0.05 { Verdict::Drifted } else { Verdict::Stable };
        assert_eq!(found.verdict, verdict, "{name}: {p}");
        agree(name, found.findings[0].p_value, &theirs["p"], 1e-6);
        if case.is_number() {
            agree(name, found.findings[0].statistic, &theirs["ks"], 1e-9);
            let statistic = |method| by(name, &found, method).statistic;
            agree(name, statistic(Method::Wasserstein), &theirs["wasserstein"], 1e-9);
            agree(name, statistic(Method::Energy), &theirs["energy"], 1e-9);
        } else {
            agree(name, by(name, &found, Method::ChiSquare).statistic, &theirs["chi2"], 1e-9);
        }
    }
}
