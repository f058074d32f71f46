//! Which part each row belongs to.

use std::collections::HashMap;
use std::time::Duration;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Field;

use super::by::Split;
use super::report::Span;
use super::time::rfc3339;
use crate::error::{Error, Result};
use crate::reference::{Cell, ClusterBy, ClusterKey, ClusterPlan, Lane, column, read};

/// The rows of each part: of which batch, and which of it.
#[derive(Debug, Default)]
pub(super) struct Cut {
    parts: Vec<Vec<(usize, Vec<u32>)>>,
}

impl Cut {
    /// Adds a row to a part; rows come in their order.
    fn add(&mut self, part: usize, batch: usize, row: u32) {
        if self.parts.len() <= part {
            self.parts.resize_with(part + 1, Vec::new);
        }
        match self.parts[part].last_mut() {
            Some((last, rows)) if *last == batch => rows.push(row),
            _ => self.parts[part].push((batch, vec![row])),
        }
    }

    /// The rows of a part; one empty batch, which carries the schema, where there are none.
    pub(super) fn pick(&self, batches: &[RecordBatch], part: usize) -> Result<Vec<RecordBatch>> {
        let pieces = self.parts.get(part).map(Vec::as_slice).unwrap_or_default();
        if pieces.is_empty() {
            return Ok(batches.first().map(|batch| batch.slice(0, 0)).into_iter().collect());
        }
        let pick = |(batch, rows): &(usize, Vec<u32>)| {
            let batch = &batches[*batch];
            if rows.len() == batch.num_rows() {
                return Ok(batch.clone());
            }
            take_record_batch(batch, &UInt32Array::from(rows.clone())).map_err(|source| {
                Error::invalid("rows of a batch can't be taken").with_source(source)
            })
        };
        pieces.iter().map(pick).collect()
    }
}

/// The values of a column, each with a number in the order in which they were met.
#[derive(Default)]
struct Names {
    numbers: HashMap<String, usize>,
    missing: Option<usize>,
    rows: Vec<u64>,
}

impl Names {
    /// The number of every row's value.
    fn gather(&mut self, batches: &[RecordBatch], name: &str) -> Result<Vec<Vec<u32>>> {
        let Some(first) = batches.first() else { return Ok(Vec::new()) };
        let field = field(first, name)?;
        let (lane, _) = Lane::of(field.data_type(), true);
        if let Lane::Unsupported(_) = lane {
            return Err(Error::invalid(format!(
                "segments need a column whose values have a text: column={name} type={}",
                field.data_type()
            )));
        }
        let mut all = Vec::with_capacity(batches.len());
        for batch in batches {
            let mut numbers = Vec::with_capacity(batch.num_rows());
            let array = column(batch, name, field.data_type())?;
            read(array, &lane, &mut |_, cell| numbers.push(self.number(cell) as u32))?;
            all.push(numbers);
        }
        Ok(all)
    }

    fn number(&mut self, cell: Cell<'_>) -> usize {
        let next = self.rows.len();
        let number = match cell {
            Cell::Text(text) => match self.numbers.get(text) {
                Some(&number) => number,
                None => {
                    self.numbers.insert(text.to_owned(), next);
                    next
                }
            },
            _ => *self.missing.get_or_insert(next),
        };
        if number == next {
            self.rows.push(0);
        }
        self.rows[number] += 1;
        number
    }

    /// The parts, and to which each value belongs.
    fn parts(self, most: usize) -> (Vec<Span>, Vec<usize>) {
        let named = self.numbers.into_iter().map(|(name, number)| (Some(name), number));
        let missing = self.missing.map(|number| (None, number));
        let mut order: Vec<(Option<String>, usize)> = named.chain(missing).collect();
        order.sort_unstable_by(|(a, x), (b, y)| self.rows[*y].cmp(&self.rows[*x]).then(a.cmp(b)));
        let mut part_of = vec![0; order.len()];
        let rest = order.len().saturating_sub(most) as u64;
        let mut spans = Vec::new();
        for (rank, (name, number)) in order.into_iter().enumerate() {
            part_of[number] = rank.min(most);
            if rank < most {
                spans.push(name.map_or(Span::Missing, |name| Span::Value { name }));
            }
        }
        if rest > 0 {
            spans.push(Span::Rest { values: rest });
        }
        (spans, part_of)
    }
}

fn field(batch: &RecordBatch, name: &str) -> Result<Field> {
    let schema = batch.schema();
    let names = || schema.fields().iter().map(|field| field.name().as_str());
    let field = schema.field_with_name(name).map_err(|_| Error::unknown_column(name, names()))?;
    Ok(field.clone())
}

/// The parts of both sides by the values of a column, the largest of both together first.
pub(super) fn segments(
    name: &str,
    most: usize,
    reference: &[RecordBatch],
    current: &[RecordBatch],
) -> Result<(Vec<Span>, [Cut; 2])> {
    let mut names = Names::default();
    let sides = [names.gather(reference, name)?, names.gather(current, name)?];
    let (spans, part_of) = names.parts(most);
    let cuts = sides.map(|batches| {
        let mut cut = Cut::default();
        for (batch, numbers) in batches.into_iter().enumerate() {
            for (row, number) in (0..).zip(numbers) {
                cut.add(part_of[number as usize], batch, row);
            }
        }
        cut
    });
    Ok((spans, cuts))
}

/// The windows of the current data.
#[derive(Debug, Default)]
pub(super) struct Windows {
    pub(super) spans: Vec<Span>,
    pub(super) cut: Cut,
    pub(super) without_time: u64,
}

/// The windows that hold a row, in the order of time.
pub(super) fn windows(name: &str, width: Duration, batches: &[RecordBatch]) -> Result<Windows> {
    let Some(first) = batches.first() else { return Ok(Windows::default()) };
    let field = field(first, name)?;
    let by = ClusterBy::TimeBlock { column: name.to_owned(), width };
    let Ok(Some(plan)) = ClusterPlan::new(&by, field.data_type()) else {
        return Err(Error::invalid(format!(
            "windows of time need a column of timestamps or dates: column={name} type={}",
            field.data_type()
        )));
    };
    let mut met: HashMap<i128, Option<usize>> = HashMap::new();
    let mut spans: Vec<(i128, Span)> = Vec::new();
    let (mut cut, mut without_time) = (Cut::default(), 0);
    for (at, batch) in batches.iter().enumerate() {
        let mut row = 0;
        plan.keys(column(batch, name, field.data_type())?, &mut |key| {
            let part = match key {
                // Beyond the most windows nothing is kept: it is an error below.
                ClusterKey::Number(block) if spans.len() <= Split::MOST_PARTS => {
                    *met.entry(block).or_insert_with(|| {
                        let part = spans.len();
                        spans.extend(span(block, width).map(|span| (block, span)));
                        (spans.len() > part).then_some(part)
                    })
                }
                _ => None,
            };
            match part {
                Some(part) => cut.add(part, at, row),
                None => without_time += 1,
            }
            row += 1;
        })?;
    }
    if spans.len() > Split::MOST_PARTS {
        return Err(Error::invalid(format!(
            "more than {} windows, make them longer: column={name} width={width:?}",
            Split::MOST_PARTS
        )));
    }
    let mut order: Vec<_> = spans.into_iter().zip(cut.parts).collect();
    order.sort_unstable_by_key(|((block, _), _)| *block);
    let (spans, parts) = order.into_iter().map(|((_, span), part)| (span, part)).unzip();
    Ok(Windows { spans, cut: Cut { parts }, without_time })
}

fn span(block: i128, width: Duration) -> Option<Span> {
    let width = i128::try_from(width.as_nanos()).ok()?;
    let from = block.checked_mul(width)?;
    let to = from.checked_add(width)?;
    Some(Span::Window { from: rfc3339(from)?, to: rfc3339(to)? })
}
