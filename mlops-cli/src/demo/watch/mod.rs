//! March to December, hour by hour: score, watch, and let the lifecycle decide.

mod host;
mod quality;
mod served;
mod window;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use indicatif::ProgressBar;
use mlops_core::id::{Alias, VersionNumber};
use mlops_core::lifecycle::{Event, Lifecycle, Names, Policy};
use mlops_core::pipeline::Cancel;
use mlops_core::time::Timestamp;
use mlops_core::{Error, ErrorKind};

use super::calendar::{DAY, END, HOUR, MARCH, Span, WEEK, date, moment};
use super::live::Endpoint;
use super::model::TrainConfig;
use super::session::{Phase, PhaseReport, Session, owner};
use super::training::Trained;
use super::{progress, timeline};
use host::Host;
use served::Served;
use window::Window;

/// A label is known this long after the flight.
pub(crate) const LABEL_DELAY: i64 = DAY;
const LEASE: Duration = Duration::from_secs(60);

/// Three weeks between two retrainings; two weeks in which a promotion can be taken back.
fn policy() -> Policy {
    Policy::default().with_cool_down(Duration::from_secs(21 * DAY as u64))
}

/// The alias of the version in use.
pub(crate) fn champion() -> Result<Alias> {
    Ok(Alias::new("champion")?)
}

/// Watches the year, from where it stopped.
pub(crate) async fn watch(
    session: &mut Session,
    config: TrainConfig,
    first: &Trained,
    cancel: &Cancel,
) -> Result<Vec<Event>> {
    let began = Instant::now();
    let names = Names {
        stream: session.lifecycle()?,
        model: session.model.clone(),
        experiment: session.experiment.clone(),
        alias: champion()?,
        owner: owner()?,
    };
    let (journal, registry) = (session.store.meta(), session.store.meta());
    let mut life = Lifecycle::open(journal, registry, names, policy(), LEASE).await?;
    let version = first.version.context("there is no first version")?;
    life.begin(moment(MARCH), version, "auc", first.quality.auc).await?;
    if !session.is_done(Phase::Watch) {
        let endpoint = Endpoint::open(session).await?;
        let host = Host { session, endpoint: &endpoint, config, cancel };
        let replayed = replay(&host, &mut life, version).await;
        // Whatever became of it, no process is left behind.
        let closed = endpoint.close().await;
        replayed.and(closed)?;
        life.end(moment(END)).await?;
        let (ok, summary) = (has_worked(life.events()), summary(life.events()));
        let (name, seconds) = (Phase::Watch, began.elapsed().as_secs_f64());
        session.ended(PhaseReport { name, ok, seconds, summary }).await?;
    }
    let events = life.events().to_vec();
    life.close().await?;
    Ok(events)
}

/// Whether every retraining and every review could be made, whatever came of it.
fn has_worked(events: &[Event]) -> bool {
    let failed = |event: &Event| {
        matches!(event, Event::RetrainingFailed { .. } | Event::ReviewFailed { .. })
    };
    !events.iter().any(failed)
}

fn summary(events: &[Event]) -> String {
    let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    format!(
        "{} weeks watched, {} alarms, {} retrainings: {} promoted, {} kept, {} rolled back",
        count(|event| matches!(event, Event::Watched(_))),
        count(|event| matches!(event, Event::Raised(_))),
        count(|event| matches!(event, Event::RetrainingStarted(_))),
        count(|event| matches!(event, Event::Promoted { .. })),
        count(|event| matches!(event, Event::Kept { .. })),
        count(|event| matches!(event, Event::RolledBack { .. })),
    )
}

/// The weeks to watch; the last one is cut at the end of the data.
fn weeks() -> impl Iterator<Item = Span> {
    let starts = (0..).map(|week| MARCH + week * WEEK).take_while(|start| *start < END);
    starts.map(|from| Span::new(from, (from + WEEK).min(END)))
}

async fn replay(host: &Host<'_>, life: &mut Lifecycle, first: VersionNumber) -> Result<()> {
    let bar = progress::bar(weeks().count() as u64, "watch".to_owned());
    let frozen = Served::load(host.session, first).await?;
    host.endpoint.begin(first).await?;
    let mut served: Option<Arc<Served>> = None;
    let watched_to = life.state().and_then(|state| state.watched_to);
    if let Some(at) = watched_to {
        // A decision of the last week may still be open; those before it were settled in their time.
        settle(host, life, at, &bar).await?;
    }
    for week in weeks() {
        if watched_to.is_none_or(|to| to < moment(week.to)) {
            let champion = life.state().context("the lifecycle has not begun")?.champion;
            let current = match served.take().filter(|served| served.version == champion) {
                Some(same) => same,
                None => Arc::new(Served::load(host.session, champion).await?),
            };
            let (window, alarms) = observe(host, &current, &frozen, week).await?;
            bar.set_message(format!("watch {}, version {champion}", date(window.to)));
            life.watched(window, alarms).await?;
            served = Some(current);
            settle(host, life, moment(week.to), &bar).await?;
        }
        bar.inc(1);
        anyhow::ensure!(!host.cancel.is_cancelled(), Error::new(ErrorKind::Cancelled, "stopped"));
    }
    bar.finish_and_clear();
    Ok(())
}

async fn settle(
    host: &Host<'_>,
    life: &mut Lifecycle,
    at: Timestamp,
    bar: &ProgressBar,
) -> Result<()> {
    for event in life.settle(at, host).await? {
        if let Some(line) = timeline::line(&event) {
            bar.println(line);
        }
    }
    Ok(())
}

/// One week: every hour's flights are scored by the endpoint, and observed as they come.
async fn observe(
    host: &Host<'_>,
    served: &Arc<Served>,
    frozen: &Served,
    week: Span,
) -> Result<(mlops_core::lifecycle::Window, Vec<mlops_core::lifecycle::Signal>)> {
    let (session, endpoint) = (host.session, host.endpoint);
    endpoint.answer_until(week.to).await?;
    let mut window = Window::open(served, week, session.pace)?;
    let mut hour = week.from;
    while hour < week.to {
        let flights = session.flights.between(hour, hour + HOUR);
        if !flights.is_empty() {
            window.observe(&flights, &endpoint.scores(hour, hour + HOUR).await?)?;
        }
        hour += HOUR;
    }
    // Labels come a day late: those of the week before's last day are here now, this one's are not.
    let (first, last) = ((week.from - LABEL_DELAY).max(MARCH), week.to - LABEL_DELAY);
    let stretch = session.flights.between(first, last);
    let scores = endpoint.scores(first, last).await?;
    let known = stretch.label.iter().zip(scores).filter(|(label, _)| label.is_some());
    let scores: Vec<f64> = known.map(|(_, score)| score).collect();
    window.close(frozen, (&stretch.labelled(), &scores))
}
