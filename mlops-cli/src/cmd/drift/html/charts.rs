//! The charts, each as what the chart library draws when its place is opened.
//!
//! The library reads a little markup of its own in labels, links among it, so text is escaped for it, too.

use anyhow::Result;
use mlops_drift::report::{Bound, ColumnReport};
use plotly::common::{ColorScale, ColorScaleElement, DashType, HoverInfo, Line, Marker, Mode};
use plotly::layout::{Axis, AxisType, BarMode, Legend, Margin};
use plotly::{Bar, Configuration, HeatMap, Layout, Scatter};
use serde::Serialize;
use serde_json::{Value, json};

use super::text::{cut, escape, value};

const REFERENCE: &str = "#9aa4af";
const CURRENT: &str = "#1f5fa8";
const MORE: &str = "#b3541e";
const LESS: &str = "#14713d";
/// How many categories are drawn at most, and how many labels an axis has.
const SHOWN: usize = 30;

/// The place of a chart, with what is drawn there.
pub(super) fn place(traces: &[Value], layout: Layout) -> Result<String> {
    let config = Configuration::new().display_logo(false).responsive(true);
    let spec = json!({ "data": traces, "layout": layout, "config": config });
    // No text in it can end the script that holds it.
    let spec = serde_json::to_string(&spec)?.replace('<', "\\u003c");
    Ok(format!("<div class=\"chart\"><script type=\"application/json\">{spec}</script></div>"))
}

fn layout(height: usize) -> Layout {
    let margin = Margin::new().left(60).right(20).top(10).bottom(60);
    let legend = Legend::new().orientation(plotly::common::Orientation::Horizontal).y(1.15);
    Layout::new().height(height).margin(margin).legend(legend)
}

/// Text for a label of the library: what it would take for markup is spelled out.
fn label(text: &str, most: usize) -> String {
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    escape(&cut(text, most)).replace("&quot;", "\"").replace("&#39;", "'")
}

/// An axis of so many places with a name each, of which as many are written as have room.
fn named(labels: &[String]) -> Axis {
    let step = labels.len().div_ceil(SHOWN).max(1);
    let ticks = (0..labels.len()).step_by(step);
    let texts = ticks.clone().map(|at| label(&labels[at], 24)).collect();
    let values = ticks.map(|at| at as f64).collect();
    Axis::new().tick_values(values).tick_text(texts).auto_margin(true)
}

fn trace(trace: &impl Serialize) -> Result<Value> {
    Ok(serde_json::to_value(trace)?)
}

fn places(count: usize) -> Vec<f64> {
    (0..count).map(|at| at as f64).collect()
}

/// The names of a column's bins or categories, with both sides' counts; the largest categories, the rest
/// as one.
fn bins(column: &ColumnReport) -> Option<Vec<(String, u64, u64)>> {
    let psi = column.statistics.psi.as_ref()?;
    let (old, new) = (&psi.reference_counts, &psi.current_counts);
    let largest = &column.categories.largest;
    if largest.is_empty() {
        let edge = |at: usize| psi.edges.get(at).map(|edge| value(*edge, &column.data_type));
        let name = |bin: usize| match (bin.checked_sub(1).and_then(edge), edge(bin)) {
            (None, None) => "all".to_owned(),
            (None, Some(to)) => format!("≤ {to}"),
            (Some(from), None) => format!("> {from}"),
            (Some(from), Some(to)) => format!("{from} – {to}"),
        };
        let counts = old.iter().zip(new).enumerate();
        return Some(counts.map(|(bin, (&old, &new))| (name(bin), old, new)).collect());
    }
    let named = largest.iter().take(SHOWN);
    let mut bins: Vec<_> =
        named.map(|entry| (entry.name.clone(), entry.reference, entry.current)).collect();
    let rest = |all: &[u64], own: fn(&(String, u64, u64)) -> u64| {
        all.iter().sum::<u64>().saturating_sub(bins.iter().map(own).sum())
    };
    let rest = (rest(old, |bin| bin.1), rest(new, |bin| bin.2));
    if old.len() > bins.len() {
        bins.push((format!("({} others)", old.len() - bins.len()), rest.0, rest.1));
    }
    Some(bins)
}

/// The shares of both sides in the bins of PSI, or of the largest categories.
pub(super) fn distribution(column: &ColumnReport) -> Result<Option<String>> {
    let Some(bins) = bins(column).filter(|bins| !bins.is_empty()) else { return Ok(None) };
    let names: Vec<String> = bins.iter().map(|bin| bin.0.clone()).collect();
    let side = |name: &str, color: &str, count: fn(&(String, u64, u64)) -> u64| {
        let all = bins.iter().map(count).sum::<u64>();
        let share = |bin: &(String, u64, u64)| 100.0 * count(bin) as f64 / all.max(1) as f64;
        let hover = |bin: &(String, u64, u64)| {
            let (count, share) = (count(bin), share(bin));
            format!("{}<br>{name}: {count} of {all} ({share:.2} %)", label(&bin.0, 120))
        };
        let bar = Bar::new(places(bins.len()), bins.iter().map(share).collect::<Vec<f64>>());
        trace(
            &bar.name(name)
                .marker(Marker::new().color(color.to_owned()))
                .hover_text_array(bins.iter().map(hover).collect::<Vec<String>>())
                .hover_info(HoverInfo::Text),
        )
    };
    let traces =
        [side("reference", REFERENCE, |bin| bin.1)?, side("current", CURRENT, |bin| bin.2)?];
    let share = Axis::new().title("% of usable rows");
    let layout = layout(300).bar_mode(BarMode::Group).x_axis(named(&names)).y_axis(share);
    Ok(Some(place(&traces, layout)?))
}

/// The signed mass that moved, bins in their order, categories the largest change first.
pub(super) fn moved(column: &ColumnReport) -> Result<Option<String>> {
    let mut moved: Vec<_> = column.moved.iter().collect();
    let lower =
        |bound: &Bound| if let Bound::Number(edge) = bound { *edge } else { f64::NEG_INFINITY };
    if column.categories.largest.is_empty() {
        moved.sort_by(|a, b| lower(&a.from).total_cmp(&lower(&b.from)));
    }
    moved.truncate(SHOWN);
    if moved.is_empty() {
        return Ok(None);
    }
    let text = |bound: &Bound| match bound {
        Bound::Number(edge) => value(*edge, &column.data_type),
        Bound::Name(name) => name.clone(),
    };
    let name = |entry: &&mlops_drift::report::Moved| match (&entry.from, &entry.to) {
        (Bound::Name(_), Bound::Name(name)) if name != "inf" => name.clone(),
        (Bound::Name(_), Bound::Number(_)) => format!("≤ {}", text(&entry.to)),
        (Bound::Number(_), Bound::Name(_)) => format!("> {}", text(&entry.from)),
        _ => format!("{} – {}", text(&entry.from), text(&entry.to)),
    };
    let names: Vec<String> = moved.iter().map(name).collect();
    let hover = |(name, entry): (&String, &&mlops_drift::report::Moved)| {
        format!("{}<br>{:+.2} points", label(name, 120), 100.0 * entry.mass)
    };
    let hovers: Vec<String> = names.iter().zip(&moved).map(hover).collect();
    let color = |mass: f64| if mass > 0.0 { MORE } else { LESS }.to_owned();
    let colors = moved.iter().map(|entry| color(entry.mass)).collect::<Vec<String>>();
    let masses: Vec<f64> = moved.iter().map(|entry| 100.0 * entry.mass).collect();
    let bar = Bar::new(places(moved.len()), masses)
        .marker(Marker::new().color_array(colors))
        .hover_text_array(hovers)
        .hover_info(HoverInfo::Text)
        .show_legend(false);
    let layout = layout(240).x_axis(named(&names)).y_axis(Axis::new().title("points moved"));
    Ok(Some(place(&[trace(&bar)?], layout)?))
}

/// One figure part by part, with the level that it is held against.
pub(super) fn over_parts(
    labels: &[String],
    values: Vec<Option<f64>>,
    drifted: &[bool],
    level: (&str, f64),
    scale: (&str, AxisType),
) -> Result<String> {
    let color = |&drifted: &bool| if drifted { MORE } else { REFERENCE }.to_owned();
    let colors: Vec<String> = drifted.iter().map(color).collect();
    let hover = |(name, value): (&String, &Option<f64>)| {
        format!("{}<br>{}", label(name, 120), crate::output::short(*value))
    };
    let hovers: Vec<String> = labels.iter().zip(&values).map(hover).collect();
    let line = Scatter::new(places(labels.len()), values)
        .mode(Mode::LinesMarkers)
        .line(Line::new().color("#c6ccd3").width(1.0))
        .marker(Marker::new().color_array(colors).size(7))
        .hover_text_array(hovers)
        .hover_info(HoverInfo::Text)
        .show_legend(false);
    let ends = vec![0.0, labels.len().saturating_sub(1) as f64];
    let held = Scatter::new(ends, vec![level.1; 2])
        .name(level.0)
        .mode(Mode::Lines)
        .line(Line::new().color(MORE).dash(DashType::Dot).width(1.0));
    let axis = Axis::new().title(scale.0).type_(scale.1);
    let layout = layout(240).x_axis(named(labels)).y_axis(axis);
    place(&[trace(&held)?, trace(&line)?], layout)
}

/// Effect over floor, columns by parts; what has not drifted is pale.
pub(super) fn heat(
    parts: &[String],
    columns: &[String],
    effects: Vec<Vec<Option<f64>>>,
    hovers: Vec<Vec<(String, String)>>,
) -> Result<String> {
    let scale =
        [(0.0, "#ffffff"), (0.1, "#eef1f4"), (0.1, "#fde3c8"), (0.4, "#e8894a"), (1.0, "#8c2d04")];
    let scale = scale.map(|(at, color)| ColorScaleElement(at, color.to_owned()));
    let hover = |(name, figures): (String, String)| {
        format!("{}<br>{}", label(&name, 240), label(&figures, 240))
    };
    let hovers: Vec<Vec<String>> =
        hovers.into_iter().map(|row| row.into_iter().map(hover).collect()).collect();
    let heat = HeatMap::new(places(parts.len()), places(columns.len()), effects)
        .color_scale(ColorScale::Vector(scale.to_vec()))
        .zmin(0.0)
        .zmax(10.0)
        .hover_on_gaps(false)
        .hover_text_matrix(hovers)
        .hover_info(HoverInfo::Text);
    let height = 110 + 22 * columns.len();
    let layout = layout(height).x_axis(named(parts)).y_axis(named(columns));
    place(&[trace(&heat)?], layout)
}
