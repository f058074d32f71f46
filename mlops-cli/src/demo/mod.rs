//! `mlops demo`: the whole loop on a year of real flights, in the data's own time.
//!
//! ```text
//! session    which demo, its lock and journal      training  preprocess >> train >> evaluate >> register
//! phases     experiments, pipeline, reproduction   watch/    March to December, hour by hour
//! live/      the endpoint: requests, rollouts      page, summary, timeline   what it says
//! model/     the model itself
//! ```
//!
//! Nothing in it is scripted: what is promoted, and when, follows from the data and the policy. Killed at
//! any moment and started again it goes on where it stopped: each part reads its own journal.

mod calendar;
pub(crate) mod live;
pub(crate) mod model;
mod page;
mod phases;
pub(crate) mod progress;
mod session;
mod summary;
mod timeline;
mod training;
mod watch;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use mlops_core::pipeline::Cancel;

use crate::args::DemoArgs;
use crate::context::Stop;
use crate::{exit, output};
use session::{Pace, Session};
use summary::Summary;

pub(crate) async fn run(store: &Path, args: &DemoArgs) -> Result<ExitCode> {
    let cancel = Cancel::new();
    let stop = cancel.clone();
    let mut told = Stop::listen()?;
    let listener = tokio::spawn(async move {
        told.asked().await;
        output::say("stopping: what runs is ended, and the same command goes on from here");
        stop.cancel();
    });
    let outcome = turn(args.dir.as_deref().unwrap_or(store), args, &cancel).await;
    listener.abort();
    // Ends with the abort; what it was waiting for is of no interest any more.
    listener.await.ok();
    outcome
}

/// Turns the loop once.
async fn turn(folder: &Path, args: &DemoArgs, cancel: &Cancel) -> Result<ExitCode> {
    let began = Instant::now();
    let mut session = Session::open(folder, Pace::of(args.fast)).await?;
    if session.resumed {
        output::say(&format!("{} was not finished: it goes on where it stopped", session.name));
    }
    let config = phases::experiments(&mut session, cancel).await?;
    let first = phases::pipeline(&mut session, config.clone(), cancel).await?;
    let events = watch::watch(&mut session, config, &first, cancel).await?;
    phases::reproduce(&mut session, cancel).await?;
    page::write(&mut session, &events).await?;
    let summary = Summary::of(&session, events, began.elapsed().as_secs_f64()).await?;
    let (ok, object, text) = (session.is_ok(), summary.json(&session), summary.text(&session));
    session.finish().await?;
    output::read_or_not(if args.json { output::json(&object) } else { output::text(&text) })?;
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(exit::BAD_INPUT) })
}
