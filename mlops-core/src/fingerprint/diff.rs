//! What differs between two fingerprints, section by section and entry by entry.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::environment::{PackageChange, package_changes};
use super::key::KeyDigest;
use super::record::Fingerprint;
use super::section::Section;
use super::value::Value;

/// What differs between two fingerprints; empty when all that both say is the same.
///
/// Its `Display` is a small table for a terminal, without colour and control characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The sections whose digests differ, in the order of [`Section::ALL`].
    pub sections: Vec<SectionDifference>,
    /// The packages whose versions differ, where both environments were read from lock files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<PackageChange>,
}

/// One section that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionDifference {
    /// Which section.
    pub section: Section,
    /// Its digest in the first run; `None` where that run lacks it.
    pub left: Option<KeyDigest>,
    /// Its digest in the second run; `None` where that run lacks it.
    pub right: Option<KeyDigest>,
    /// The entries inside it that differ.
    pub entries: Vec<EntryDifference>,
}

/// One entry that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryDifference {
    /// Where: `params.lr`, `data[train].id`, `graph.steps[train].key`, `params["odd key"]`.
    pub path: String,
    /// What the first run has there; `None` where it has nothing.
    pub left: Option<Value>,
    /// What the second run has there; `None` where it has nothing.
    pub right: Option<Value>,
}

impl Difference {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// The names of the sections that differ.
    #[must_use]
    pub fn section_names(&self) -> Vec<Section> {
        self.sections.iter().map(|difference| difference.section).collect()
    }
}

/// What differs between two runs.
#[must_use]
pub fn diff(left: &Fingerprint, right: &Fingerprint) -> Difference {
    let mut sections = Vec::new();
    for section in Section::ALL {
        let (a, b) = (left.section(section), right.section(section));
        if a != b {
            sections.push(SectionDifference {
                section,
                left: left.section_digest(section),
                right: right.section_digest(section),
                entries: diff_values(section.word(), a, b),
            });
        }
    }
    let both_read = !left.locks().is_empty() && !right.locks().is_empty();
    let packages =
        if both_read { package_changes(left.locks(), right.locks()) } else { Vec::new() };
    Difference { sections, packages }
}

/// The entries that differ between two values, each path beginning with `root`.
///
/// Maps are compared by key. A list of maps that each carry a `role` or a `name`, unique in the
/// list, is compared by that, so that an inserted element does not make its followers differ; any
/// other list is compared by position.
#[must_use]
pub fn diff_values(
    root: &str,
    left: Option<&Value>,
    right: Option<&Value>,
) -> Vec<EntryDifference> {
    let mut entries = Vec::new();
    walk(&mut entries, root.to_owned(), left, right);
    entries
}

fn walk(out: &mut Vec<EntryDifference>, path: String, a: Option<&Value>, b: Option<&Value>) {
    if a == b {
        return;
    }
    let children = match (a, b) {
        (Some(Value::Map(a)), Some(Value::Map(b))) => Some(paired(by_key(a), by_key(b))),
        (Some(Value::List(a)), Some(Value::List(b))) => match (by_name(a), by_name(b)) {
            (Some(a), Some(b)) => Some(paired(a, b)),
            _ => Some(paired(by_position(a), by_position(b))),
        },
        _ => None,
    };
    let Some(children) = children else {
        let (left, right) = (a.cloned(), b.cloned());
        return out.push(EntryDifference { path, left, right });
    };
    let before = out.len();
    for (step, (a, b)) in children {
        walk(out, format!("{path}{}", step.1), a, b);
    }
    if out.len() == before {
        // Same elements by name, in another order: the lists differ as a whole.
        out.push(EntryDifference { path, left: a.cloned(), right: b.cloned() });
    }
}

/// How to sort a child (its position, for lists without names) and how its path continues.
type Step = (usize, String);
type Children<'a> = BTreeMap<Step, &'a Value>;

fn paired<'a>(
    a: Children<'a>,
    b: Children<'a>,
) -> BTreeMap<Step, (Option<&'a Value>, Option<&'a Value>)> {
    let steps: BTreeSet<Step> = a.keys().chain(b.keys()).cloned().collect();
    let pair = |step: Step| {
        let values = (a.get(&step).copied(), b.get(&step).copied());
        (step, values)
    };
    steps.into_iter().map(pair).collect()
}

fn by_key(map: &BTreeMap<String, Value>) -> Children<'_> {
    map.iter().map(|(key, value)| ((0, key_step(key)), value)).collect()
}

fn key_step(key: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-/".contains(c);
    if !key.is_empty() && key.chars().all(plain) { format!(".{key}") } else { format!("[{key:?}]") }
}

fn by_position(items: &[Value]) -> Children<'_> {
    items.iter().enumerate().map(|(index, item)| ((index, format!("[{index}]")), item)).collect()
}

/// The elements by their `role` or `name`; `None` when one lacks it or two share it.
fn by_name(items: &[Value]) -> Option<Children<'_>> {
    let name = |item: &Value| {
        let name = item.get("role").or_else(|| item.get("name"))?.as_text()?;
        Some(format!("[{}]", name.escape_debug()))
    };
    let children: Children<'_> =
        items.iter().map(|item| Some(((0, name(item)?), item))).collect::<Option<_>>()?;
    (children.len() == items.len()).then_some(children)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "no difference");
        }
        for difference in &self.sections {
            write!(f, "{difference}")?;
        }
        if !self.packages.is_empty() {
            writeln!(f, "packages")?;
        }
        self.packages.iter().try_for_each(|change| writeln!(f, "  {change}"))
    }
}

impl fmt::Display for SectionDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.section)?;
        let width = self.entries.iter().map(|entry| entry.path.chars().count()).max().unwrap_or(0);
        for EntryDifference { path, left, right } in &self.entries {
            writeln!(f, "  {path:width$}  {} -> {}", Shown(left.as_ref()), Shown(right.as_ref()))?;
        }
        Ok(())
    }
}

/// A value that may be absent, which is not the same as null.
struct Shown<'a>(Option<&'a Value>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("(absent)"),
        }
    }
}
