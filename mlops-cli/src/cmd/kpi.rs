//! `mlops kpi`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use futures::TryStreamExt as _;
use mlops_core::Error;
use mlops_core::id::StreamName;
use mlops_core::journal::JournalStore;
use mlops_core::lifecycle::{KpiInputs, Kpis};
use serde_json::{Value, json};

use crate::args::KpiArgs;
use crate::demo::live::{Requests, requests};
use crate::{context, output};

pub(crate) async fn run(store: &Path, args: &KpiArgs) -> Result<ExitCode> {
    let store = context::open(store)?.meta();
    let stream = match &args.lifecycle {
        Some(name) => StreamName::new(format!("lifecycle/{name}"))?,
        None => newest(&*store).await?,
    };
    let kpis = Kpis::compute(KpiInputs {
        tracking: &*store,
        registry: &*store,
        journal: &*store,
        stream: &stream,
    })
    .await?;
    let name = stream.as_str().trim_start_matches("lifecycle/");
    let requests = requests(&*store, name).await?;
    if args.json {
        output::json(
            &json!({ "schema": "mlops.kpi/1", "lifecycle": name, "kpis": as_json(&kpis, &requests) }),
        )?;
    } else {
        output::text(&format!("{name}\n\n{}", table(&kpis, &requests)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The lifecycle that was written to last.
async fn newest(journal: &dyn JournalStore) -> Result<StreamName> {
    let streams: Vec<StreamName> =
        journal.streams(Some(&StreamName::new("lifecycle")?)).try_collect().await?;
    let mut newest = None;
    for stream in streams {
        let at = journal.last(&stream).await?.map(|entry| entry.at);
        newest = newest.max(Some((at, stream)));
    }
    newest.map(|(_, stream)| stream).ok_or_else(|| Error::not_found("lifecycle", "any").into())
}

/// The `kpis` object of `mlops.demo/1`.
pub(crate) fn as_json(kpis: &Kpis, requests: &Requests) -> Value {
    let quality = &kpis.quality;
    json!({
        "lead_time_seconds": output::maybe(kpis.lead_time_seconds),
        "reproducible_share": output::maybe(kpis.reproducible_share()),
        "reproduced": kpis.reproduced,
        "reexecuted": kpis.reexecuted,
        "quality": {
            "metric": quality.metric,
            "reference": output::number(quality.reference),
            "current": output::maybe(quality.current),
            "within_3_percent": quality.is_kept(),
        },
        "p95_seconds": output::maybe(requests.p95_seconds),
        "drift_to_fixed_seconds": output::maybe(kpis.drift_to_fixed_seconds),
        "clock": kpis.clock,
    })
}

/// The figures with their aims, met or not.
pub(crate) fn table(kpis: &Kpis, requests: &Requests) -> String {
    const HOUR: f64 = 3_600.0;
    let verdict = |met: Option<bool>| match met {
        Some(true) => "met",
        Some(false) => "NOT MET",
        None => "not measured",
    };
    let (quality, share, clock) = (&kpis.quality, kpis.reproducible_share(), kpis.clock);
    let reproduced = format!("{} of {}", kpis.reproduced, kpis.reexecuted);
    let lead = kpis.lead_time_seconds;
    let fixed = kpis.drift_to_fixed_seconds;
    let kept = format!(
        "{} {} (reference {})",
        quality.metric,
        output::short(quality.current),
        output::short(Some(quality.reference))
    );
    let rows = [
        [
            &format!("lead time: training run's start -> Production ({})", clock.lead_time_seconds),
            &output::span(lead),
            "under an hour",
            verdict(lead.map(|s| s < HOUR)),
        ],
        [
            "reproducible: same digests with the cache off",
            &reproduced,
            "all",
            verdict(share.map(|share| share == 1.0)),
        ],
        ["quality kept, last four windows", &kept, "within 3 %", verdict(quality.is_kept())],
        [
            &format!(
                "drift -> fixed: first alarm -> better model ({})",
                clock.drift_to_fixed_seconds
            ),
            &output::span(fixed),
            "under an hour",
            verdict(fixed.map(|s| s < HOUR)),
        ],
        [
            "p95 latency of served requests (wall)",
            &output::span(requests.p95_seconds),
            "under 200 ms",
            verdict(requests.p95_seconds.map(|s| s < 0.2)),
        ],
    ];
    let rows = rows.into_iter().map(|row| row.map(str::to_owned));
    output::table(["KPI", "VALUE", "AIM", ""], rows)
}
