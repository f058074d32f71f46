//! The columns on which peers are held against this crate: seeded, of every kind, small and large.

use mlops_drift::compat::Column;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

type Random = Xoshiro256PlusPlus;

/// Rows of one side.
#[derive(Debug, Clone)]
pub(crate) enum Rows {
    Floats(Vec<f64>),
    Integers(Vec<i64>),
    Strings(Vec<Option<String>>),
    Booleans(Vec<bool>),
}

impl Rows {
    pub(crate) fn column(&self) -> Column {
        match self {
            Self::Floats(rows) => Column::floats(rows),
            Self::Integers(rows) => Column::integers(rows),
            Self::Strings(rows) => {
                Column::strings(&rows.iter().map(Option::as_deref).collect::<Vec<_>>())
            }
            Self::Booleans(rows) => {
                let word = |&row| Some(if row { "true" } else { "false" });
                Column::labels(&rows.iter().map(word).collect::<Vec<_>>())
            }
        }
    }

    /// NaN is null in JSON.
    fn json(&self) -> Value {
        match self {
            Self::Floats(rows) => json!(rows),
            Self::Integers(rows) => json!(rows),
            Self::Strings(rows) => json!(rows),
            Self::Booleans(rows) => json!(rows),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Floats(_) => "float",
            Self::Integers(_) => "int",
            Self::Strings(_) => "string",
            Self::Booleans(_) => "bool",
        }
    }
}

/// One column of both sides.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) reference: Rows,
    pub(crate) current: Rows,
}

impl Case {
    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "kinds": { "reference": self.reference.kind(), "current": self.current.kind() },
            "reference": self.reference.json(),
            "current": self.current.json(),
        })
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self.reference, Rows::Floats(_) | Rows::Integers(_))
    }

    /// Whether the current side has a string, or a null, that the reference lacks.
    pub(crate) fn has_unseen(&self) -> bool {
        match (&self.reference, &self.current) {
            (Rows::Strings(seen), Rows::Strings(rows)) => {
                rows.iter().any(|row| !seen.contains(row))
            }
            _ => false,
        }
    }

    pub(crate) fn has_missing(&self) -> bool {
        let missing = |rows: &Rows| match rows {
            Rows::Floats(rows) => rows.iter().any(|row| row.is_nan()),
            Rows::Strings(rows) => rows.iter().any(Option::is_none),
            _ => false,
        };
        missing(&self.reference) || missing(&self.current)
    }
}

/// By Box and Muller.
fn normal(random: &mut Random) -> f64 {
    let (u, v): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn cauchy(random: &mut Random) -> f64 {
    (std::f64::consts::PI * (random.random::<f64>() - 0.5)).tan()
}

/// One of the names, the first ones more often.
fn name(random: &mut Random, names: &[&str]) -> String {
    let at = random.random_range(0..names.len()).min(random.random_range(0..names.len()));
    names[at].to_owned()
}

fn floats(n: usize, mut draw: impl FnMut() -> f64) -> Rows {
    Rows::Floats((0..n).map(|_| draw()).collect())
}

fn integers(n: usize, mut draw: impl FnMut() -> i64) -> Rows {
    Rows::Integers((0..n).map(|_| draw()).collect())
}

/// Sizes on either side of each peer's limits: 140 effective values, 1,000, 10,000, chunks with a remainder
/// and none.
const SIZES: [(usize, usize); 7] = [
    (57, 43),
    (400, 400),
    (998, 612),
    (4_003, 1_507),
    (12_000, 11_003),
    (60, 10_500),
    (1_000, 9_999),
];

/// All of them, the same each time.
pub(crate) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (n, m) in SIZES {
        let mut random = Random::seed_from_u64((n * 100_003 + m) as u64);
        let r = &mut random;
        let mut add = |name: &str, reference: Rows, current: Rows| {
            all.push(Case { name: format!("{name} {n}/{m}"), reference, current });
        };
        add("normal", floats(n, || normal(r)), floats(m, || normal(r)));
        add("shifted", floats(n, || normal(r)), floats(m, || normal(r) + 0.4));
        add("far", floats(n, || normal(r)), floats(m, || normal(r) + 5.0));
        add("offset", floats(n, || 1e6 + normal(r)), floats(m, || 1e6 + 1.3 * normal(r)));
        add("lognormal", floats(n, || normal(r).exp()), floats(m, || (1.1 * normal(r)).exp()));
        add("cauchy", floats(n, || cauchy(r)), floats(m, || cauchy(r) + 0.3));
        let gaps = |r: &mut Random| if r.random_bool(0.1) { f64::NAN } else { normal(r) };
        add("nulls", floats(n, || gaps(r)), floats(m, || gaps(r)));
        let level = |r: &mut Random, of: u32| f64::from(r.random_range(0..of));
        add("two levels", floats(n, || level(r, 2)), floats(m, || level(r, 2)));
        add("four levels", floats(n, || level(r, 4)), floats(m, || level(r, 3) + level(r, 2)));
        add("twelve levels", floats(n, || level(r, 12)), floats(m, || level(r, 12)));
        let wide = |r: &mut Random| r.random_range(0..500);
        add("integers", integers(n, || wide(r)), integers(m, || wide(r) + 40));
        let few = |r: &mut Random| r.random_range(0..7);
        add("few integers", integers(n, || few(r)), integers(m, || few(r)));
        let grades = |r: &mut Random| r.random_range(0..15_i64);
        add("fifteen integers", integers(n, || grades(r)), integers(m, || grades(r)));
        // An integer column with nulls on one side is floating point there.
        let some = |r: &mut Random| match r.random_bool(0.1) {
            true => f64::NAN,
            false => few(r) as f64,
        };
        add("integers, once with nulls", floats(n, || some(r)), integers(m, || few(r)));
        add("integers, now with nulls", integers(n, || few(r)), floats(m, || some(r)));
        let skewed = |r: &mut Random| (10.0 * normal(r).exp()) as i64;
        add("skewed integers", integers(n, || skewed(r)), integers(m, || skewed(r)));
        let words = ["ash", "beech", "cedar", "elm", "fir", "oak"];
        let strings = |r: &mut Random, rows: usize, names: &[&str]| {
            Rows::Strings((0..rows).map(|_| Some(name(r, names))).collect())
        };
        add("strings", strings(r, n, &words), strings(r, m, &words));
        add("two strings", strings(r, n, &words[..2]), strings(r, m, &words[..2]));
        add("unseen strings", strings(r, n, &words[..4]), strings(r, m, &words));
        add("vanished strings", strings(r, n, &words), strings(r, m, &words[..3]));
        let gaps = |r: &mut Random, rows: usize| {
            let row = |r: &mut Random| (!r.random_bool(0.1)).then(|| name(r, &words));
            Rows::Strings((0..rows).map(|_| row(r)).collect())
        };
        add("strings with nulls", gaps(r, n), gaps(r, m));
        let booleans = |r: &mut Random, rows: usize, p: f64| {
            Rows::Booleans((0..rows).map(|_| r.random_bool(p)).collect())
        };
        add("booleans", booleans(r, n, 0.5), booleans(r, m, 0.6));
    }
    all
}
