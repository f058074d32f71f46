//! One self-contained HTML page: what happened in the year. It needs no network.

mod charts;

use std::time::Instant;

use anyhow::Result;
use mlops_core::Error;
use mlops_core::lifecycle::Event;
use plotly::Plot;

use super::live;
use super::session::{Phase, Session};
use super::timeline;
use crate::cmd::kpi;
use crate::output;

const STYLE: &str = "
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2430; background: #f6f7f9; margin: 0 auto; max-width: 1080px; padding: 24px; }
section { background: #fff; border: 1px solid #dfe3e8; border-radius: 8px; padding: 8px 20px 16px; margin: 16px 0; }
h1 { font-size: 24px; } h2 { font-size: 17px; } p, li { max-width: 75ch; }
pre { overflow-x: auto; font-size: 12px; } table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 5px 10px 5px 0; border-bottom: 1px solid #eceff2; vertical-align: top; }
td:first-child { white-space: nowrap; }
.promoted { color: #14713d; font-weight: 600; } .kept { color: #5b6672; }
";

/// Writes the page into the store's folder.
pub(crate) async fn write(session: &mut Session, events: &[Event]) -> Result<()> {
    if session.is_done(Phase::Report) {
        return Ok(());
    }
    let began = Instant::now();
    let kpis = session.kpis().await?;
    let requests = live::requests(&*session.store.meta(), &session.name).await?;
    let worth = kpi::table(&kpis, &requests);
    let path = session.store.root().join(format!("{}.html", session.name));
    let partial = path.with_added_extension("partial");
    let written = std::fs::write(&partial, html(session, events, &worth))
        .and_then(|()| std::fs::rename(&partial, &path));
    written.map_err(|source| Error::io("write the page", &path, source))?;
    session.done(Phase::Report, began, format!("{}", path.display())).await
}

fn html(session: &Session, events: &[Event], worth: &str) -> String {
    let story: Vec<String> = events.iter().filter_map(timeline::line).collect();
    let sections = [
        section("What it is worth", &format!("<pre>{}</pre>", escape(worth))),
        section(
            "Quality of the served model beside the first one, frozen",
            &format!(
                "<p>AUC by week, on labels that arrived a day late. Dotted: what the first version had out of time, \
                 before use, and 3 % below it. Vertical lines are promotions.</p>{}",
                charts::quality(events).to_inline_html(Some("quality"))
            ),
        ),
        section(
            "Drift by column",
            &format!(
                "<p>The effect of each week's change against the reference of the version that served, in units of its \
                 floor: from 1 on it matters. Filled cells are alarms: significant by day, and above the floor.</p>{}",
                charts::drift(events).to_inline_html(Some("drift"))
            ),
        ),
        section("Share of late flights", &charts::late(events).to_inline_html(Some("late"))),
        section("What each retraining changed", &retrainings(events)),
        section("Timeline", &format!("<pre>{}</pre>", escape(&story.join("\n")))),
        section("Where things lie", &places(session)),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{name}: a model that watches and replaces itself</title><style>{STYLE}</style>{script}</head><body>\
         <h1>{name}: a model that watches and replaces itself</h1>\
         <p>Will a flight from New York come in more than 15 minutes late? A year of flights and weather (2013), watched \
         hour by hour. Every promotion below was decided by the data.</p>{sections}</body></html>\n",
        name = escape(&session.name),
        script = Plot::offline_js_sources(),
        sections = sections.concat(),
    )
}

fn section(title: &str, body: &str) -> String {
    format!("<section><h2>{}</h2>{body}</section>\n", escape(title))
}

fn retrainings(events: &[Event]) -> String {
    let rows = timeline::judged(events).into_iter().map(|judged| {
        let (evaluation, verdict) = (judged.evaluation, judged.outcome.word());
        let contest = &evaluation.contest;
        format!(
            "<tr><td>{}</td><td>{}</td><td>{} ({})</td><td>{} ({})</td><td class=\"{verdict}\">{verdict}</td><td>{}</td></tr>",
            super::calendar::date(contest.at),
            escape(judged.cause),
            contest.champion,
            output::short(Some(evaluation.champion_value)),
            contest.challenger,
            output::short(Some(evaluation.challenger_value)),
            escape(judged.reason),
        )
    });
    format!(
        "<table><tr><th>When</th><th>Cause</th><th>Champion (AUC)</th><th>Challenger (AUC)</th><th>Verdict</th><th>Why</th></tr>{}</table>",
        rows.collect::<String>()
    )
}

fn places(session: &Session) -> String {
    let root = escape(&session.store.root().display().to_string());
    let model = escape(session.model.as_str());
    format!(
        "<ul><li><code>{root}/mlops.db</code>: runs, models, journals</li>\
         <li><code>{root}/objects</code>: data, models, step outputs, by content</li></ul>\
         <pre>mlops --store {root} runs --by auc\nmlops --store {root} models show {model}\nmlops --store {root} kpi</pre>"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("<script>\"&"), "&lt;script&gt;&quot;&amp;");
        assert!(!section("<b>", "x").contains("<b>"));
    }
}
