//! One window: what was seen in it, and what that says.

use std::sync::Arc;

use anyhow::Result;
use mlops_core::lifecycle::{Signal, SignalKind, Window as Record};
use mlops_drift::report::{Change, ColumnReport, Report};
use mlops_drift::{DriftMonitor, Handle, MonitorOptions, Verdict};
use serde_json::{Map, Value, json};

use super::Span;
use super::quality::{Measured, measure, signal};
use super::served::{Served, days, inputs, labels, predictions};
use crate::demo::calendar::moment;
use crate::demo::model::flights::Flights;
use crate::demo::session::Pace;
use crate::output;

/// A window that is open.
pub(super) struct Window<'a> {
    served: &'a Served,
    span: Span,
    rows: usize,
    inputs: DriftMonitor,
    predictions: DriftMonitor,
    labels: DriftMonitor,
    input_handle: Handle,
    prediction_handle: Handle,
}

impl<'a> Window<'a> {
    pub(super) fn open(served: &'a Served, span: Span, pace: Pace) -> Result<Self> {
        let draws = match pace {
            Pace::Fast => 1_999,
            Pace::Full => 9_999,
        };
        let options = MonitorOptions::default().with_max_draws(draws);
        let monitor =
            |reference: &Arc<_>| DriftMonitor::new(Arc::clone(reference), options.clone());
        let inputs = monitor(&served.inputs)?;
        let predictions = monitor(&served.predictions)?;
        let labels = monitor(&served.labels)?;
        let (input_handle, prediction_handle) = (inputs.handle(), predictions.handle());
        Ok(Self {
            served,
            span,
            rows: 0,
            inputs,
            predictions,
            labels,
            input_handle,
            prediction_handle,
        })
    }

    /// Watches what went in and came out of an hour's requests.
    pub(super) fn observe(&mut self, flights: &Flights, scores: &[f64]) -> Result<()> {
        self.input_handle.observe(&inputs(flights)?)?;
        self.prediction_handle.observe(&predictions(flights, scores)?)?;
        self.rows += flights.len();
        Ok(())
    }

    /// Closes it: what it was like, and the alarms.
    ///
    /// `arrived` are the flights whose label came in meanwhile, `served` the scores that they had got.
    pub(super) fn close(
        mut self,
        frozen: &Served,
        (arrived, served): (&Flights, &[f64]),
    ) -> Result<(Record, Vec<Signal>)> {
        self.input_handle.publish();
        self.prediction_handle.publish();
        let at = moment(self.span.to);
        self.labels.observe(&labels(arrived)?)?;
        let (truth, days) = (arrived.labels()?, days(arrived));
        let now = measure(&truth, served, &days);
        let then = measure(&truth, &frozen.model.score(arrived)?, &days);
        let reports = [
            (SignalKind::Input, self.inputs.report()),
            (SignalKind::Prediction, self.predictions.report()),
            (SignalKind::Label, self.labels.report()),
        ];
        let mut alarms: Vec<Signal> =
            reports.iter().flat_map(|(kind, report)| alarms(at, *kind, report)).collect();
        alarms.extend(now.as_ref().and_then(|now| signal(at, &self.served.quality, now)));
        let late = truth.iter().filter(|late| **late).count() as f64 / truth.len() as f64;
        let record = Record {
            from: moment(self.span.from),
            to: at,
            rows: self.rows as u64,
            version: self.served.version,
            quality: now.map(|now| now.auc),
            labels: truth.len() as u64,
            details: details(&reports.each_ref().map(|(_, report)| report), then, late),
        };
        Ok((record, alarms))
    }
}

fn alarms(at: mlops_core::time::Timestamp, kind: SignalKind, report: &Report) -> Vec<Signal> {
    let drifted = report.columns.iter().filter(|column| column.verdict == Verdict::Drifted);
    let alarm = |column: &ColumnReport| {
        Some(Signal {
            at,
            subject: column.column.clone(),
            kind,
            statistic: statistic(column.decided_by?).to_owned(),
            value: column.effect?,
            threshold: column.min_effect?,
            p_value: column.adjusted_p_value,
            clusters: column.clusters.as_ref().map(|clusters| clusters.current),
        })
    };
    drifted.filter_map(alarm).collect()
}

const fn statistic(change: Change) -> &'static str {
    match change {
        Change::Location => "mann_whitney",
        Change::Scale => "mood",
        Change::Shape => "anderson_darling",
        Change::Categories => "g",
        Change::Nulls => "nulls",
        Change::Range => "range",
        _ => "other",
    }
}

/// What the page shows beside the figures of the window.
fn details(reports: &[&Report], frozen: Option<Measured>, late: f64) -> Value {
    let column = |column: &ColumnReport| {
        let drifted = column.verdict == Verdict::Drifted;
        let (effect, floor) = (output::maybe(column.effect), output::maybe(column.min_effect));
        (
            column.column.clone(),
            json!({ "effect": effect, "min_effect": floor, "drifted": drifted }),
        )
    };
    let drift: Map<String, Value> =
        reports.iter().flat_map(|report| report.columns.iter().map(column)).collect();
    json!({ "drift": drift, "frozen_quality": output::maybe(frozen.map(|frozen| frozen.auc)), "late": output::number(late) })
}
