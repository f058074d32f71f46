//! The promise of the sequential mode: without drift, looked at after every window until 50 times the
//! reference's rows have come, an alarm is ever raised with probability alpha at most.
//!
//! The fast tests run fewer and longer windows. The full ones: `cargo test --release -p mlops-drift
//! --test main ever -- --ignored --nocapture`.

// The figures are what the full runs are made for.
#![allow(clippy::print_stdout)]

use mlops_drift::sequential::{
    Categories, Clusters, Evidence, Sequential, SequentialOptions, alarms, category_scores,
    number_scores,
};
use mlops_drift::statistic::Sample;
use rand::RngExt;

use super::{Random, normal, random};

/// The rates that each run is judged at.
const ALPHAS: [f64; 3] = [0.01, 0.05, 0.2];

/// How often, in so many runs, evidence was ever at least 1/alpha.
#[derive(Debug, Default, Clone, Copy)]
struct Ever {
    runs: u64,
    alarms: [u64; 3],
}

impl Ever {
    fn add(&mut self, ln_largest: f64) {
        self.runs += 1;
        let reached = |alpha: &f64| u64::from(ln_largest >= -alpha.ln());
        self.alarms.iter_mut().zip(&ALPHAS).for_each(|(sum, alpha)| *sum += reached(alpha));
    }

    /// At each alpha no more alarms than a binomial count exceeds once in a thousand times.
    #[track_caller]
    fn keeps_its_promise(&self, what: &str) {
        println!("{what}: {:?} of {} runs at {ALPHAS:?}", self.alarms, self.runs);
        for (count, alpha) in self.alarms.iter().zip(ALPHAS) {
            let most = most(self.runs, alpha);
            assert!(*count <= most, "{what}: {count} of {} at {alpha}, at most {most}", self.runs);
        }
    }
}

/// The smallest k with P(Binomial(runs, alpha) > k) < 0.0005.
fn most(runs: u64, alpha: f64) -> u64 {
    let mut p = (1.0 - alpha).powf(runs as f64);
    let (mut below, mut k) = (p, 0);
    while below < 0.9995 {
        p *= (runs - k) as f64 / (k + 1) as f64 * alpha / (1.0 - alpha);
        k += 1;
        below += p;
    }
    k
}

#[test]
fn the_band_is_that_of_a_binomial_count() {
    // By exact rational arithmetic: P(Binomial(10, 1/2) > 9) = 1/1024, P(... > 10) = 0.
    assert_eq!(most(10, 0.5), 10);
    // P(Binomial(1000, 0.05) > 74) = 0.00043, > 73 is 0.00065.
    assert_eq!(most(1_000, 0.05), 74);
}

/// What is looked at, how often, and how long.
#[derive(Clone, Copy)]
struct Plan {
    reference: usize,
    window: usize,
    runs: u64,
}

impl Plan {
    /// So many windows make 50 times the reference.
    fn looks(self) -> usize {
        50 * self.reference / self.window
    }

    fn fast() -> Self {
        Self { reference: 200, window: 400, runs: 100 }
    }

    fn full() -> Vec<Self> {
        let plan = |reference| Self { reference, window: reference / 4, runs: 1_000 };
        vec![plan(200), plan(1_000)]
    }

    /// Makes a run of one column: a reference, then window after window.
    fn run<W>(
        self,
        seed: u64,
        mut draw: impl FnMut(&mut Random, usize) -> W,
        mut watch: impl FnMut(u64, W, &mut dyn Iterator<Item = W>) -> f64,
    ) -> Ever {
        let mut ever = Ever::default();
        for run in 0..self.runs {
            let mut random = random((seed << 32) | run);
            let reference = draw(&mut random, self.reference);
            let mut windows = (0..self.looks()).map(|_| draw(&mut random, self.window));
            ever.add(watch(run, reference, &mut windows));
        }
        ever
    }
}

/// How a row comes about.
type Draw = fn(&mut Random) -> f64;

fn options(run: u64) -> SequentialOptions {
    SequentialOptions::default().with_seed(run)
}

fn numbers(plan: Plan, seed: u64, draw: Draw) -> Ever {
    let sample = |random: &mut Random, rows| Sample::new((0..rows).map(|_| draw(random)));
    plan.run(seed, sample, |run, reference, windows| {
        let missing = plan.reference as u64 - reference.len();
        let mut watch = Sequential::numbers(&reference, missing, &options(run)).expect("a watch");
        for window in windows {
            let missing = plan.window as u64 - window.len();
            watch.observe(&window, missing).expect("a look");
        }
        watch.evidence().ln_largest()
    })
}

fn poisson(random: &mut Random) -> f64 {
    let (mut product, mut count) = (random.random::<f64>(), 0.0);
    while product > (-3.0_f64).exp() {
        product *= random.random::<f64>();
        count += 1.0;
    }
    count
}

/// One category in thirty, the k-th with a share like 1/k.
fn zipf(random: &mut Random) -> u32 {
    30_f64.powf(random.random::<f64>()) as u32
}

fn categories(plan: Plan, seed: u64) -> Ever {
    let names: Vec<String> = (0..=30).map(|k| format!("c{}", k * 17 % 31)).collect();
    let draw = |random: &mut Random, rows| {
        let mut counts = [0_u64; 31];
        (0..rows).for_each(|_| counts[zipf(random) as usize] += 1);
        counts
    };
    let named = |counts: &[u64; 31]| -> Vec<(&str, u64)> {
        names.iter().map(|name| &name[..]).zip(counts.iter().copied()).collect()
    };
    plan.run(seed, draw, |run, reference, windows| {
        let mut watch = Categories::new(named(&reference), 0, &options(run)).expect("a watch");
        for window in windows {
            watch.observe(named(&window), 0).expect("a look");
        }
        watch.watch().evidence().ln_largest()
    })
}

/// A cluster of 100 rows, each 0.95 of the one before and fresh noise.
fn chain(random: &mut Random) -> Vec<f64> {
    let mut value = normal(random);
    let fresh = (1.0_f64 - 0.95 * 0.95).sqrt();
    let next = |_| {
        value = 0.95 * value + fresh * normal(random);
        value
    };
    (0..100).map(next).collect()
}

fn clusters(plan: Plan, seed: u64) -> [Ever; 2] {
    let draw = |random: &mut Random, clusters| -> Vec<([f64; 3], [f64; 5])> {
        let cluster = |_| {
            let values = chain(random);
            let names: Vec<String> =
                values.iter().map(|v| format!("{}", (v * 2.0) as i32)).collect();
            let counts = names.iter().map(|name| (&name[..], 1));
            (number_scores(&Sample::new(values.iter().copied()), 0), category_scores(counts, 0))
        };
        (0..clusters).map(cluster).collect()
    };
    let mut named = Ever::default();
    let numbers = plan.run(seed, draw, |run, reference, windows| {
        let scores = |of: &[([f64; 3], [f64; 5])]| -> (Vec<[f64; 3]>, Vec<[f64; 5]>) {
            of.iter().copied().unzip()
        };
        let (values, names) = scores(&reference);
        let mut values = Clusters::new(&values, &options(run)).expect("a watch");
        let mut names = Clusters::new(&names, &options(run)).expect("a watch");
        for window in windows {
            let (new_values, new_names) = scores(&window);
            values.observe(&new_values).expect("a look");
            names.observe(&new_names).expect("a look");
        }
        named.add(names.ln_largest());
        values.ln_largest()
    });
    [numbers, named]
}

fn continuous(plan: Plan) {
    numbers(plan, 1, normal).keeps_its_promise("normal");
    // Every tenth row is missing.
    let holes = |random: &mut Random| {
        let hole = random.random::<f64>() < 0.1;
        if hole { f64::NAN } else { normal(random) }
    };
    numbers(plan, 2, holes).keeps_its_promise("with nulls");
}

fn tied(plan: Plan) {
    numbers(plan, 3, poisson).keeps_its_promise("Poisson(3)");
    numbers(plan, 4, |r| f64::from(r.random_range(0..5))).keeps_its_promise("5 levels");
    numbers(plan, 5, |r| f64::from(r.random_range(0..2))).keeps_its_promise("bool");
    numbers(plan, 6, |r| f64::from(u8::from(r.random::<f64>() < 0.003)))
        .keeps_its_promise("rare bool");
}

#[test]
fn the_promise_holds_on_independent_rows() {
    let plan = Plan::fast();
    continuous(plan);
    tied(plan);
    categories(plan, 7).keeps_its_promise("30 categories");
}

#[test]
fn the_promise_holds_on_clusters() {
    let plan = Plan { reference: 10, window: 20, runs: 80 };
    let [values, names] = clusters(plan, 8);
    values.keeps_its_promise("clusters of numbers");
    names.keeps_its_promise("clusters of categories");
}

/// Each kind of data with 200 and 1,000 reference rows, 1,000 runs of 200 looks.
fn in_full(judge: fn(Plan)) {
    for plan in Plan::full() {
        println!("{} reference rows, {} looks", plan.reference, plan.looks());
        judge(plan);
    }
}

#[test]
#[ignore = "takes minutes: cargo test --release -p mlops-drift --test main ever -- --ignored --nocapture"]
fn the_promise_holds_on_continuous_rows_in_full() {
    in_full(continuous);
}

#[test]
#[ignore = "takes minutes: cargo test --release -p mlops-drift --test main ever -- --ignored --nocapture"]
fn the_promise_holds_on_tied_rows_in_full() {
    in_full(tied);
}

#[test]
#[ignore = "takes minutes: cargo test --release -p mlops-drift --test main ever -- --ignored --nocapture"]
fn the_promise_holds_on_categories_in_full() {
    in_full(|plan| categories(plan, 7).keeps_its_promise("30 categories"));
}

#[test]
#[ignore = "takes minutes: cargo test --release -p mlops-drift --test main ever -- --ignored --nocapture"]
fn the_promise_holds_on_clusters_in_full() {
    // 10 clusters hold the 1,000 rows of the other runs; 30 are a month of days.
    for (reference, window) in [(10, 5), (30, 7)] {
        let [values, names] = clusters(Plan { reference, window, runs: 1_000 }, 9);
        values.keeps_its_promise(&format!("{reference} clusters of numbers"));
        names.keeps_its_promise(&format!("{reference} clusters of categories"));
    }
}

/// What the promise is about: the very same bets against the same cells, but with the reference taken
/// for the truth (as if each cell held a million times as many gaps), break it by far. So do rows of
/// clusters that are taken for independent.
#[test]
fn without_the_references_own_error_or_the_clusters_it_would_not_hold() {
    let plan = Plan { reference: 1_000, window: 1_000, runs: 40 };
    let sample = |random: &mut Random, rows| Sample::new((0..rows).map(|_| normal(random)));
    let fooled = plan.run(11, sample, |run, reference, windows| {
        let watch = Sequential::numbers(&reference, 0, &options(run)).expect("a watch");
        let certain: Vec<u64> = watch.ladder().gaps().iter().map(|gap| gap * 1_000_000).collect();
        let mut evidence = Evidence::new(&certain).expect("evidence");
        for window in windows {
            let mut tally = watch.ladder().empty();
            for (value, count) in window.runs() {
                watch.ladder().add(&mut tally, value, *count);
            }
            // Nothing is tied, so the rows between the edges are those of the cells.
            evidence.observe(&tally.between).expect("a look");
        }
        evidence.ln_largest()
    });
    println!("reference taken for the truth: {:?} of {} at {ALPHAS:?}", fooled.alarms, fooled.runs);
    assert!(fooled.alarms[1] > 4 * most(plan.runs, 0.05), "{fooled:?}");

    let plan = Plan { reference: 1_000, window: 1_000, runs: 40 };
    let rows = |random: &mut Random, rows| Sample::new((0..rows / 100).flat_map(|_| chain(random)));
    let blind = plan.run(12, rows, |run, reference, windows| {
        let mut watch = Sequential::numbers(&reference, 0, &options(run)).expect("a watch");
        windows.for_each(|window| watch.observe(&window, 0).expect("a look"));
        watch.evidence().ln_largest()
    });
    println!("clusters taken for rows: {:?} of {} at {ALPHAS:?}", blind.alarms, blind.runs);
    assert!(blind.alarms[1] > 4 * most(plan.runs, 0.05), "{blind:?}");
}

/// 20 columns that share a factor, none of which drifts: how often is any ever named?
#[test]
fn columns_together_keep_the_promise() {
    let (mut named, runs) = (0, 40);
    for run in 0..runs {
        let mut random = random((13 << 32) | run);
        let mut draw = |rows: usize| -> Vec<Vec<f64>> {
            let shared: Vec<f64> = (0..rows).map(|_| normal(&mut random)).collect();
            let column = |_| shared.iter().map(|s| s + normal(&mut random)).collect();
            (0..20).map(column).collect()
        };
        let watch = |(seed, values): (u64, Vec<f64>)| {
            Sequential::numbers(&Sample::new(values), 0, &options(seed)).expect("a watch")
        };
        let mut columns: Vec<_> = (0..).zip(draw(100)).map(watch).collect();
        let mut ever = false;
        for _ in 0..10 {
            for (column, values) in columns.iter_mut().zip(draw(500)) {
                column.observe(&Sample::new(values), 0).expect("a look");
            }
            let largest: Vec<f64> = columns.iter().map(|c| c.evidence().ln_largest()).collect();
            ever |= alarms(0.05, &largest).expect("alarms").contains(&true);
        }
        named += u64::from(ever);
    }
    assert!(named <= most(runs, 0.05), "{named} of {runs}");
}

/// How many current rows it takes until an alarm is raised: the median over runs, for a reference of
/// 1,000 rows, looked at every 10 rows.
fn rows_to_find(quiet: usize, drifted: Draw) -> u64 {
    let runs = 31;
    let mut rows: Vec<u64> = (0..runs)
        .map(|run| {
            let mut random = random((17 << 32) | run);
            let mut sample = |rows, draw: Draw| Sample::new((0..rows).map(|_| draw(&mut random)));
            let mut watch =
                Sequential::numbers(&sample(1_000, normal), 0, &options(run)).expect("a watch");
            for _ in 0..quiet / 100 {
                watch.observe(&sample(100, normal), 0).expect("a look");
            }
            assert!(watch.alarm().is_none(), "run {run}");
            while watch.alarm().is_none() && watch.evidence().rows() < quiet as u64 + 20_000 {
                watch.observe(&sample(10, drifted), 0).expect("a look");
            }
            watch.evidence().rows() - quiet as u64
        })
        .collect();
    rows.sort_unstable();
    rows[rows.len() / 2]
}

#[test]
fn drift_is_found_within_few_rows() {
    let cases: [(&str, Draw, u64); 6] = [
        ("a shift of 0.5", |r| normal(r) + 0.5, 120),
        ("a shift of 0.25", |r| normal(r) + 0.25, 500),
        ("a spread of 1.5", |r| normal(r) * 1.5, 120),
        ("a tail in a tenth", |r| normal(r) * if r.random::<f64>() < 0.1 { 6.0 } else { 1.0 }, 200),
        ("a mode in a tenth", |r| if r.random::<f64>() < 0.1 { 0.3 } else { normal(r) }, 250),
        ("beyond all that was", |r| normal(r) + 20.0, 10),
    ];
    for (what, drifted, most) in cases {
        let rows = rows_to_find(0, drifted);
        println!("{what}: {rows} rows");
        assert!(rows <= most, "{what}: {rows} rows, at most {most}");
    }
    let late = rows_to_find(10_000, |r| normal(r) + 0.5);
    println!("a shift of 0.5 after 10,000 quiet rows: {late} rows");
    assert!(late <= 180, "late: {late} rows");
}
