//! From the tests of all columns to a verdict for each.

use super::correct::Correction;
use super::test::{Finding, Tested};
use crate::report::{Change, Verdict};

/// What is known of one column.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) tests: Vec<Tested>,
    /// Why the column can't be checked; its tests then belong to no family.
    pub(crate) unchecked: Option<String>,
}

/// The verdict on one column.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// What decided, and its adjusted p-value.
    pub(crate) decided: Option<(Finding, Option<f64>)>,
    /// The adjusted p-value of each test.
    pub(crate) adjusted: Vec<Option<f64>>,
}

/// Decides over all columns at once: the family is every test with a p-value.
pub(crate) fn decide(evidence: &[Evidence], alpha: f64, correction: Correction) -> Vec<Outcome> {
    let family: Vec<f64> = evidence
        .iter()
        .filter(|column| column.unchecked.is_none())
        .flat_map(|column| column.tests.iter().filter_map(Tested::p))
        .collect();
    let adjusted = correction.adjust(&family);
    let rejected = adjusted.iter().filter(|&&p| p <= alpha).count();
    let critical = correction.critical(alpha, family.len(), rejected);
    let mut adjusted = adjusted.into_iter();
    let column = |evidence: &Evidence| {
        if evidence.unchecked.is_some() {
            let adjusted = vec![None; evidence.tests.len()];
            return Outcome { verdict: Verdict::Unchecked, decided: None, adjusted };
        }
        let adjusted: Vec<Option<f64>> =
            evidence.tests.iter().map(|test| test.p().and_then(|_| adjusted.next())).collect();
        judge(&evidence.tests, adjusted, alpha, critical)
    };
    evidence.iter().map(column).collect()
}

/// What one test says of its column.
struct Said {
    /// What it is called by, and the adjusted p-value of that.
    named: (Finding, f64),
    /// The smallest adjusted p-value that counts.
    least: f64,
}

/// Any kind of change decides whose own p-value is within the critical value and whose effect
/// passes its floor: a tiny but very significant change of scale must not hide a large shift.
fn judge(tests: &[Tested], adjusted: Vec<Option<f64>>, alpha: f64, critical: f64) -> Outcome {
    let mut drifted: Option<Said> = None;
    let mut stable: Option<Said> = None;
    let keep = |said: Said, kept: &mut Option<Said>| {
        if kept.as_ref().is_none_or(|kept| said.least < kept.least) {
            *kept = Some(said);
        }
    };
    for (test, adjusted) in tests.iter().zip(&adjusted) {
        let Some(adjusted) = *adjusted else { continue };
        if let Some(said) = passing(test, adjusted, alpha, critical) {
            keep(said, &mut drifted);
        }
        if let Some(&first) = test.findings.first() {
            keep(Said { named: (first, adjusted), least: adjusted }, &mut stable);
        }
    }
    let verdict = if drifted.is_some() { Verdict::Drifted } else { Verdict::Stable };
    let decided = drifted.or(stable).map(|said| (said.named.0, Some(said.named.1)));
    Outcome { verdict, decided, adjusted }
}

/// The kinds of change that pass. Every one is a change of shape, too, so that is what it is called
/// only where nothing more telling passes.
fn passing(test: &Tested, adjusted: f64, alpha: f64, critical: f64) -> Option<Said> {
    let own = |(rank, finding): (usize, &Finding)| {
        let p = finding.p.filter(|&p| p <= critical)?;
        let passes = finding.effect.is_some_and(|effect| effect >= finding.floor);
        let own = if rank == 0 { adjusted } else { adjusted.max(p * alpha / critical) };
        passes.then_some((*finding, own))
    };
    let passed: Vec<(Finding, f64)> = test.findings.iter().enumerate().filter_map(own).collect();
    let least = passed.first()?.1;
    let telling = passed.iter().find(|(finding, _)| finding.change != Change::Shape);
    let named = *telling.or(passed.first())?;
    Some(Said { named, least })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::TestKind;

    fn finding(change: Change, p: f64, effect: f64, floor: f64) -> Finding {
        Finding { change, p: Some(p), effect: Some(effect), floor }
    }

    fn column(findings: Vec<Finding>) -> Evidence {
        let tests = vec![Tested { kind: TestKind::Values, findings }];
        Evidence { tests, unchecked: None }
    }

    #[test]
    fn a_tiny_significant_scale_does_not_hide_a_large_shift() {
        let both = vec![
            finding(Change::Scale, 1e-9, 0.05, 0.1),
            finding(Change::Location, 1e-3, 0.2, 0.04),
        ];
        let outcome = &decide(&[column(both)], 0.05, Correction::BenjaminiHochberg)[0];
        assert_eq!(outcome.verdict, Verdict::Drifted);
        let decided = outcome.decided.map(|(finding, _)| finding.change);
        assert_eq!(decided, Some(Change::Location));
    }

    #[test]
    fn shape_is_what_a_change_is_called_when_nothing_else_passes() {
        let judged = |location: f64| {
            let both = vec![
                finding(Change::Shape, 1e-9, 0.2, 0.04),
                finding(Change::Location, location, 0.2, 0.04),
            ];
            let outcome = decide(&[column(both)], 0.05, Correction::BenjaminiHochberg).remove(0);
            assert_eq!((outcome.verdict, outcome.adjusted), (Verdict::Drifted, vec![Some(1e-9)]));
            outcome.decided.map(|(finding, p)| (finding.change, p))
        };
        assert_eq!(judged(1e-3), Some((Change::Location, Some(1e-3))));
        assert_eq!(judged(0.2), Some((Change::Shape, Some(1e-9))));
    }

    #[test]
    fn significance_alone_and_size_alone_are_not_enough() {
        for (p, effect) in [(1e-9, 0.03), (0.2, 0.9)] {
            let only = vec![finding(Change::Location, p, effect, 0.04)];
            let outcome = &decide(&[column(only)], 0.05, Correction::None)[0];
            assert_eq!(outcome.verdict, Verdict::Stable, "{p} {effect}");
            assert_eq!(outcome.decided.and_then(|(_, p)| p), Some(p));
        }
    }

    #[test]
    fn an_unchecked_column_is_outside_of_the_family() {
        let close = || column(vec![finding(Change::Location, 0.03, 0.5, 0.04)]);
        let with = decide(&[close(), close()], 0.05, Correction::Bonferroni);
        assert_eq!(with[0].verdict, Verdict::Stable);
        let mut out = close();
        out.unchecked = Some("no values".to_owned());
        let without = decide(&[close(), out], 0.05, Correction::Bonferroni);
        assert_eq!(without[0].verdict, Verdict::Drifted);
        assert_eq!(without[1].verdict, Verdict::Unchecked);
        assert_eq!(without[1].adjusted, [None]);
    }
}
