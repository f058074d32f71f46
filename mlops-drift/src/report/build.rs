//! One comparison from end to end: describe each column, test it, decide over all.

use super::binned::binned;
use super::describe::{Description, Numbers, categorical, union};
use super::exact::Looked;
use super::{
    Change, ColumnReport, Counts, Dataset, Report, SCHEMA, Sides, Statistics, Test, Verdict,
};
use crate::cells::{Anchors, Exact, Number, Tally};
use crate::decision::{
    Cells, Compared, Evidence, Exchange, Outcome, Tested, Units, decide, nulls, range, values,
};
use crate::monitor::MonitorOptions;
use crate::reference::{ColumnState, Fitted, Lane, Layout, Reference, Seen, State, Values};

/// Compares the settled state of the current data with the reference.
pub(crate) fn build(
    reference: &Reference,
    current: &State,
    options: &MonitorOptions,
    looked: &[Looked],
) -> Report {
    let mut examined = examine(reference, current, options, looked);
    let evidence = std::mem::take(&mut examined.evidence);
    let outcomes = decide(&evidence, options.alpha, options.correction);
    examined.finish(&mut evidence.into_iter(), &mut outcomes.into_iter(), options)
}

/// Several comparisons as one family: the correction runs over the tests of all of them.
pub(crate) fn build_all(mut examined: Vec<Examined<'_>>, options: &MonitorOptions) -> Vec<Report> {
    let evidence = examined.iter_mut().map(|one| std::mem::take(&mut one.evidence));
    let evidence: Vec<Evidence> = evidence.flatten().collect();
    let outcomes = decide(&evidence, options.alpha, options.correction);
    let (mut evidence, mut outcomes) = (evidence.into_iter(), outcomes.into_iter());
    examined.into_iter().map(|one| one.finish(&mut evidence, &mut outcomes, options)).collect()
}

/// One comparison, described and tested, before anything is decided.
pub(crate) struct Examined<'a> {
    rows: Sides<u64>,
    drafts: Vec<Draft<'a>>,
    evidence: Vec<Evidence>,
}

/// Describes and tests each column.
pub(crate) fn examine<'a>(
    reference: &'a Reference,
    current: &'a State,
    options: &MonitorOptions,
    looked: &[Looked],
) -> Examined<'a> {
    let clustered = reference.cluster.is_some();
    let mut drafts = Vec::new();
    let mut evidence = Vec::new();
    let columns = reference.columns.iter().zip(&reference.state.columns).zip(&current.columns);
    for (at, ((fitted, old), new)) in columns.enumerate() {
        let units = clustered.then(|| Units::new((&reference.state, old), (current, new)));
        let looked = looked.get(at).unwrap_or(&Looked::None);
        let pair = Pair { fitted, old, new, looked, options };
        let (draft, found) = pair.examine(units);
        drafts.push(draft);
        evidence.push(found);
    }
    let rows = Sides { reference: reference.state.rows, current: current.rows };
    Examined { rows, drafts, evidence }
}

impl Examined<'_> {
    /// The report, from as much evidence and as many outcomes as there are columns.
    fn finish(
        self,
        evidence: &mut impl Iterator<Item = Evidence>,
        outcomes: &mut impl Iterator<Item = Outcome>,
        options: &MonitorOptions,
    ) -> Report {
        let columns: Vec<ColumnReport> = self
            .drafts
            .into_iter()
            .zip(evidence)
            .zip(outcomes)
            .map(|((draft, evidence), outcome)| draft.finish(evidence, outcome))
            .collect();
        Report {
            schema: SCHEMA.to_owned(),
            rows: self.rows,
            alpha: options.alpha,
            correction: options.correction,
            dataset: summary(&columns),
            columns,
        }
    }
}

fn summary(columns: &[ColumnReport]) -> Dataset {
    let count = |verdict| columns.iter().filter(|column| column.verdict == verdict).count();
    let drifted_columns = count(Verdict::Drifted);
    Dataset {
        drifted: drifted_columns > 0,
        rule: "at least one column has drifted".to_owned(),
        columns: columns.len(),
        drifted_columns,
        unchecked_columns: count(Verdict::Unchecked),
    }
}

/// One column of both sides.
struct Pair<'a, 'b> {
    fitted: &'a Fitted,
    old: &'a ColumnState,
    new: &'a ColumnState,
    looked: &'b Looked,
    options: &'b MonitorOptions,
}

/// What is known of a column before all are decided together.
struct Draft<'a> {
    fitted: &'a Fitted,
    counts: Sides<Counts>,
    clusters: Option<Sides<u64>>,
    description: Description,
}

impl<'a> Pair<'a, '_> {
    fn examine(&self, units: Option<Units>) -> (Draft<'a>, Evidence) {
        let held = units.as_ref().map(Units::with_values);
        let clusters = held.as_ref().map(|units| {
            let (reference, current) = units.sizes();
            Sides { reference, current }
        });
        let valued = held.map_or(Exchange::Rows, Exchange::Clusters);
        let (description, compared, outside) = self.compare(&valued);
        let mut evidence = Evidence { tests: Vec::new(), unchecked: self.unusable() };
        let (column, options) = (self.fitted.name.as_str(), self.options);
        if let (None, Some(compared)) = (&evidence.unchecked, compared) {
            match values(&compared, &valued, self.usable(), column, options) {
                Ok(test) => evidence.tests.push(test),
                Err(reason) => evidence.unchecked = Some(reason),
            }
        }
        if !matches!(self.fitted.lane, Lane::Unsupported(_)) {
            let exchange = units.map_or(Exchange::Rows, Exchange::Clusters);
            evidence.tests.extend(nulls(self.rows(), self.missing(), &exchange, column, options));
            let range = outside.and_then(|k| range(self.usable(), k, &exchange, options));
            evidence.tests.extend(range);
        }
        let counts = Sides { reference: counts(self.old), current: counts(self.new) };
        (Draft { fitted: self.fitted, counts, clusters, description }, evidence)
    }

    /// Describes the column; for numbers also how many current values are out of range.
    fn compare(&self, exchange: &Exchange) -> (Description, Option<Compared>, Option<u64>) {
        match (&self.old.values, &self.new.values) {
            (Values::Numbers(old), Values::Numbers(new)) => {
                match (&self.fitted.layout, self.looked) {
                    (Layout::Float(own), Looked::Float(exact)) => {
                        self.ordered(&own.anchors, (old, new), Some(exact), exchange)
                    }
                    (Layout::Float(own), _) => {
                        self.ordered(&own.anchors, (old, new), None, exchange)
                    }
                    (Layout::Integer(own), Looked::Integer(exact)) => {
                        self.ordered(&own.anchors, (old, new), Some(exact), exchange)
                    }
                    (Layout::Integer(own), _) => {
                        self.ordered(&own.anchors, (old, new), None, exchange)
                    }
                    (Layout::Wide(own), Looked::Wide(exact)) => {
                        self.ordered(&own.anchors, (old, new), Some(exact), exchange)
                    }
                    (Layout::Wide(own), _) => {
                        self.ordered(&own.anchors, (old, new), None, exchange)
                    }
                    _ => (Description::default(), None, None),
                }
            }
            (Values::Bins(old), Values::Bins(new)) => self.binned([old, new], exchange),
            (Values::Category(old), Values::Category(new)) => {
                let union = union(old, new);
                let description = categorical(&union, self.options.psi_empty_bins);
                let cells = match exchange {
                    Exchange::Rows => Cells::largest(union.into_values().collect()),
                    Exchange::Clusters(_) => Cells::default(),
                };
                let total_variation = description.distance;
                (description, Some(Compared::Categories { cells, total_variation }), None)
            }
            _ => (Description::default(), None, None),
        }
    }

    fn ordered<T: Number>(
        &self,
        anchors: &Anchors<T>,
        sides: (&Tally, &Tally),
        exact: Option<&Exact<T>>,
        exchange: &Exchange,
    ) -> (Description, Option<Compared>, Option<u64>) {
        let clustered = matches!(exchange, Exchange::Clusters(_));
        let empty_bins = self.options.psi_empty_bins;
        let lane = &self.fitted.lane;
        let numbers = Numbers::new(anchors, sides, exact, lane, clustered, empty_bins);
        let description = numbers.describe();
        let cells = match exchange {
            Exchange::Rows => Cells::join(numbers.counts.iter().copied()),
            Exchange::Clusters(_) => Cells::default(),
        };
        let compared =
            Compared::Ordered { cells, ks: description.distance, scale: description.scale };
        (description, Some(compared), numbers.outside())
    }

    fn binned(
        &self,
        bins: [&Vec<u64>; 2],
        exchange: &Exchange,
    ) -> (Description, Option<Compared>, Option<u64>) {
        let edges = self.fitted.layout.bin_edges().unwrap_or_default();
        let divisor = self.fitted.lane.divisor();
        let edges = edges.into_iter().map(|edge| edge / divisor).collect();
        let clustered = matches!(exchange, Exchange::Clusters(_));
        let description = binned(bins, edges, clustered, self.options.psi_empty_bins);
        let cells = match exchange {
            Exchange::Rows => Cells { reference: bins[0].clone(), current: bins[1].clone() },
            Exchange::Clusters(_) => Cells::default(),
        };
        let compared =
            Compared::Ordered { cells, ks: description.distance, scale: description.scale };
        (description, Some(compared), None)
    }

    /// Why nothing can be compared.
    fn unusable(&self) -> Option<String> {
        if let Lane::Unsupported(reason) = &self.fitted.lane {
            return Some(reason.clone());
        }
        let empty = |name: &str, state: &ColumnState| {
            let Seen { rows, null, nan, infinite } = state.seen;
            (state.finite() == 0).then(|| {
                format!(
                    "no usable value in the {name} data: rows={rows} null={null} nan={nan} \
                     infinite={infinite}"
                )
            })
        };
        let reasons: Vec<String> = [empty("reference", self.old), empty("current", self.new)]
            .into_iter()
            .flatten()
            .collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    fn rows(&self) -> Sides<u64> {
        Sides { reference: self.old.seen.rows, current: self.new.seen.rows }
    }

    fn usable(&self) -> Sides<u64> {
        Sides { reference: self.old.finite(), current: self.new.finite() }
    }

    fn missing(&self) -> Sides<u64> {
        let (rows, usable) = (self.rows(), self.usable());
        Sides {
            reference: rows.reference - usable.reference,
            current: rows.current - usable.current,
        }
    }
}

impl Draft<'_> {
    fn finish(self, evidence: Evidence, outcome: Outcome) -> ColumnReport {
        let mut statistics = self.description.statistics;
        show_p_values(&mut statistics, &evidence.tests);
        let tests = evidence.tests.iter().zip(&outcome.adjusted);
        let decided = outcome.decided.map(|(finding, _)| finding);
        ColumnReport {
            column: self.fitted.name.clone(),
            data_type: self.fitted.data_type.to_string(),
            kind: self.fitted.kind,
            verdict: outcome.verdict,
            reason: evidence.unchecked,
            decided_by: decided.map(|finding| finding.change),
            p_value: decided.and_then(|finding| finding.p),
            adjusted_p_value: outcome.decided.and_then(|(_, adjusted)| adjusted),
            effect: decided.and_then(|finding| finding.effect),
            min_effect: decided.map(|finding| finding.floor),
            clusters: self.clusters,
            tests: tests.map(|(test, adjusted)| test_report(test, *adjusted)).collect(),
            counts: self.counts,
            statistics,
            moved: self.description.moved,
            quantile_shifts: self.description.quantile_shifts,
            categories: self.description.categories,
        }
    }
}

fn test_report(test: &Tested, adjusted_p_value: Option<f64>) -> Test {
    let first = test.findings.first();
    Test {
        kind: test.kind,
        p_value: test.p(),
        adjusted_p_value,
        effect: first.and_then(|finding| finding.effect),
        min_effect: first.map(|finding| finding.floor),
    }
}

fn show_p_values(statistics: &mut Statistics, tests: &[Tested]) {
    for finding in tests.iter().flat_map(|test| &test.findings) {
        let statistic = match finding.change {
            Change::Location => &mut statistics.mann_whitney,
            Change::Scale => &mut statistics.mood,
            Change::Shape => &mut statistics.anderson_darling,
            Change::Categories => &mut statistics.g,
            Change::Nulls | Change::Range => continue,
        };
        if let Some(statistic) = statistic {
            statistic.p_value = finding.p;
        }
    }
}

fn counts(state: &ColumnState) -> Counts {
    let Seen { rows, null, nan, infinite } = state.seen;
    Counts { rows, null, nan, infinite, finite: state.finite() }
}
