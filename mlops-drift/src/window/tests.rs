//! Windows beside a plain computation: every row looked at for every window.

use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::*;

/// The rows themselves, in order.
#[derive(Debug, Clone, PartialEq)]
struct Rows(Vec<usize>);

impl Pane for Rows {
    fn empty(&self) -> Result<Self> {
        Ok(Self(Vec::new()))
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        self.0.extend_from_slice(&other.0);
        self.0.sort_unstable();
        Ok(())
    }
}

/// Start, end, rows.
type Window = (i64, i64, Vec<usize>);

/// What windows should hold by the rule: a row counts for a window that holds its time unless the
/// largest time so far (the row's own included), less the lateness, has reached the window's end.
fn plain(spec: &WindowSpec, times: &[i64]) -> (Vec<Window>, WindowCounts) {
    let mut windows: Vec<Window> = Vec::new();
    let mut counts = WindowCounts::default();
    let (low, high) = (times.iter().min().copied(), times.iter().max().copied());
    let (low, high) = (low.unwrap_or(0), high.unwrap_or(0));
    let first = (low - spec.origin - spec.width).div_euclid(spec.every);
    let mut step = first;
    while step * spec.every + spec.origin <= high {
        let start = step * spec.every + spec.origin;
        windows.push((start, start + spec.width, Vec::new()));
        step += 1;
    }
    let mut latest = i64::MIN;
    for (row, &time) in times.iter().enumerate() {
        latest = latest.max(time);
        let (mut found, mut missed) = (0, 0);
        for (start, end, rows) in &mut windows {
            if *start <= time && time < *end {
                if *end <= latest - spec.lateness {
                    missed += 1;
                } else {
                    found += 1;
                    rows.push(row);
                }
            }
        }
        counts.rows += 1;
        match (found, missed) {
            (0, _) => counts.late += 1,
            (_, 0) => counts.counted += 1,
            _ => {
                counts.counted += 1;
                counts.partly_late += 1;
            }
        }
    }
    windows.retain(|window| !window.2.is_empty());
    (windows, counts)
}

fn run(spec: &WindowSpec, times: &[i64], ask_each: bool) -> Result<(Vec<Window>, WindowCounts)> {
    let mut windows = Windows::new(*spec, Rows(Vec::new()))?;
    let mut closed = Vec::new();
    for (row, &time) in times.iter().enumerate() {
        if let Some(pane) = windows.pane(time, 1)? {
            pane.0.push(row);
        }
        if ask_each {
            closed.extend(windows.ended());
        }
    }
    let counts = windows.counts();
    let mark = windows.watermark();
    closed.extend(windows.finish()?);
    for window in &closed {
        assert_eq!(window.rows, window.pane.0.len() as u64);
        assert_eq!(window.complete, mark.is_some_and(|mark| mark >= window.end));
    }
    Ok((closed.into_iter().map(|w| (w.start, w.end, w.pane.0)).collect(), counts))
}

proptest! {
    #[test]
    fn windows_hold_what_the_rule_says(
        seed in any::<u64>(),
        every in 1..8_i64,
        panes in 1..6_i64,
        lateness in 0..20_i64,
        origin in -9..9_i64,
    ) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let spec =
            WindowSpec::hopping(every * panes, every).with_lateness(lateness).with_origin(origin);
        let mut now = -30;
        let times: Vec<i64> = (0..80)
            .map(|_| {
                now += random.random_range(0..4) + if random.random_bool(0.03) { 50 } else { 0 };
                now - random.random_range(0..25)
            })
            .collect();
        let expected = plain(&spec, &times);
        prop_assert_eq!(&run(&spec, &times, true)?, &expected);
        prop_assert_eq!(&run(&spec, &times, false)?, &expected);
        prop_assert_eq!(expected.1.rows, expected.1.counted + expected.1.late);
    }
}

#[test]
fn far_apart_rows_cost_nothing_in_between() -> Result<()> {
    let mut windows = Windows::new(WindowSpec::tumbling(1), Rows(Vec::new()))?;
    let year = 365 * 86_400_000_000_i64;
    for (row, time) in [0, 40 * year, i64::MAX / 2].into_iter().enumerate() {
        windows.pane(time, 1)?.map(|pane| pane.0.push(row)).expect("not late");
    }
    assert_eq!(windows.ended().len(), 2);
    // Times whose windows fit no number are counted, not wrapped.
    assert!(windows.pane(i64::MAX, 1)?.is_none() && windows.pane(i64::MIN, 1)?.is_none());
    let counts = windows.counts();
    assert_eq!((counts.rows, counts.counted, counts.without_time), (5, 3, 2));
    Ok(())
}

#[test]
fn a_time_beyond_the_latest_ends_no_window() -> Result<()> {
    let mut windows = Windows::new(WindowSpec::tumbling(10), Rows(Vec::new()))?;
    windows.set_latest(100);
    assert!(windows.pane(5, 1)?.is_some());
    assert!(windows.pane(1_000_000, 1)?.is_none());
    assert!(windows.ended().is_empty());
    assert!(windows.pane(6, 1)?.is_some());
    windows.advance(10)?;
    windows.advance(3)?;
    assert_eq!((windows.watermark(), windows.ended().len()), (Some(10), 1));
    assert!(windows.pane(9, 2)?.is_none(), "its window has been reported");
    let counts = windows.counts();
    assert_eq!((counts.rows, counts.counted, counts.ahead, counts.late), (5, 2, 1, 2));
    Ok(())
}

#[test]
fn widths_that_make_no_windows_are_refused() {
    for spec in [
        WindowSpec::tumbling(0),
        WindowSpec::hopping(10, 3),
        WindowSpec::hopping(3, 10),
        WindowSpec::hopping(10, -5),
        WindowSpec::sliding(10, 3),
        WindowSpec::sliding(10, 0),
        WindowSpec::hopping(100_000, 1),
        WindowSpec::tumbling(10).with_lateness(-1),
    ] {
        assert!(Windows::new(spec, Rows(Vec::new())).is_err(), "{spec:?}");
    }
    assert_eq!(WindowSpec::sliding(10, 5), WindowSpec::hopping(10, 2));
}
