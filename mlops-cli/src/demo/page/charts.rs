//! The charts of the page, from a lifecycle's events alone.

use std::collections::BTreeSet;

use mlops_core::lifecycle::{Event, Window};
use plotly::common::{ColorScale, ColorScaleElement, DashType, Line, Mode};
use plotly::layout::{Axis, Legend, Margin, Shape, ShapeLine, ShapeType};
use plotly::{HeatMap, Layout, Plot, Scatter};

use crate::demo::calendar::date;

const SERVED: &str = "#14713d";
const FROZEN: &str = "#b3541e";
const FAINT: &str = "#9aa4af";

fn windows(events: &[Event]) -> Vec<&Window> {
    fn window(event: &Event) -> Option<&Window> {
        match event {
            Event::Watched(window) => Some(window),
            _ => None,
        }
    }
    events.iter().filter_map(window).collect()
}

fn plot(layout: Layout) -> Plot {
    let mut plot = Plot::new();
    plot.set_layout(layout.margin(Margin::new().left(110).right(20).top(20).bottom(40)));
    plot.set_configuration(plotly::Configuration::new().display_logo(false).responsive(true));
    plot
}

fn line<Y: serde::Serialize + Clone + 'static>(
    x: Vec<String>,
    y: Vec<Y>,
    name: &str,
    color: &str,
) -> Box<Scatter<String, Y>> {
    Scatter::new(x, y).name(name).mode(Mode::LinesMarkers).line(Line::new().color(color.to_owned()))
}

/// Weekly AUC of what served and of the first version, with what has to be kept.
pub(super) fn quality(events: &[Event]) -> Plot {
    let windows = windows(events);
    let days: Vec<String> = windows.iter().map(|window| date(window.to)).collect();
    let reference = events.iter().find_map(|event| match event {
        Event::Began { reference, .. } => Some(*reference),
        _ => None,
    });
    let promotions = events.iter().filter_map(|event| match event {
        Event::Promoted { at, .. } => Some(date(*at)),
        _ => None,
    });
    let mark = |day: String| {
        let line = ShapeLine::new().color(SERVED).dash(DashType::Dash).width(1.0);
        let shape = Shape::new().shape_type(ShapeType::Line).x_ref("x").y_ref("paper");
        shape.x0(day.clone()).x1(day).y0(0).y1(1).line(line)
    };
    let layout = Layout::new()
        .height(360)
        .y_axis(Axis::new().title("AUC"))
        .legend(Legend::new().orientation(plotly::common::Orientation::Horizontal))
        .shapes(promotions.map(mark).collect());
    let mut plot = plot(layout);
    let served = windows.iter().map(|window| window.quality).collect();
    plot.add_trace(line(days.clone(), served, "served", SERVED));
    let frozen = windows.iter().map(|window| window.details["frozen_quality"].as_f64()).collect();
    plot.add_trace(line(days.clone(), frozen, "first version, frozen", FROZEN));
    for (share, name) in [(1.0, "before use"), (0.97, "3 % below")] {
        let level = vec![reference.map(|reference| reference * share); days.len()];
        let dotted = Line::new().color(FAINT).dash(DashType::Dot).width(1.0);
        plot.add_trace(Scatter::new(days.clone(), level).name(name).mode(Mode::Lines).line(dotted));
    }
    plot
}

/// Effect over floor, column by week; what raised no alarm is paled.
pub(super) fn drift(events: &[Event]) -> Plot {
    let windows = windows(events);
    let days: Vec<String> = windows.iter().map(|window| date(window.to)).collect();
    let named = windows.iter().filter_map(|window| window.details["drift"].as_object());
    let columns: BTreeSet<String> = named.flat_map(|drift| drift.keys().cloned()).collect();
    let cell = |window: &&Window, column: &String| {
        let entry = &window.details["drift"][column];
        let ratio = entry["effect"].as_f64()?
            / entry["min_effect"].as_f64().filter(|floor| *floor > 0.0)?;
        let alarm = entry["drifted"].as_bool() == Some(true);
        // Below 1 stays pale whatever the effect; an alarm is at least 1 by its floor.
        Some(if alarm { ratio.clamp(1.0, 10.0) } else { ratio.min(0.99) })
    };
    let columns: Vec<String> = columns.into_iter().rev().collect();
    let effects: Vec<Vec<Option<f64>>> = columns
        .iter()
        .map(|column| windows.iter().map(|window| cell(window, column)).collect())
        .collect();
    let scale =
        [(0.0, "#ffffff"), (0.1, "#eef1f4"), (0.1, "#fde3c8"), (0.4, "#e8894a"), (1.0, "#8c2d04")];
    let scale = scale.map(|(at, color)| ColorScaleElement(at, color.to_owned()));
    let heat = HeatMap::new(days, columns.clone(), effects)
        .color_scale(ColorScale::Vector(scale.to_vec()))
        .zmin(0.0)
        .zmax(10.0)
        .hover_on_gaps(false);
    let mut plot = plot(Layout::new().height(90 + 24 * columns.len()));
    plot.add_trace(heat);
    plot
}

/// How many flights were late, of those whose labels arrived in each week.
pub(super) fn late(events: &[Event]) -> Plot {
    let windows = windows(events);
    let days: Vec<String> = windows.iter().map(|window| date(window.to)).collect();
    let shares = windows.iter().map(|window| window.details["late"].as_f64()).collect();
    let mut plot = plot(Layout::new().height(240).y_axis(Axis::new().title("share late")));
    plot.add_trace(line(days, shares, "late", FROZEN));
    plot
}
