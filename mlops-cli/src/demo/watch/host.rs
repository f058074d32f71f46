//! What only the demo can do for its lifecycle: train a challenger, and compare two versions.

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use mlops_core::Error;
use mlops_core::lifecycle::{Actions, Challenger, Contest, Evaluation, Retraining, RollOut};
use mlops_core::pipeline::Cancel;

use super::served::{days, load};
use super::{LABEL_DELAY, Span};
use crate::demo::calendar::{DAY, moment, seconds};
use crate::demo::live::{Endpoint, Rolled};
use crate::demo::model::TrainConfig;
use crate::demo::model::paired::{Judgement, auc_difference_by_day};
use crate::demo::phases::HELD_BACK;
use crate::demo::session::Session;
use crate::demo::training::{Ending, Training, step_failed};

/// Labelled days that a retraining looks at, those kept back included.
const LABELLED: i64 = 60 * DAY;
/// Confidence of the interval that decides a promotion.
const LEVEL: f64 = 0.90;

pub(super) struct Host<'a> {
    pub(super) session: &'a Session,
    pub(super) endpoint: &'a Endpoint<'a>,
    pub(super) config: TrainConfig,
    pub(super) cancel: &'a Cancel,
}

/// The labels that two versions are compared on at `at`: the newest 14 days that are known.
fn judged_on(at: i64) -> Span {
    let to = at - LABEL_DELAY;
    Span::new(to - HELD_BACK, to)
}

/// A retraining at `at`: the newest 60 labelled days, less those it will be judged on.
fn trained_on(at: i64) -> Span {
    let judged = judged_on(at);
    Span::new(judged.to - LABELLED, judged.from)
}

/// Refuses labels that a version has seen in its training: they would flatter it.
fn check_apart(judged: Span, training: &Training) -> Result<()> {
    if training.train.to > judged.from {
        let message = format!(
            "a version would be judged on labels it was trained on: training={} trained_to={} judged_from={}",
            training.name,
            moment(training.train.to),
            moment(judged.from)
        );
        return Err(Error::invalid(message).into());
    }
    Ok(())
}

impl Host<'_> {
    async fn train(&self, retraining: &Retraining) -> Result<Challenger> {
        let at = seconds(retraining.at);
        let training = Training {
            name: format!("retraining-{}", retraining.number),
            config: self.config.clone(),
            train: trained_on(at),
            evaluate: judged_on(at),
            ends: Ending::Registered,
        };
        let trained = training.run(self.session, self.cancel).await?;
        let version = trained.version.context("the retraining registered no version")?;
        Ok(Challenger { run: trained.run, version })
    }

    async fn compare(&self, contest: &Contest) -> Result<Evaluation> {
        let judged = judged_on(seconds(contest.at));
        let (champion, champion_training) = load(self.session, contest.champion).await?;
        let (challenger, challenger_training) = load(self.session, contest.challenger).await?;
        check_apart(judged, &champion_training)?;
        check_apart(judged, &challenger_training)?;
        let rows = self.session.flights.between(judged.from, judged.to).labelled();
        let judgement = Judgement { level: LEVEL, seed: judged.to as u64 };
        let (labels, days) = (rows.labels()?, days(&rows));
        let paired = auc_difference_by_day(
            &labels,
            &champion.score(&rows)?,
            &challenger.score(&rows)?,
            &days,
            judgement,
        );
        let paired = paired.context("the two versions can't be compared on these labels")?;
        Ok(Evaluation {
            contest: contest.clone(),
            metric: "auc".to_owned(),
            champion_value: paired.champion,
            challenger_value: paired.challenger,
            interval: [paired.interval.0, paired.interval.1],
            labels_from: moment(judged.from),
            labels_to: moment(judged.to),
            rows: rows.len() as u64,
        })
    }
}

#[async_trait]
impl Actions for Host<'_> {
    async fn retrain(&self, retraining: &Retraining) -> mlops_core::Result<Challenger> {
        self.train(retraining).await.map_err(step_failed)
    }

    async fn evaluate(&self, contest: &Contest) -> mlops_core::Result<Evaluation> {
        self.compare(contest).await.map_err(step_failed)
    }

    async fn roll_out(&self, contest: &Contest, reason: &str) -> mlops_core::Result<RollOut> {
        let (from, to) = (Some(contest.champion), contest.challenger);
        let rolled = self.endpoint.roll_out(from, to, contest.at, reason).await;
        Ok(match rolled.map_err(step_failed)? {
            Rolled::Out => RollOut::TakenOver,
            Rolled::Back { reason } => RollOut::TakenBack { reason },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::calendar::{END, MARCH, WEEK};

    fn training(train: Span) -> Training {
        let (config, name) = (TrainConfig::default(), "t".to_owned());
        Training { name, config, train, evaluate: train, ends: Ending::Evaluated }
    }

    #[test]
    fn no_version_is_ever_judged_on_what_it_was_trained_on() {
        // Whoever was trained at any time before is apart from what is judged now.
        let mut before: Vec<Span> = vec![Span::new(0, MARCH - HELD_BACK)];
        let mut at = MARCH + WEEK;
        while at <= END {
            before.push(trained_on(at));
            for train in &before {
                check_apart(judged_on(at), &training(*train)).unwrap();
            }
            assert_eq!(judged_on(at).to - trained_on(at).from, LABELLED);
            at += WEEK;
        }
    }

    #[test]
    fn an_overlap_is_refused_with_both_dates() {
        let judged = judged_on(MARCH);
        for overlap in [1, DAY, HELD_BACK] {
            let error =
                check_apart(judged, &training(Span::new(0, judged.from + overlap))).unwrap_err();
            assert!(error.to_string().contains("judged_from=2013-02-14T00:00:00Z"), "{error}");
        }
        check_apart(judged, &training(Span::new(0, judged.from))).unwrap();
    }
}
