//! Timing in turns, and the table of ratios.

use std::hint::black_box;

use mlops_benches::median;
use rustix::time::{ClockId, clock_gettime};

/// Turns of each row.
const TURNS: usize = 7;

/// Something to time; what it returns is kept from being optimised away.
pub(crate) type Task<'a> = &'a mut dyn FnMut() -> f64;

/// What a ratio should be.
#[derive(Clone, Copy)]
pub(crate) enum Aim {
    AtMost(f64),
    AtLeast(f64),
}

/// Prints a row as soon as it is measured.
pub(crate) struct Table {
    filter: String,
    missed: usize,
}

impl Table {
    pub(crate) fn new(filter: String) -> Self {
        println!("{:<58} {:>8} {:>9} {:>8}   ns a value: ours, floor", "what", "ratio", "aim", "");
        Self { filter, missed: 0 }
    }

    /// Whether every aim was met.
    pub(crate) fn met(&self) -> bool {
        self.missed == 0
    }

    /// Whether a row is asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }

    /// The time of `ours` over that of `floor`, or for [`Aim::AtLeast`] the other way round.
    pub(crate) fn row(
        &mut self,
        name: &str,
        values: usize,
        aim: Aim,
        ours: Task<'_>,
        floor: Task<'_>,
    ) {
        if !self.wants(name) {
            return;
        }
        black_box((ours(), floor()));
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            times[0].push(cpu_of(ours));
            times[1].push(cpu_of(floor));
        }
        let ratio = |(a, b): (&f64, &f64)| match aim {
            Aim::AtMost(_) => a / b,
            Aim::AtLeast(_) => b / a,
        };
        let ratios: Vec<f64> = times[0].iter().zip(&times[1]).map(ratio).collect();
        let each = |times: &[f64]| median(times) * 1e9 / values as f64;
        self.say(
            name,
            median(&ratios),
            aim,
            &format!("{:.2}, {:.2}", each(&times[0]), each(&times[1])),
        );
    }

    /// A figure that was measured otherwise.
    pub(crate) fn say(&mut self, name: &str, value: f64, aim: Aim, note: &str) {
        let (met, wanted) = match aim {
            Aim::AtMost(most) => (value <= most, format!("<= {most}")),
            Aim::AtLeast(least) => (value >= least, format!(">= {least}")),
        };
        self.missed += usize::from(!met);
        let verdict = if met { "" } else { "MISSED" };
        println!("{name:<58} {value:>8.2} {wanted:>9} {verdict:>8}   {note}");
    }
}

/// Seconds of this thread's CPU time.
pub(crate) fn cpu_of(task: Task<'_>) -> f64 {
    let before = clock(ClockId::ThreadCPUTime);
    black_box(task());
    clock(ClockId::ThreadCPUTime) - before
}

/// Seconds by a clock.
pub(crate) fn clock(id: ClockId) -> f64 {
    let now = clock_gettime(id);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}
