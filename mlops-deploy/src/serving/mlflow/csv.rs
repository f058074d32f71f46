//! Comma-separated values (RFC 4180) with a header, into the signature's columns.

use std::borrow::Cow;

use super::Table;
use crate::serving::error::{Result, ServeError, shorten};
use crate::serving::json::Loose;
use crate::serving::tensor::{Binding, Datatype};

/// Reads a body whose first line names its columns.
pub(super) fn read(body: &[u8], binding: &Binding) -> Result<Table> {
    let text = std::str::from_utf8(body).map_err(|error| {
        ServeError::invalid(format!("the body is not UTF-8: at_byte={}", error.valid_up_to()))
    })?;
    let mut lines = Lines { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 0 };
    let header = lines.next().transpose()?.unwrap_or_default();
    let specs = binding.signature().inputs();
    if let Some(wide) = specs.iter().find(|spec| spec.width() > 1) {
        let name = wide.name();
        return Err(ServeError::invalid(format!(
            "a model with lists as input takes no CSV: column={name:?}"
        )));
    }
    let mut columns: Vec<Option<Loose>> = specs.iter().map(|_| None).collect();
    let positions: Vec<_> = header.iter().map(|name| binding.position(name)).collect();
    for (at, name) in positions.iter().zip(&header) {
        if let Some(at) = at
            && columns[*at].replace(Loose::default()).is_some()
        {
            let name = shorten(name);
            return Err(ServeError::invalid(format!("a column came twice: column={name:?}")));
        }
    }
    let mut rows = 0;
    for record in lines {
        let record = record?;
        if record.len() != positions.len() {
            let (want, got) = (positions.len(), record.len());
            return Err(ServeError::invalid(format!(
                "rows differ in length: row={rows} want={want} got={got}"
            )));
        }
        for (field, at) in record.iter().zip(&positions) {
            let Some(at) = *at else { continue };
            if let Some(column) = &mut columns[at] {
                push(column, specs[at].datatype(), field);
            }
        }
        rows += 1;
    }
    Ok(Table { columns, rows })
}

/// A field means what its column's type says.
fn push(column: &mut Loose, datatype: Datatype, field: &str) {
    let word = field.trim();
    match datatype {
        Datatype::Bytes => column.text(field),
        _ if word.is_empty() => column.null(),
        Datatype::Bool => match word.to_ascii_lowercase().as_str() {
            "true" | "1" => column.bool(true),
            "false" | "0" => column.bool(false),
            _ => column.refuse(format_args!("{:?}", shorten(word))),
        },
        Datatype::Fp16 | Datatype::Fp32 | Datatype::Fp64 => match word.parse::<f64>() {
            Ok(value) => column.float(value),
            Err(_) => column.refuse(format_args!("{:?}", shorten(word))),
        },
        _ => match (word.parse::<i64>(), word.parse::<u64>()) {
            (Ok(value), _) => column.int(value),
            (_, Ok(value)) => column.uint(value),
            _ => column.refuse(format_args!("{:?}", shorten(word))),
        },
    }
}

/// The records of a text, empty lines left out.
struct Lines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Vec<Cow<'a, str>>>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(rest) = self.rest.strip_prefix("\r\n").or(self.rest.strip_prefix('\n')) {
            self.rest = rest;
            self.line += 1;
        }
        if self.rest.is_empty() {
            return None;
        }
        let mut fields = Vec::new();
        loop {
            let quoted = self.rest.starts_with('"');
            let field = if quoted { self.quoted() } else { Ok(self.plain()) };
            match field {
                Ok(field) => fields.push(field),
                Err(error) => {
                    self.rest = "";
                    return Some(Err(error));
                }
            }
            match self.rest.strip_prefix(',') {
                Some(rest) => self.rest = rest,
                None => return Some(Ok(fields)),
            }
        }
    }
}

impl<'a> Lines<'a> {
    /// Up to the next comma or the end of the line.
    fn plain(&mut self) -> Cow<'a, str> {
        let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
        let (field, rest) = self.rest.split_at(end);
        self.rest = rest;
        Cow::Borrowed(field.strip_suffix('\r').filter(|_| !rest.starts_with(',')).unwrap_or(field))
    }

    /// Up to the closing quote; a doubled one stands for itself.
    fn quoted(&mut self) -> Result<Cow<'a, str>> {
        let mut field = Cow::Borrowed("");
        self.rest = &self.rest[1..];
        loop {
            let Some(end) = self.rest.find('"') else {
                let line = self.line;
                return Err(ServeError::invalid(format!("a quote is not closed: line={line}")));
            };
            field += &self.rest[..end];
            self.rest = &self.rest[end + 1..];
            match self.rest.strip_prefix('"') {
                Some(rest) => {
                    field += "\"";
                    self.rest = rest;
                }
                None if self.rest.is_empty() || self.rest.starts_with([',', '\n', '\r']) => {
                    return Ok(field);
                }
                None => {
                    let line = self.line;
                    return Err(ServeError::invalid(format!("text behind a quote: line={line}")));
                }
            }
        }
    }
}
