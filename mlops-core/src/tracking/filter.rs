//! Typed filters: what may be asked of a run, and the one meaning that every store gives it.

use super::types::Run;
use crate::error::{Error, Result};
use crate::id::{MetricKey, ParamKey, TagKey};

/// Most comparisons in one filter.
pub const MAX_CLAUSES: usize = 100;
/// Deepest nesting of one filter.
pub const MAX_DEPTH: usize = 64;

/// A column of a run that is not a param, metric or tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attribute {
    /// The run's id.
    Id,
    /// The run's name.
    Name,
    /// The status, by its word.
    Status,
    /// Who started it.
    User,
    /// The name of what started it.
    Source,
    /// The parent's id.
    Parent,
    /// When it started, in milliseconds.
    Start,
    /// When it ended, in milliseconds.
    End,
}

impl Attribute {
    /// Whether it is compared as a number.
    #[must_use]
    pub const fn is_number(self) -> bool {
        matches!(self, Self::Start | Self::End)
    }
}

/// What is compared or ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// A column of the run.
    Attribute(Attribute),
    /// A parameter, as text.
    Param(ParamKey),
    /// The latest value of a metric.
    Metric(MetricKey),
    /// A label.
    Tag(TagKey),
}

impl Field {
    fn is_number(&self) -> bool {
        match self {
            Self::Attribute(attribute) => attribute.is_number(),
            Self::Metric(_) => true,
            Self::Param(_) | Self::Tag(_) => false,
        }
    }

    pub(super) fn of(&self, run: &Run) -> Option<Scalar> {
        let text = |text: &str| Some(Scalar::Text(text.to_owned()));
        match self {
            Self::Attribute(Attribute::Id) => text(run.id.as_str()),
            Self::Attribute(Attribute::Name) => text(&run.name),
            Self::Attribute(Attribute::Status) => text(run.status.word()),
            Self::Attribute(Attribute::User) => run.user.as_deref().and_then(text),
            Self::Attribute(Attribute::Source) => run.source.as_ref().and_then(|s| text(&s.name)),
            Self::Attribute(Attribute::Parent) => {
                run.parent.as_ref().and_then(|id| text(id.as_str()))
            }
            Self::Attribute(Attribute::Start) => Some(Scalar::Number(run.start.as_millis() as f64)),
            Self::Attribute(Attribute::End) => {
                run.end.map(|end| Scalar::Number(end.as_millis() as f64))
            }
            Self::Param(key) => run.params.get(key).and_then(|value| text(value)),
            Self::Metric(key) => run.metrics.get(key).map(|point| Scalar::Number(point.value)),
            Self::Tag(key) => run.tags.get(key).and_then(|value| text(value)),
        }
    }
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Equal.
    Eq,
    /// Present and not equal.
    Ne,
    /// Less (numbers).
    Lt,
    /// Less or equal (numbers).
    Le,
    /// Greater (numbers).
    Gt,
    /// Greater or equal (numbers).
    Ge,
    /// Matches a pattern of `%` and `_` (text).
    Like,
    /// The same without regard to case (text).
    ILike,
    /// Is one of a list (text).
    In,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Text.
    Text(String),
    /// A number; NaN compares false with everything.
    Number(f64),
    /// A list, for [`Op::In`].
    List(Vec<String>),
}

/// One comparison. A field that the run does not have compares false, whatever the operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    field: Field,
    op: Op,
    value: Scalar,
}

impl Comparison {
    /// Pairs a field with an operator and a value that fit each other.
    ///
    /// # Errors
    /// `InvalidInput` when they do not, such as text for a metric.
    pub fn new(field: Field, op: Op, value: Scalar) -> Result<Self> {
        let fits = match (&value, op) {
            (Scalar::Number(_), Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge) => {
                field.is_number()
            }
            (Scalar::Text(_), Op::Eq | Op::Ne | Op::Like | Op::ILike) => !field.is_number(),
            (Scalar::List(_), Op::In) => !field.is_number(),
            _ => false,
        };
        if !fits {
            return Err(Error::invalid(format!(
                "field, operator and value do not fit each other: field={field:?} op={op:?} value={value:?}"
            )));
        }
        Ok(Self { field, op, value })
    }

    /// The three parts.
    #[must_use]
    pub fn parts(&self) -> (&Field, Op, &Scalar) {
        (&self.field, self.op, &self.value)
    }

    fn matches(&self, run: &Run) -> bool {
        let Some(held) = self.field.of(run) else {
            return false;
        };
        match (&held, &self.value) {
            (Scalar::Number(held), Scalar::Number(wanted)) => {
                compare_numbers(*held, self.op, *wanted)
            }
            (Scalar::Text(held), Scalar::Text(wanted)) => match self.op {
                Op::Eq => held == wanted,
                Op::Ne => held != wanted,
                Op::Like => like(wanted, held, Case::Exact),
                Op::ILike => like(wanted, held, Case::Folded),
                _ => false,
            },
            (Scalar::Text(held), Scalar::List(wanted)) => wanted.contains(held),
            _ => false,
        }
    }
}

fn compare_numbers(held: f64, op: Op, wanted: f64) -> bool {
    match op {
        Op::Eq => held == wanted,
        // NaN differs from nothing here: a comparison with it is false, as everywhere.
        Op::Ne => held != wanted && !held.is_nan() && !wanted.is_nan(),
        Op::Lt => held < wanted,
        Op::Le => held <= wanted,
        Op::Gt => held > wanted,
        Op::Ge => held >= wanted,
        Op::Like | Op::ILike | Op::In => false,
    }
}

/// Whether letters of different case are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// They differ.
    Exact,
    /// They are the same.
    Folded,
}

/// Whether `text` matches `pattern`, where `%` stands for any characters and `_` for one.
///
/// Linear in `pattern` x `text`: it never goes back further than the last `%`.
#[must_use]
pub fn like(pattern: &str, text: &str, case: Case) -> bool {
    let fold = |s: &str| -> Vec<char> {
        match case {
            Case::Exact => s.chars().collect(),
            Case::Folded => s.chars().flat_map(char::to_lowercase).collect(),
        }
    };
    let (pattern, text) = (fold(pattern), fold(text));
    let (mut p, mut t, mut back) = (0, 0, None);
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '%' {
            back = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '_' || pattern[p] == text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((star, from)) = back {
            back = Some((star, from + 1));
            (p, t) = (star + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

/// A tree of comparisons.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// One comparison.
    Is(Comparison),
    /// All of these; an empty list is true.
    All(Vec<Filter>),
    /// At least one of these; an empty list is false.
    Any(Vec<Filter>),
}

impl Filter {
    /// Whether the run satisfies it.
    #[must_use]
    pub fn matches(&self, run: &Run) -> bool {
        match self {
            Self::Is(comparison) => comparison.matches(run),
            Self::All(parts) => parts.iter().all(|part| part.matches(run)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(run)),
        }
    }

    /// Checks the size.
    ///
    /// # Errors
    /// `InvalidInput` beyond [`MAX_CLAUSES`] comparisons or [`MAX_DEPTH`] levels.
    pub fn check(&self) -> Result<()> {
        let (clauses, depth) = self.size();
        if clauses > MAX_CLAUSES || depth > MAX_DEPTH {
            return Err(Error::invalid(format!(
                "a filter has at most {MAX_CLAUSES} clauses and {MAX_DEPTH} levels: clauses={clauses} levels={depth}"
            )));
        }
        Ok(())
    }

    fn size(&self) -> (usize, usize) {
        match self {
            Self::Is(_) => (1, 1),
            Self::All(parts) | Self::Any(parts) => {
                let join = |(c, d): (usize, usize), part: &Self| {
                    let (clauses, depth) = part.size();
                    (c + clauses, d.max(depth + 1))
                };
                parts.iter().fold((0, 1), join)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_knows_percent_and_underscore() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("a%", "abc", true),
            ("%c", "abc", true),
            ("a_c", "abc", true),
            ("a_c", "ac", false),
            ("%b%d", "abcbd", true),
            ("", "", true),
            ("%", "", true),
            ("_", "é", true),
            ("A%", "abc", false),
        ] {
            assert_eq!(like(pattern, text, Case::Exact), expected, "{pattern} {text}");
        }
        assert!(like("A%É", "abcé", Case::Folded));
    }

    #[test]
    fn like_does_not_explode_on_many_percents() {
        let pattern = "%a".repeat(2_000);
        assert!(!like(&pattern, &"a".repeat(1_999), Case::Exact));
    }

    #[test]
    fn comparisons_that_make_no_sense_are_refused() {
        let auc = Field::Metric(MetricKey::new("auc").unwrap());
        assert!(Comparison::new(auc.clone(), Op::Gt, Scalar::Number(0.5)).is_ok());
        assert!(Comparison::new(auc.clone(), Op::Eq, Scalar::Text("0.5".into())).is_err());
        assert!(Comparison::new(auc, Op::Like, Scalar::Text("0%".into())).is_err());
        let name = Field::Attribute(Attribute::Name);
        assert!(Comparison::new(name, Op::In, Scalar::List(vec!["a".into()])).is_ok());
    }

    #[test]
    fn filters_have_a_size_limit() {
        let clause = || {
            let field = Field::Attribute(Attribute::Name);
            Filter::Is(Comparison::new(field, Op::Eq, Scalar::Text("a".into())).unwrap())
        };
        assert!(Filter::All((0..100).map(|_| clause()).collect()).check().is_ok());
        assert!(Filter::All((0..101).map(|_| clause()).collect()).check().is_err());
        let deep = (0..64).fold(clause(), |inner, _| Filter::Any(vec![inner]));
        assert!(deep.check().is_err());
    }
}
